/**
 * The programs that `deno task fleet` starts: servers, proxies and clients.
 *
 * @module
 */

import { tool } from "../_testdata/tools.ts";

/** A program that serves the calls, or that calls; null if it is not here. */
export interface Program {
  readonly name: string;
  readonly command: string | null;
  readonly args: readonly string[];
}

const DENO = ["run", "--no-prompt", "--allow-net"];

/** The HTTP/2 engine of our side. */
const ENGINE = Deno.args.filter((it) => it.startsWith("--engine="));

/** Where `deno task interop:tools` unpacks the packages of Debian. */
const DEBIAN = new URL("../.tools/debian", import.meta.url).pathname;

/** Where it unpacks the package of Python that has Envoy. */
const WHEEL = new URL("../.tools/envoy/envoy/_bin", import.meta.url).pathname;

/** The servers. */
export const SERVERS: readonly Program[] = [
  {
    name: "ours",
    command: Deno.execPath(),
    args: [...DENO, "interop/fleet_server.ts", ...ENGINE],
  },
  { name: "grpc-go", command: tool("fleet-server"), args: [] },
  {
    name: "grpc-js",
    command: Deno.execPath(),
    args: [
      ...["run", "--no-prompt", "-A", "_testdata/run_peer.ts"],
      "../interop/peers/fleet_grpc_js.mjs",
    ],
  },
];

/** A proxy, with its configuration for a fleet of four servers. */
export interface Proxy extends Omit<Program, "args"> {
  /** The file in `examples/fleet/`. */
  readonly example: string;
  /** How it is started with a configuration, and a folder for what it writes. */
  argsFor(file: string, dir: string): readonly string[];
}

const NGINX: Proxy = {
  name: "nginx",
  command: which("nginx"),
  example: "nginx.conf",
  argsFor: (file, dir) => ["-p", dir, "-e", `${dir}/nginx.log`, "-c", file],
};

const HAPROXY: Proxy = {
  name: "HAProxy",
  command: which("haproxy"),
  example: "haproxy.cfg",
  argsFor: (file) => ["-q", "-db", "-f", file],
};

const ENVOY: Proxy = {
  name: "Envoy",
  command: which("envoy"),
  example: "envoy.yaml",
  argsFor: (file) => ["-l", "off", "--use-dynamic-base-id", "-c", file],
};

/** The proxies: the system's own, or those that were unpacked. */
export const PROXIES: readonly Proxy[] = [NGINX, HAPROXY];

/** Those that `examples/fleet/` has configurations for. */
export const FLEET_PROXIES: readonly Proxy[] = [...PROXIES, ENVOY];

/** Finds a proxy. */
function which(name: string): string | null {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  // Servers are not on everybody's path.
  folders.push("/usr/sbin", "/usr/local/sbin", `${DEBIAN}/usr/sbin`, WHEEL);
  return folders.map((folder) => `${folder}/${name}`).find(isThere) ?? null;
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** What the programs that were unpacked need to find their libraries. */
function libraries(): Record<string, string> {
  const folders = ["lib", "usr/lib"].flatMap((lib) =>
    isThere(`${DEBIAN}/${lib}`)
      ? [...Deno.readDirSync(`${DEBIAN}/${lib}`)]
        .filter(({ name }) => name.endsWith("-linux-gnu"))
        .map(({ name }) => `${DEBIAN}/${lib}/${name}`)
      : []
  );
  return { LD_LIBRARY_PATH: folders.join(":") };
}

/** What a running program has to do with the outside. */
export interface Running {
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

/** After how long a program that was asked to end is killed. */
const STOP_MS = 15_000;

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGTERM");
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof TypeError)) throw error;
  }
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await child.status;
  clearTimeout(timer);
}

/** Starts a server; resolves when it listens. */
export async function startServer(
  server: Program,
  port: number,
  options: Readonly<Record<string, number>> = {},
): Promise<Running> {
  const dash = server.name === "grpc-go" ? "-" : "--";
  const child = new Deno.Command(server.command!, {
    args: [
      ...server.args,
      `${dash}port=${port}`,
      ...Object.entries(options).map(([key, value]) =>
        `${dash}${key}=${value}`
      ),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  if (done) throw new Error(`The server of ${server.name} does not start`);
  const rest = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    async stop(): Promise<void> {
      await end(child);
      await rest;
    },
  };
}

/** Where a proxy listens, and where the servers behind it do. */
export interface ProxyPorts {
  readonly port: number;
  readonly upstreams: readonly number[];
}

/**
 * Starts a proxy in front of two servers.
 *
 * It knows of a server that does not listen, and of nothing else: no call is
 * sent twice.
 *
 * @param dir Where its files go.
 */
export function startProxy(
  proxy: Proxy,
  dir: string,
  { port, upstreams }: ProxyPorts,
): Promise<Running> {
  const conf = proxy === NGINX
    ? nginxConf(dir, port, upstreams)
    : haproxyConf(port, upstreams);
  return runProxy(proxy, { dir, conf, port });
}

/**
 * Starts a proxy in front of four servers, as `examples/fleet/` has it: the
 * ports alone are others than 50050, and 50051 and so on.
 *
 * @param dir Where its files go.
 */
export async function startFleetProxy(
  proxy: Proxy,
  dir: string,
  { port, upstreams }: ProxyPorts,
): Promise<Running> {
  const example = await Deno.readTextFile(`examples/fleet/${proxy.example}`);
  const ports = [port, ...upstreams];
  const conf = example.replaceAll(
    /\b5005([0-4])\b/g,
    (_, digit) => `${ports[Number(digit)]}`,
  );
  return await runProxy(proxy, { dir, conf, port });
}

async function runProxy(
  proxy: Proxy,
  { dir, conf, port }: { dir: string; conf: string; port: number },
): Promise<Running> {
  const file = `${dir}/${proxy.example}`;
  await Deno.writeTextFile(file, conf);
  const child = new Deno.Command(proxy.command!, {
    args: [...proxy.argsFor(file, dir)],
    env: proxy.command!.startsWith(DEBIAN) ? libraries() : {},
    stdout: "null",
    stderr: "null",
  }).spawn();
  await untilListening(port);
  return { stop: () => end(child) };
}

function nginxConf(
  dir: string,
  port: number,
  upstreams: readonly number[],
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  return `
daemon off;
pid ${dir}/nginx.pid;
error_log ${dir}/nginx.log info;
events {}
http {
  access_log off;
  ${temporary.map((it) => `${it}_temp_path ${dir}/${it};`).join(" ")}
  upstream fleet {
    ${upstreams.map((it) => `server 127.0.0.1:${it} max_fails=0;`).join(" ")}
    keepalive 32;
  }
  server {
    listen 127.0.0.1:${port} http2;
    keepalive_requests 10000000;
    location / { grpc_pass grpc://fleet; }
  }
}
`;
}

function haproxyConf(port: number, upstreams: readonly number[]): string {
  return `
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
  option redispatch
frontend front
  bind 127.0.0.1:${port} proto h2
  default_backend fleet
backend fleet
  default-server check inter 200ms fall 1 rise 1 proto h2
${upstreams.map((it) => `  server s${it} 127.0.0.1:${it}`).join("\n")}
`;
}

/** How often what came of the calls of a client. */
export type Outcomes = ReadonlyMap<string, number>;

/**
 * What clients say of calls that they have not sent: hyper, below tonic, drops
 * what it has not written yet when GOAWAY comes, and ghz counts what grpc-go
 * then sends on the next connection. No server can do anything about it.
 */
export const UNSENT: readonly string[] = [
  "Cancelled: operation was canceled",
  "rpc error: code = Unavailable desc = the connection is draining",
];

/** A client that calls until it is asked for the outcomes. */
export interface Load {
  finish(): Promise<Outcomes>;
}

/** What a client does. */
export interface LoadOptions {
  /** The port, or those of several servers, which are called in turn. */
  readonly port: number | readonly number[];
  /** How many workers call, one call after another. */
  readonly workers: number;
  /** How long a call may take; as long as it does, if undefined. */
  readonly deadlineMs?: number;
  /** How many other calls are cancelled in a second. */
  readonly cancelsPerSecond?: number;
  /** Whether calls that fail are tried again. */
  readonly retry?: boolean;
}

/** A client. */
export interface LoadProgram {
  readonly name: string;
  readonly isHere: boolean;
  start(options: LoadOptions): Load;
}

const GHZ = tool("ghz");
const FLEET_CLIENT = tool("fleet-client");

/** The clients. */
export const CLIENTS = {
  ours: {
    name: "our client",
    isHere: true,
    start: ({ port, workers, deadlineMs, cancelsPerSecond, retry = false }) =>
      startLoad(Deno.execPath(), [
        ...[...DENO, "interop/fleet_client.ts"],
        `--target=${[port].flat().map((it) => `127.0.0.1:${it}`).join()}`,
        `--workers=${workers}`,
        ...(retry ? ["--retry"] : []),
        `--deadline_ms=${deadlineMs ?? 0}`,
        `--cancels_per_second=${cancelsPerSecond ?? 0}`,
        ...ENGINE,
      ]),
  },
  tonic: {
    name: "tonic",
    isHere: FLEET_CLIENT !== null,
    start: ({ port, workers }) =>
      startLoad(FLEET_CLIENT!, [`127.0.0.1:${port}`, `${workers}`]),
  },
  ghz: { name: "ghz", isHere: GHZ !== null, start: startGhz },
} as const satisfies Readonly<Record<string, LoadProgram>>;

/** A client that tells its outcomes, line by line, when its input ends. */
function startLoad(command: string, args: readonly string[]): Load {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  return {
    async finish(): Promise<Outcomes> {
      await child.stdin.close();
      const { stdout, success } = await child.output();
      if (!success) throw new Error(`Client failed: ${command}`);
      return new Map(
        new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
          const [count, outcome] = line.split("\t");
          return [outcome!, Number(count)];
        }),
      );
    },
  };
}

/** What ghz reports; it counts what was retried transparently as if it were lost. */
interface GhzReport {
  readonly count: number;
  readonly errorDistribution?: Readonly<Record<string, number>>;
}

function startGhz({ port, workers, deadlineMs }: LoadOptions): Load {
  const child = new Deno.Command(GHZ!, {
    args: [
      ...["--insecure", "-i", "interop/proto"],
      ...["--proto", "interop/proto/grpc/testing/test.proto"],
      ...["--call", "grpc.testing.TestService/UnaryCall", "-d", "{}"],
      ...["-c", `${workers}`, "-z", "600s", "--duration-stop=wait"],
      ...(deadlineMs === undefined ? [] : ["-t", `${deadlineMs}ms`]),
      ...["-O", "json", `127.0.0.1:${port}`],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  return {
    async finish(): Promise<Outcomes> {
      child.kill("SIGINT");
      const { stdout } = await child.output();
      const report: GhzReport = JSON.parse(new TextDecoder().decode(stdout));
      const errors = Object.entries(report.errorDistribution ?? {});
      const failed = errors.reduce((sum, [, count]) => sum + count, 0);
      return new Map([["OK", report.count - failed], ...errors]);
    },
  };
}

/** Waits until something listens on a port. */
async function untilListening(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    try {
      using _ = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error(`Nothing listens on port ${port}`);
}
