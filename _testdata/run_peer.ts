/**
 * Runs a peer under Node, or under Deno where there is no Node:
 *
 *     deno run -A _testdata/run_peer.ts grpc_js_peer.mjs server
 *     deno run -A _testdata/run_peer.ts --only-node bare_peer.mjs server
 *
 * Tests may run Deno and nothing else. The peer has this process' input and
 * output; it has to leave when its input ends.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

/** The code that this exits with when a Node is needed and there is none. */
export const NO_NODE = 77;

interface PackageGraph {
  readonly npmPackages: Readonly<
    Record<string, { readonly name: string; readonly localPath: string }>
  >;
}

/** Tells where the npm packages of the peers are, by name. */
async function packages(): Promise<Record<string, string>> {
  // Installs them where no test has done so before.
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", import.meta.resolve("./peer_packages.mjs")],
    stderr: "null",
  }).output();
  const graph: PackageGraph = JSON.parse(new TextDecoder().decode(stdout));
  return Object.fromEntries(
    Object.values(graph.npmPackages).map((found) => [
      found.name,
      found.localPath,
    ]),
  );
}

async function run(command: string, args: string[]): Promise<number> {
  const process = new Deno.Command(command, {
    args,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  // Whoever ends this means the peer.
  const end = (): void => process.kill("SIGTERM");
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", end);
  const { code } = await process.status;
  if (Deno.build.os !== "windows") Deno.removeSignalListener("SIGTERM", end);
  return code;
}

async function main(args: string[]): Promise<number> {
  const onlyNode = args[0] === "--only-node";
  const [script, ...rest] = onlyNode ? args.slice(1) : args;
  const path = fileURLToPath(import.meta.resolve(`./${script}`));
  const peer = [path, JSON.stringify(onlyNode ? {} : await packages())];
  try {
    return await run("node", [...peer, ...rest]);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (onlyNode) return NO_NODE;
    return await run(Deno.execPath(), ["run", "-A", ...peer, ...rest]);
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
