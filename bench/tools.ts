/**
 * The programs and packages of other people that the benchmarks need, in
 * `.tools/`, where `deno task bench:tools` puts them.
 *
 * @module
 */

import { Skipped } from "./child.ts";
import { fromFileUrl } from "./paths.ts";

/** Where they are. */
export const TOOLS: URL = new URL("../.tools/", import.meta.url);

/** The folder with packages of npm. */
export const PACKAGES: URL = new URL("bench/", TOOLS);

/** A Node that can run TypeScript. */
export const NODE = "node";

const WINDOWS = Deno.build.os === "windows";
const EXE = WINDOWS ? ".exe" : "";

/** The package of npm that has Node for this machine. */
export const NODE_PACKAGE: string = `node-${WINDOWS ? "win" : Deno.build.os}-${
  Deno.build.arch === "aarch64" ? "arm64" : "x64"
}`;

/** Where a tool is when it is installed. */
function placeOf(tool: string): URL {
  if (tool === NODE) {
    return new URL(`node_modules/${NODE_PACKAGE}/bin/node${EXE}`, PACKAGES);
  }
  if (tool === "python") {
    return new URL(
      WINDOWS ? "venv/Scripts/python.exe" : "venv/bin/python",
      TOOLS,
    );
  }
  return new URL(`bin/${tool}${EXE}`, TOOLS);
}

function exists(url: URL): boolean {
  try {
    Deno.statSync(url);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of an installed program.
 *
 * @throws {Skipped} If it is not there.
 */
export function program(tool: string): string {
  const place = placeOf(tool);
  if (exists(place)) return fromFileUrl(place);
  const task = tool === "python" ? "interop:tools" : "bench:tools";
  throw new Skipped(`${tool} is not installed: deno task ${task}`);
}

/** Whether the packages of npm are installed. */
export function nodePackagesAreThere(): boolean {
  return exists(new URL("node_modules/@grpc/grpc-js/package.json", PACKAGES));
}
