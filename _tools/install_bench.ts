/**
 * Installs what `deno task bench` compares this library with.
 *
 *     deno task bench:tools
 *
 * Packages of npm, Node among them, go into `.tools/bench/`, and the programs
 * in Go and Rust that are in `bench/peers/` into `.tools/bin/`, built by the
 * toolchains that are here. Those in Python need `deno task interop:tools`.
 * What cannot be had is told in one line and is no failure.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import {
  binary,
  digestOf,
  findGo,
  install,
  pathOf,
  readManifest,
  ROOT,
  run,
  WINDOWS,
} from "./install_interop.ts";

const ARCH = Deno.build.arch === "aarch64" ? "arm64" : "x64";

/** The packages of npm. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@bufbuild/protobuf": "2.17.0",
  "@connectrpc/connect": "2.2.0",
  "@connectrpc/connect-node": "2.2.0",
  "@grpc/grpc-js": "1.14.7",
  "nice-grpc": "2.1.18",
  [`node-${WINDOWS ? "win" : Deno.build.os}-${ARCH}`]: "24.21.0",
};

/** The modules of Go. */
const GO_MODULES: readonly string[] = [
  "google.golang.org/grpc v1.85.0",
  "google.golang.org/protobuf v1.36.12",
];

/** The version of tonic, as in `Cargo.toml`. */
const TONIC = "0.14.9";

/** What it is built of. */
const TONIC_SOURCES: readonly string[] = [
  "Cargo.toml",
  "build.rs",
  "src/main.rs",
];

const PEERS = new URL("../bench/peers/", import.meta.url);
const EXE = WINDOWS ? ".exe" : "";

/** Installs the packages of npm, by Deno; gives the reason if it cannot. */
async function installPackages(): Promise<string | undefined> {
  const dir = new URL("bench/", ROOT);
  await Deno.mkdir(dir, { recursive: true });
  const write = (name: string, content: object): Promise<void> =>
    Deno.writeTextFile(new URL(name, dir), JSON.stringify(content));
  await write("package.json", { private: true, dependencies: PACKAGES });
  // Without this Deno would go by the deno.json of this repository.
  await write("deno.json", { nodeModulesDir: "auto", lock: false });
  const { success, reason } = await run(Deno.execPath(), ["install"], dir);
  return success ? undefined : reason;
}

/** Builds the contender in Go; gives the reason if it cannot. */
async function buildGo(): Promise<string | undefined> {
  const go = await findGo();
  if (go === undefined) return "there is no Go toolchain";
  const dir = new URL("build/bench-go/", ROOT);
  await Deno.mkdir(dir, { recursive: true });
  await Deno.copyFile(new URL("go/main.go", PEERS), new URL("main.go", dir));
  await Deno.writeTextFile(
    new URL("go.mod", dir),
    ["module bench", "go 1.24", ...GO_MODULES.map((it) => `require ${it}`)]
      .join("\n"),
  );
  const { success, reason } = await run(go, [
    ...["build", "-mod=mod", "-trimpath", "-ldflags=-s -w"],
    ...["-o", pathOf(binary("bench-go")), "."],
  ], dir);
  if (!success) return reason;
  await Deno.remove(dir, { recursive: true });
  return undefined;
}

/** Builds the contender in Rust; gives the reason if it cannot. */
async function buildTonic(): Promise<string | undefined> {
  const dir = new URL("build/bench-tonic/", ROOT);
  await Deno.mkdir(new URL("src/", dir), { recursive: true });
  // What cargo writes beside its manifest is not for the repository.
  for (const path of TONIC_SOURCES) {
    await Deno.copyFile(
      new URL(`tonic/${path}`, PEERS),
      new URL(path, dir),
    );
  }
  const args = ["build", "--release", "--quiet", "--target-dir", "target"];
  const { success, reason } = await run("cargo", args, dir);
  if (!success) return reason;
  await Deno.copyFile(
    new URL(`target/release/bench-tonic${EXE}`, dir),
    binary("bench-tonic"),
  );
  // Not before: what took too long goes on from there the next time.
  await Deno.remove(dir, { recursive: true });
  return undefined;
}

async function main(): Promise<void> {
  await Deno.mkdir(new URL("bin/", ROOT), { recursive: true });
  const manifest = await readManifest();
  await install(manifest, "bench-npm", {
    of: Object.entries(PACKAGES).map((it) => it.join("@")).join(" "),
    by: installPackages,
    file: new URL("bench/node_modules/", ROOT),
  });
  const [module, protobuf] = GO_MODULES.map((it) => it.replace(" ", "@"));
  await install(manifest, "bench-go", {
    of: `${module} ${protobuf} ${await digestOf(PEERS, ["go/main.go"])}`,
    by: buildGo,
    file: binary("bench-go"),
  });
  const sources = TONIC_SOURCES.map((path) => `tonic/${path}`);
  await install(manifest, "bench-tonic", {
    of: `tonic@${TONIC} ${await digestOf(PEERS, sources)}`,
    by: buildTonic,
    file: binary("bench-tonic"),
  });
  console.log(
    "h2load is used where it is on the PATH: nghttp2-client has it on Debian",
  );
}

if (import.meta.main) await main();
