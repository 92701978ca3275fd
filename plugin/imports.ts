/**
 * Writes import statements as `deno fmt` leaves them.
 *
 * @module
 */

import { braced, type Doc, hang, layOut } from "./layout.ts";

/** The statements of protoplugin: one for types, one for values, any width. */
const ESM = /^import (type )?\{ (.+) \} from (".+");$/;
const COMMON_JS = /^const \{ (.+) \} = (require\(".+"\));$/;

/** The imports of one module. */
interface Import {
  readonly from: string;
  readonly types: string[];
  readonly values: string[];
}

/**
 * Makes one statement of those that import types and those that import values
 * of the same module, sorts them, and breaks lines that are too long.
 *
 * @param head The lines of a generated file up to its first declaration.
 * @returns The same lines with other imports.
 */
export function mendImports(head: string): string {
  const others: string[] = [];
  const imports = new Map<string, Import>();
  for (const line of head.trimEnd().split("\n")) {
    const [, type, names, from] = ESM.exec(line) ?? [];
    if (names === undefined || from === undefined) {
      others.push(layOut(requireOf(line) ?? line));
      continue;
    }
    const found = imports.get(from) ?? { from, types: [], values: [] };
    imports.set(from, found);
    found[type === undefined ? "values" : "types"].push(...names.split(", "));
  }
  const statements = [...imports.values()].sort(byModule).map(importOf);
  return [...others, ...statements.map((doc) => layOut(doc))].join("\n");
}

/**
 * Breaks the lines that are too long of what CommonJS exports.
 *
 * @param tail The lines of a generated file behind its last declaration.
 * @returns The same lines.
 */
export function mendExports(tail: string): string {
  return tail.replaceAll(
    /^(exports\.\S+ =) (\S+)$/gm,
    (_, name: string, value: string) => layOut([name, hang(value)]),
  );
}

/** Packages first, then files. */
function byModule(a: Import, b: Import): number {
  const isFile = ({ from }: Import) => Number(from.startsWith('".'));
  return isFile(a) - isFile(b) || (a.from < b.from ? -1 : 1);
}

function importOf({ from, types, values }: Import): Doc {
  if (values.length === 0) {
    return ["import type ", braced(types.sort(byName)), ` from ${from};`];
  }
  const names = [...values, ...types].sort(byName)
    .map((name) => types.includes(name) ? `type ${name}` : name);
  return ["import ", braced(names), ` from ${from};`];
}

function requireOf(line: string): Doc | undefined {
  const [, names, from] = COMMON_JS.exec(line) ?? [];
  if (names === undefined) return undefined;
  return ["const ", braced(names.split(", ")), ` = ${from};`];
}

/** The order of `deno fmt`: case counts only where nothing else differs. */
function byName(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  return x === y ? a < b ? -1 : 1 : x < y ? -1 : 1;
}
