/**
 * Runs the official interoperability cases over a matrix of clients and
 * servers, in plain text and with TLS, on both HTTP/2 engines or on that of
 * `--engine`:
 *
 *     deno task interop:tools   installs the foreign ones
 *     deno task interop         runs it; --report writes docs/conformance.md
 *
 * A peer that is not installed is told in one line, and its rows are left out.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { Authority } from "../_testdata/certificates.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";
import { python, tool, versionOf } from "../_testdata/tools.ts";
import { engineArgs, enginesOf } from "./engine_option.ts";
import { report, table } from "./report.ts";

/** Where a server listens, and what clients need to trust it. */
interface Address {
  readonly port: number;
  readonly caFile: string | undefined;
}

/** A program, and the cases that it has. */
interface Peer {
  readonly name: string;
  readonly command: string | null;
  readonly args: readonly string[];
  readonly cases: readonly string[];
}

/** The cases that every peer has. */
const COMMON = [
  ...["empty_unary", "large_unary", "client_streaming", "server_streaming"],
  ...["ping_pong", "empty_stream", "custom_metadata"],
  ...["status_code_and_message", "special_status_message"],
  ...["unimplemented_method", "unimplemented_service", "cancel_after_begin"],
  ...["cancel_after_first_response", "timeout_on_sleeping_server", "rpc_soak"],
];

const COMPRESSED_REPLIES = [
  ...["server_compressed_unary", "server_compressed_streaming"],
];

const COMPRESSED_REQUESTS = [
  ...["client_compressed_unary", "client_compressed_streaming"],
];

/** Those that are ours alone, or that other servers need nothing for. */
const MORE = [
  ...["channel_soak", "per_rpc_creds", "many_large_unary", "client_pushback"],
  ...["server_pushback", "large_metadata", "cancel_before_start"],
];

const DENO = ["run", "--no-prompt", "--allow-net", "--allow-read"];

/** Our machine may be busy, and no time is a matter of interoperability. */
const SOAK = [
  "--soak_per_iteration_max_acceptable_latency_ms=20000",
  "--soak_overall_timeout_seconds=60",
];

/** One of the programs of this library, on an engine. */
function ours(program: "client" | "server", engine: HTTP2Engine): Peer {
  return {
    name: `grpclib for Deno, ${engine}`,
    command: Deno.execPath(),
    args: [
      ...[...DENO, ...engineArgs(engine), `interop/${program}.ts`],
      ...(program === "client" ? SOAK : []),
    ],
    cases: [
      ...[...COMMON, ...MORE, "pick_first_unary"],
      ...[...COMPRESSED_REPLIES, ...COMPRESSED_REQUESTS],
    ],
  };
}

/** grpc-js, under Node where there is one. */
const GRPC_JS = [
  ...["run", "--no-prompt", "-A", "_testdata/run_peer.ts"],
  "../interop/peers/grpc_js.mjs",
];

const CLIENTS: readonly Peer[] = [
  {
    name: "grpc-js",
    command: Deno.execPath(),
    args: [...GRPC_JS, "client"],
    cases: COMMON,
  },
  {
    name: "grpc-go",
    command: tool("interop-client"),
    args: [],
    cases: [...COMMON, "channel_soak", "pick_first_unary"],
  },
  {
    name: "grpcio",
    command: python(),
    args: ["interop/peers/grpcio_client.py"],
    cases: [...COMMON, ...COMPRESSED_REPLIES, "client_compressed_unary"],
  },
  {
    name: "grpclib for Python",
    command: python(),
    args: ["interop/peers/grpclib_client.py"],
    cases: COMMON,
  },
];

const SERVERS: readonly Peer[] = [
  {
    name: "grpc-go",
    command: tool("interop-server"),
    args: [],
    // It looks at no compression.
    cases: [...COMMON, ...MORE],
  },
  {
    name: "grpc-js",
    command: Deno.execPath(),
    args: [...GRPC_JS, "server"],
    cases: [...COMMON, ...MORE],
  },
  {
    name: "grpcio",
    command: python(),
    args: ["interop/peers/grpcio_server.py"],
    // It cannot see whether a request came compressed.
    cases: [...COMMON, ...MORE, ...COMPRESSED_REPLIES],
  },
  {
    name: "grpclib for Python",
    command: python(),
    args: ["interop/peers/grpclib_server.py"],
    // It answers an unknown path without a content-type.
    cases: [...COMMON, ...MORE].filter((name) =>
      !name.startsWith("unimplemented_")
    ),
  },
];

/** What came of one row of the matrix. */
interface Row {
  readonly client: string;
  readonly server: string;
  readonly secure: boolean;
  readonly passed: number;
  readonly failures: readonly string[];
}

/** How long one client may take for all of its cases. */
const LIMIT_MS = 120_000;

async function output(command: string, args: string[]): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(command, {
    args,
    signal: AbortSignal.timeout(LIMIT_MS),
  }).output();
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout) + decoder.decode(stderr);
  return success ? text : `${text}\nexit code not 0`;
}

/** Runs the cases of a client, and gives what failed. */
async function runClient(
  client: Peer,
  cases: readonly string[],
  { port, caFile }: Address,
): Promise<string[]> {
  if (client.name === "grpc-go") {
    // One case a run: so some at a time.
    const failures: string[] = [];
    for (const name of cases) {
      const text = await output(client.command!, [
        ...["-server_host=localhost", `-server_port=${port}`],
        `-test_case=${name}`,
        ...(caFile === undefined
          ? []
          : ["-use_tls", "-use_test_ca", `-ca_file=${caFile}`]),
      ]);
      if (text.includes("exit code not 0")) {
        failures.push(`${name}: ${text.trim().split("\n").at(-2)}`);
      }
    }
    return failures;
  }
  const text = await output(client.command!, [
    ...client.args,
    ...["--server_host=localhost", `--server_port=${port}`],
    `--test_case=${cases.join()}`,
    ...(caFile === undefined ? [] : ["--use_tls=true", `--ca_file=${caFile}`]),
  ]);
  const ok = new Set(
    [...text.matchAll(/^ok (\w+)$/gm)].map(([, name]) => name),
  );
  return cases.filter((name) => !ok.has(name)).map((name) =>
    text.split("\n").find((line) => line.startsWith(`FAILED ${name}:`)) ??
      `${name}: no result`
  );
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

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Runs clients against a server. */
async function runServer(
  server: Peer,
  clients: readonly Peer[],
  files: Files | undefined,
): Promise<Row[]> {
  const port = freePort();
  const dash = server.name === "grpc-go" ? "-" : "--";
  const child = new Deno.Command(server.command!, {
    args: [
      ...server.args,
      `${dash}port=${port}`,
      ...(files === undefined ? [] : [
        ...(server.args.at(-1)?.endsWith(".py") ? [] : [`${dash}use_tls=true`]),
        `${dash}tls_cert_file=${files.cert}`,
        `${dash}tls_key_file=${files.key}`,
      ]),
    ],
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    await untilListening(port);
    const rows: Row[] = [];
    for (const client of clients) {
      if (client.command === null) continue;
      const cases = client.cases.filter((name) => server.cases.includes(name));
      const address = { port, caFile: files?.ca };
      const failures = await runClient(client, cases, address);
      const row: Row = {
        client: client.name,
        server: server.name,
        secure: files !== undefined,
        passed: cases.length - failures.length,
        failures,
      };
      rows.push(row);
      const wire = row.secure ? "TLS" : "plaintext";
      console.log(
        `${row.client} → ${row.server}, ${wire}: ${row.passed} of ${cases.length}`,
      );
      for (const failure of failures) console.log(`  ${failure}`);
    }
    return rows;
  } finally {
    // Not SIGKILL, which a program that runs another could not pass on.
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 3_000);
    await child.status;
    clearTimeout(timer);
  }
}

/** The files of a certificate, its key, and who signed it. */
interface Files {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

async function makeFiles(dir: string): Promise<Files> {
  const authority = new Authority();
  const { cert, key } = authority.issue({
    commonName: "localhost",
    hosts: ["localhost", "127.0.0.1"],
  });
  const texts = { cert, key, ca: authority.cert };
  const files = { cert: "", key: "", ca: "" };
  for (const name of ["cert", "key", "ca"] as const) {
    files[name] = `${dir}/${name}.pem`;
    await Deno.writeTextFile(files[name], texts[name]);
  }
  return files;
}

/** The version of grpc-js, as the lock file has it. */
async function grpcJs(): Promise<string> {
  const lock = await Deno.readTextFile("deno.lock");
  return /"(@grpc\/grpc-js@[0-9.]+)"/.exec(lock)?.[1] ?? "@grpc/grpc-js";
}

async function main(args: readonly string[]): Promise<number> {
  for (const { name, command } of [...CLIENTS, ...SERVERS]) {
    if (command === null) {
      console.log(`Skipped: no ${name} (deno task interop:tools)`);
    }
  }
  const dir = await Deno.makeTempDir({ prefix: "grpclib_interop_" });
  const rows: Row[] = [];
  try {
    const files = await makeFiles(dir);
    for (const engine of enginesOf(args)) {
      const client = ours("client", engine);
      for (const server of [ours("server", engine), ...SERVERS]) {
        if (server.command === null) continue;
        const clients = SERVERS.includes(server)
          ? [client]
          : [client, ...CLIENTS];
        rows.push(...await runServer(server, clients, undefined));
        rows.push(...await runServer(server, clients, files));
      }
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
  if (args.includes("--report")) {
    const peers = [versionOf("interop-server"), versionOf("python")]
      .filter((version) => version !== undefined)
      .join(", ");
    await report(
      "interop",
      `${
        table([
          ["client", "server", "wire", "passed", "failed"],
          ...rows.map(({ client, server, secure, passed, failures }) => [
            client,
            server,
            secure ? "TLS" : "plaintext",
            `${passed}`,
            `${failures.length}`,
          ]),
        ])
      }\n\nPeers: ${await grpcJs()}, ${peers}.`,
    );
  }
  const passed = rows.reduce((sum, row) => sum + row.passed, 0);
  const failed = rows.reduce((sum, row) => sum + row.failures.length, 0);
  console.log(`${passed} passed, ${failed} failed`);
  return failed > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
