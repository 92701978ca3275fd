/**
 * The foreign programs that `deno task interop:tools` has installed.
 *
 * Tests may run Deno and nothing else, so a program is run by
 * `_testdata/run_tool.ts`, in a Deno with more permissions:
 *
 *     const grpcurl = tool("grpcurl");
 *     Deno.test({
 *       name: named("Server answers grpcurl", { grpcurl }),
 *       ignore: grpcurl === null,
 *       async fn() {
 *         const { stdout } = await runTool(grpcurl!, ["-plaintext", address, "list"]);
 *       },
 *     });
 *
 * @module
 */

import { ChildProcess } from "./child_process.ts";

const ROOT = new URL("../.tools/", import.meta.url);
const RUN_TOOL = import.meta.resolve("./run_tool.ts");
const WINDOWS = Deno.build.os === "windows";

/** What is installed, by name. */
function installed(): Readonly<Record<string, string>> {
  try {
    return JSON.parse(Deno.readTextFileSync(new URL("installed.json", ROOT)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

const INSTALLED = installed();

/** The path of a program in Go; null if it is not installed. */
export function tool(name: string): string | null {
  if (!(name in INSTALLED)) return null;
  return pathOf(new URL(`bin/${name}${WINDOWS ? ".exe" : ""}`, ROOT));
}

/** What a tool was made of, such as `google.golang.org/grpc@v1.85.0`. */
export function versionOf(name: string): string | undefined {
  return INSTALLED[name];
}

/** The path of a Python with gRPC's packages; null if it is not installed. */
export function python(): string | null {
  return "python" in INSTALLED ? pythonIn("venv") : null;
}

/** The same of one with OpenTelemetry's packages as well. */
export function tracedPython(): string | null {
  return "python-opentelemetry" in INSTALLED ? pythonIn("venv-otel") : null;
}

function pythonIn(venv: string): string {
  const path = WINDOWS ? "Scripts/python.exe" : "bin/python";
  return pathOf(new URL(`${venv}/${path}`, ROOT));
}

function pathOf(url: URL): string {
  return WINDOWS ? url.pathname.slice(1) : url.pathname;
}

/** The name of a test, with what it is skipped for. */
export function named(
  name: string,
  needs: Readonly<Record<string, string | null>>,
): string {
  const missing = Object.keys(needs).filter((key) => needs[key] === null);
  return missing.length === 0
    ? name
    : `${name} (skipped: no ${missing.join(", ")})`;
}

/** How a program ended. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, for 20 seconds at most; it gets no input. */
export async function runTool(
  path: string,
  args: readonly string[],
): Promise<ToolResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", RUN_TOOL, "--limit=20000", "--input", path, ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

/** Starts a program that is spoken with; it has to leave when its input ends. */
export function talkTo(path: string, ...args: string[]): ChildProcess {
  return new ChildProcess(["-A", RUN_TOOL, "--input", path, ...args]);
}

/** Starts a program that gets no input, such as a server: `leave()` ends it. */
export function startTool(path: string, ...args: string[]): ChildProcess {
  return new ChildProcess(["-A", RUN_TOOL, path, ...args]);
}
