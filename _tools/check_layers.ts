/**
 * Checks the house rules that no linter knows: which module may import which.
 *
 *     deno task layers
 *
 * The rules are those of docs/architecture.md. The graph of imports comes from
 * `deno info --json`; all that judges it is the pure function
 * {@linkcode checkLayers}.
 *
 * @module
 */

import { codeOnly } from "./code_only.ts";

/**
 * The rooms of the house, top of the table first. A module imports its own
 * room and those before it. An exact name wins over a `*`, which stands for
 * every other module of its folder.
 */
export const ROOMS: readonly (readonly string[])[] = [
  ["_protobuf/*"],
  [
    ...["core/status.ts", "core/cardinality.ts", "core/errors.ts"],
    ...["core/metadata.ts", "core/clock.ts", "core/deadline.ts"],
    ...["core/peer.ts", "core/_*"],
  ],
  ["core/*", "_context.ts", "_turns.ts"],
  ["_h2/*"],
  ["_wire/frame.ts"],
  ["_wire/*"],
  ["_call/byte_stream.ts", "_call/account.ts"],
  ["_call/half.ts"],
  ["_call/deadline_queue.ts", "_call/signal_watch.ts", "_call/cancellation.ts"],
  ["_call/*"],
  ["_call/server/serve.ts"],
  [
    ...[
      "_http2/reset.ts",
      "_http2/reset_budget.ts",
      "_http2/pause_receiving.ts",
      "_http2/read_gate.ts",
    ],
    "_http2/next_turn.ts",
  ],
  ["_balance/*"],
  ["_http2/engine.ts"],
  ["_http2/node/*", "_http2/native/*"],
  ["_http2/*"],
  ["_engines.ts"],
  ["_zlib.ts"],
  ["_connections.ts"],
  ["_channel.ts", "_graceful_exit.ts", "_server_figures.ts"],
  ["*"],
  [
    ...["admin/*", "health/*", "logging/*", "otel/*"],
    ...["propagation/*", "reflection/*", "testing/*"],
  ],
  ["plugin/*"],
  ["mod.ts"],
];

/** The modules of Node that open connections: only `_http2/` may use them. */
const NETWORK = new Set([
  ...["node:dgram", "node:dns", "node:http", "node:http2", "node:https"],
  ...["node:net", "node:tls"],
]);

/** Folders that import no module of a runtime. */
const PURE = new Set(["_protobuf", "core", "_wire"]);

/** Folders that use the package as anybody would, through its entry points. */
const GUESTS = new Set(["examples", "interop", "bench", "docs"]);

/**
 * The only module that imports grpc-js, and why it matters is said there: the
 * types that come with it would replace those of every `node:` module.
 */
const GRPC_JS = "_testdata/grpc_js.ts";

/** Globals that only some modules of the package may use. */
const GLOBALS = [{
  word: /(?<![\w$.#])Deno\b|\bglobalThis\s*\.\s*Deno\b/,
  allowed: /^(_graceful_exit|_http2\/permission)\.ts$|^(testing|plugin)\//,
  reason:
    "uses the Deno global: only gracefulExit, permissions and testing/ may, the rest has to run on Node",
}, {
  word: /(?<![\w$.#])console\b/,
  allowed: /^(_server|_graceful_exit|logging\/log_calls)\.ts$|^plugin\//,
  reason:
    "uses the console: the library is silent, but for onError, onOverdue and logCalls",
}];

/** A module that a person wrote and that is longer is worth a look. */
const MANY_LINES = 600;

/** One import or re-export. */
export interface Import {
  /** The module that has it, relative to the repository. */
  readonly from: string;
  /** What stands in the source. */
  readonly specifier: string;
  /** What it means: a path relative to the repository, or else a URL. */
  readonly to: string;
  /** The line it is on, from 1. */
  readonly line: number;
  /** Whether it is there when the program runs. */
  readonly kind: "value" | "type" | "dynamic";
}

/** All modules of the repository. */
export interface Tree {
  /** The source of each module, by path relative to the repository. */
  readonly sources: ReadonlyMap<string, string>;
  /** What they import. */
  readonly imports: readonly Import[];
}

/** A rule that a module breaks. */
export interface Violation {
  /** The module. */
  readonly path: string;
  /** The line, or 1 when it is about the whole. */
  readonly line: number;
  /** What is there, and which rule it breaks. */
  readonly message: string;
}

/**
 * Finds everything in a tree of modules that breaks a rule.
 *
 * @param tree The modules and their imports.
 * @returns The violations, by path and line.
 */
export function checkLayers(tree: Tree): Violation[] {
  const found = [
    ...tree.imports.flatMap((found) => checkImport(found)),
    ...checkCycles(tree),
    ...[...tree.sources].flatMap(([path, source]) => checkSource(path, source)),
  ];
  return found.sort((a, b) =>
    a.path === b.path ? a.line - b.line : a.path < b.path ? -1 : 1
  );
}

/** The place of a module's room in the table, or -1 outside the package. */
function roomOf(path: string): number {
  if (!path.endsWith(".ts")) return -1; // a package, or a module of Node
  if (path.split("/").includes("testdata")) return -1;
  const exact = ROOMS.findIndex((room) => room.includes(path));
  if (exact >= 0) return exact;
  return ROOMS.findIndex((room) =>
    room.some((pattern) => {
      if (!pattern.endsWith("*")) return false;
      const prefix = pattern.slice(0, -1);
      return prefix === "" ? !path.includes("/") : path.startsWith(prefix);
    })
  );
}

function isTest(path: string): boolean {
  return /_(test|bench)\.ts$/.test(path);
}

function isGenerated(path: string): boolean {
  return path.split("/").includes("gen");
}

function topFolder(path: string): string {
  return path.split("/")[0] as string;
}

/** Whether a module is part of what is published. */
function isPackage(path: string): boolean {
  return roomOf(path) >= 0 && !isTest(path);
}

function checkImport(found: Import): Violation[] {
  const { from, to, specifier, line, kind } = found;
  const rules = GUESTS.has(topFolder(from))
    ? [guestRule, peerRule]
    : isPackage(from)
    ? [
      roomRule,
      sidesRule,
      seamRule,
      protocolRule,
      engineRule,
      nodeRule,
      peerRule,
    ]
    : [peerRule];
  const verb = kind === "type" ? "imports types of" : "imports";
  return rules.flatMap((rule) => {
    const reason = rule({ from, to, specifier, line, kind });
    if (reason === undefined) return [];
    return { path: from, line, message: `${verb} "${specifier}": ${reason}` };
  });
}

function isRelative(specifier: string): boolean {
  return specifier.startsWith(".");
}

/**
 * Examples and their like come in by the front door. What `_testdata/` has,
 * such as certificates, is no part of the house.
 */
function guestRule({ from, to, specifier }: Import): string | undefined {
  if (!isRelative(specifier) || isGenerated(to)) return undefined;
  const folder = topFolder(from);
  if (topFolder(to) === folder || topFolder(to) === "_testdata") {
    return undefined;
  }
  return `${folder}/ uses the package through its public entry points, "@grpclib/grpclib" and what is below it`;
}

/** The table: own room and those above. */
function roomRule({ from, to, specifier }: Import): string | undefined {
  const room = roomOf(to);
  if (room < 0) {
    return isRelative(specifier)
      ? `"${to}" is not part of the package`
      : undefined;
  }
  if (isTest(to)) return "nothing imports a test";
  if (room <= roomOf(from)) return undefined;
  return `"${to}" stands below "${from}" in the table of rooms; a module imports its own room and those above`;
}

/** The two sides know what they share, and nothing of each other. */
function sidesRule({ from, to }: Import): string | undefined {
  const [side, folder] = /^(_call|_http2)\/(client|server)\//.exec(to) ?? [];
  if (side === undefined || topFolder(from) !== folder || isTest(from)) {
    return undefined;
  }
  if (from.startsWith(side)) return undefined;
  return `only ${side} imports "${to}" within ${folder}/`;
}

/** What HTTP/2 is, and what a call is, meet in one file. */
function seamRule({ from, to }: Import): string | undefined {
  if (topFolder(from) !== "_http2" || topFolder(to) !== "_call") {
    return undefined;
  }
  if (to === "_call/byte_stream.ts" || to === "_call/account.ts") {
    return undefined;
  }
  return `_http2/ knows a call only by the seam, "_call/byte_stream.ts" and "_call/account.ts"`;
}

/** HTTP/2 itself could be a package of its own. */
function protocolRule({ from, to }: Import): string | undefined {
  if (!from.startsWith("_h2/") || to.startsWith("_h2/")) return undefined;
  return "_h2/ imports nothing but itself";
}

/** Two engines behind one interface: neither knows the other. */
function engineRule({ from, to }: Import): string | undefined {
  const engine = /^_http2\/(node|native)\//.exec(from)?.[1];
  if (
    to === "node:http2" && topFolder(from) === "_http2" && engine !== "node"
  ) {
    return "node:http2 is for _http2/node/ alone";
  }
  // Header compression is apart from the rest, and read before nghttp2 does.
  const isHpack = engine === "node" && to === "_h2/hpack/mod.ts";
  if (
    to.startsWith("_h2/") && !from.startsWith("_h2/") && engine !== "native" &&
    !isHpack
  ) {
    return `_h2/ is for _http2/native/ alone`;
  }
  const other = /^_http2\/(node|native)\//.exec(to)?.[1];
  if (other === undefined || engine === other) return undefined;
  if (from === "_engines.ts") return undefined;
  return `an engine is for "_engines.ts" alone, and knows no other`;
}

/** The runtime stays in one folder, and bytes and words know none. */
function nodeRule({ from, to, kind }: Import): string | undefined {
  const folder = topFolder(from);
  if (!to.startsWith("node:")) return undefined;
  if (PURE.has(folder)) {
    return `${folder}/ is pure and imports no module of a runtime`;
  }
  if (NETWORK.has(to) && folder !== "_http2" && kind !== "type") {
    return `values of ${to} are for _http2/ alone`;
  }
  return undefined;
}

/** The types of a foreign peer stay out of the program. */
function peerRule({ from, specifier }: Import): string | undefined {
  if (specifier !== "@grpc/grpc-js" || from === GRPC_JS) return undefined;
  return `tests import it from "${GRPC_JS}", which has types of its own`;
}

/**
 * Finds the shortest cycle of imports through each module, once each. Imports of
 * types count: who reads one of the modules has to read them all.
 */
function checkCycles({ imports }: Tree): Violation[] {
  const next = new Map<string, Import[]>();
  for (const found of imports) {
    if (found.kind === "dynamic") continue;
    next.set(found.from, [...next.get(found.from) ?? [], found]);
  }
  const violations: Violation[] = [];
  const reported = new Set<string>();
  for (const start of [...next.keys()].sort()) {
    const cycle = shortestCycle(start, next);
    if (cycle === undefined || cycle.some((path) => reported.has(path))) {
      continue;
    }
    cycle.forEach((path) => reported.add(path));
    const first = next.get(start)?.find(({ to }) => to === (cycle[1] ?? start));
    violations.push({
      path: start,
      line: first?.line ?? 1,
      message: `imports itself by way of a cycle: ${
        [...cycle, start].map((path) => `"${path}"`).join(" → ")
      }`,
    });
  }
  return violations;
}

/** The modules on the shortest way from a module back to it. */
function shortestCycle(
  start: string,
  next: ReadonlyMap<string, readonly Import[]>,
): string[] | undefined {
  const ways: string[][] = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const { to } of next.get(way.at(-1) as string) ?? []) {
      if (to === start) return way;
      if (seen.has(to)) continue;
      seen.add(to);
      ways.push([...way, to]);
    }
  }
  return undefined;
}

function checkSource(path: string, source: string): Violation[] {
  if (isTest(path) || isGenerated(path)) return [];
  const found: Violation[] = [];
  if (!isPackage(path)) return found;
  codeOnly(source).split("\n").forEach((code, index) => {
    for (const { word, allowed, reason } of GLOBALS) {
      if (!word.test(code) || allowed.test(path)) continue;
      found.push({ path, line: index + 1, message: reason });
    }
  });
  return found;
}

/**
 * Finds the modules that are so long that somebody should look whether they are
 * still one. That is a sign and no rule: what belongs together stays together.
 *
 * @param tree The modules.
 * @returns What there is to say of each, in words.
 */
export function findLong({ sources }: Tree): string[] {
  return [...sources].flatMap(([path, source]) => {
    if (isTest(path) || isGenerated(path)) return [];
    const lines = source.trimEnd().split("\n").length;
    return lines > MANY_LINES
      ? [`${path} has ${lines} lines: is it still one module?`]
      : [];
  });
}

/** A module as `deno info --json` describes it, as far as it is used here. */
interface ModuleInfo {
  readonly specifier: string;
  readonly error?: string;
  readonly dependencies?: readonly {
    readonly specifier: string;
    readonly isDynamic?: boolean;
    readonly code?: Resolution;
    readonly type?: Resolution;
  }[];
}

interface Resolution {
  readonly specifier?: string;
  readonly error?: string;
  readonly span: { readonly start: { readonly line: number } };
}

/**
 * Reads the modules of a repository.
 *
 * @param root The folder, as a URL that ends in a slash.
 * @returns All modules under it.
 * @throws {Error} When a module cannot be loaded.
 */
export async function readTree(root: URL): Promise<Tree> {
  const sources = new Map<string, string>();
  for await (const path of modulesUnder(root, "")) {
    sources.set(path, await Deno.readTextFile(new URL(path, root)));
  }
  // One module that imports all others makes one graph of all.
  const everything = [...sources.keys()]
    .map((path) => `import ${JSON.stringify(new URL(path, root).href)};`);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `data:text/typescript,${everything.join("")}`],
    cwd: root,
  }).output();
  const decoder = new TextDecoder();
  if (!success) {
    throw new Error(`Cannot read modules: ${decoder.decode(stderr).trim()}`);
  }
  const { modules } = JSON.parse(decoder.decode(stdout)) as {
    readonly modules: readonly ModuleInfo[];
  };

  const imports: Import[] = [];
  for (const { specifier, error, dependencies = [] } of modules) {
    if (error !== undefined) throw new Error(`Cannot read modules: ${error}`);
    if (!specifier.startsWith(root.href)) continue;
    for (const { specifier: written, isDynamic, code, type } of dependencies) {
      for (const resolution of [code, type]) {
        if (resolution?.specifier === undefined) continue;
        imports.push({
          from: specifier.slice(root.href.length),
          to: resolution.specifier.replace(root.href, ""),
          specifier: written,
          line: resolution.span.start.line + 1,
          kind: resolution === type ? "type" : isDynamic ? "dynamic" : "value",
        });
      }
    }
  }
  return { sources, imports };
}

/** The paths of all modules under a folder. */
async function* modulesUnder(root: URL, dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(dir, root))) {
    const hidden = name.startsWith(".") || name === "node_modules";
    if (isDirectory && !hidden) yield* modulesUnder(root, `${dir}${name}/`);
    else if (name.endsWith(".ts")) yield dir + name;
  }
}

if (import.meta.main) {
  const tree = await readTree(new URL("../", import.meta.url));
  const found = checkLayers(tree);
  for (const { path, line, message } of found) {
    console.error(`${path}:${line} ${message}`);
  }
  for (const line of findLong(tree)) console.log(line);
  console.log(
    found.length === 0
      ? `${tree.sources.size} modules keep to the layers`
      : `${found.length} violations in ${tree.sources.size} modules`,
  );
  if (found.length > 0) Deno.exit(1);
}
