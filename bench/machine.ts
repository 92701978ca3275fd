/**
 * Where a run is made, and with which versions.
 *
 * @module
 */

import os from "node:os";
import type { Machine } from "./results.ts";
import { NODE_PACKAGE, PACKAGES, TOOLS } from "./tools.ts";

/** What is told of packages of npm. */
const PACKAGES_TOLD = [
  "@bufbuild/protobuf",
  "@grpc/grpc-js",
  "nice-grpc",
  "@connectrpc/connect-node",
  NODE_PACKAGE,
];

/** Tells of this machine, and of what takes part on it. */
export async function machine(): Promise<Machine> {
  const cpus = os.cpus();
  const versions: Record<string, string> = {
    deno: Deno.version.deno,
    v8: Deno.version.v8,
  };
  for (const name of PACKAGES_TOLD) {
    const url = new URL(`node_modules/${name}/package.json`, PACKAGES);
    const { version } = await readJson(url);
    if (version === undefined) continue;
    versions[name === NODE_PACKAGE ? "node" : name] = version;
  }
  const installed = await readJson(new URL("installed.json", TOOLS));
  const told = ["bench-go", "bench-tonic", "python"]
    .flatMap((tool) => installed[tool]?.split(" ") ?? []);
  for (const text of told) {
    // google.golang.org/grpc@v1.85.0, tonic@0.14.9, grpcio==1.85.1
    const [, name, version] = /([^/]+?)(?:@v?|==)([\d.]+)$/.exec(text) ?? [];
    if (name === undefined || version === undefined) continue;
    if (text.startsWith("google.golang.org/grpc@")) {
      versions["grpc-go"] = version;
    } else if (/^(tonic|grpcio|grpclib|protobuf)$/.test(name)) {
      versions[name === "protobuf" ? "protobuf (Python)" : name] = version;
    }
  }
  return {
    cpu: cpus[0]?.model ?? "unknown",
    cores: cpus.length,
    load: os.loadavg()[0] ?? 0,
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    os: `${os.type()} ${os.release()} ${os.arch()}`,
    versions,
  };
}

async function readJson(url: URL): Promise<Record<string, string>> {
  try {
    return JSON.parse(await Deno.readTextFile(url));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}
