/**
 * Who takes part, and how they are started.
 *
 * @module
 */

import { fromFileUrl } from "./paths.ts";
import { type Launch, Skipped } from "./child.ts";
import type { Settings } from "./peers/contender.ts";
import type { PeerOptions } from "./peers/peer.ts";
import { NODE, nodePackagesAreThere, program } from "./tools.ts";

/** What a process of a contender is to be. */
export type Role = PeerOptions["role"];

/** Somebody who takes part. */
export interface Contender {
  /** How it is chosen, such as `grpc-js`. */
  readonly name: string;
  /** What it is, in a few words. */
  readonly title: string;
  /** The checkout it is in, if it is this library. */
  readonly root?: URL;
  /** Whether it is compiled as it runs, and slow at first. */
  readonly isJit: boolean;
  /**
   * How to start a process of it.
   *
   * @throws {Skipped} If it is not here, or cannot do what it is asked to.
   */
  launch(start: Start): Launch;
}

/** What a process is started for. */
export interface Start {
  readonly role: Role;
  readonly port?: number;
  readonly settings: Settings;
  /** Flags of V8. */
  readonly v8Flags?: readonly string[];
}

/** The checkout that this file is in. */
export const ROOT: URL = new URL("../", import.meta.url);

const PEER = new URL("./peers/peer.ts", import.meta.url);
const HOOKS = new URL("./peers/node_hooks.mjs", import.meta.url);

/**
 * Has Deno make spans, of which those that are exported go nowhere: that is
 * another program's work, and one in a hundred.
 */
const TRACING = {
  OTEL_DENO: "true",
  OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9",
};

/** A contender in TypeScript or JavaScript. */
interface ScriptOptions {
  readonly name: string;
  readonly title: string;
  readonly module: string;
  readonly runtime?: "deno" | "node";
  /** The HTTP/2 engine of this library. */
  readonly http2?: string;
  /** The checkout of this library that is used. */
  readonly root?: URL;
}

/** A contender that runs `peer.ts`. */
function script(options: ScriptOptions): Contender {
  const { name, title, module, runtime = "deno", http2, root = ROOT } = options;
  return {
    name,
    title,
    ...(module === "./ours.ts" ? { root } : {}),
    isJit: true,
    launch({ role, port, settings, v8Flags = [] }) {
      if (module.endsWith(".mjs") && !nodePackagesAreThere()) {
        throw new Skipped("its packages are missing: deno task bench:tools");
      }
      const peer = JSON.stringify(
        {
          module,
          role,
          settings: { ...settings, ...(http2 === undefined ? {} : { http2 }) },
          ...(port === undefined ? {} : { port }),
        } satisfies PeerOptions,
      );
      if (runtime === "node") {
        if (settings.spans) throw new Skipped("the spans are Deno's");
        return {
          command: program(NODE),
          args: [
            ...["--disable-warning=ExperimentalWarning", ...v8Flags],
            ...["--import", HOOKS.href, fromFileUrl(PEER), peer],
          ],
          env: { GRPCLIB_ROOT: root.href },
        };
      }
      return {
        command: Deno.execPath(),
        args: [
          ...["run", "--quiet", "--no-prompt", "--allow-all"],
          // Bare specifiers mean what they mean in that checkout.
          `--config=${fromFileUrl(new URL("deno.json", root))}`,
          ...(v8Flags.length > 0 ? [`--v8-flags=${v8Flags.join(",")}`] : []),
          ...[PEER.href, peer],
        ],
        ...(settings.spans ? { env: TRACING } : {}),
      };
    },
  };
}

/** A contender in another language, with a program that is a peer by itself. */
function foreign(
  options: { name: string; title: string; tool: string; args?: string[] },
): Contender {
  const { name, title, tool, args = [] } = options;
  return {
    name,
    title,
    isJit: false,
    launch({ role, port, settings }) {
      const { tls, gzip, inMemory } = settings;
      if (role === "both" || tls || gzip || inMemory) {
        throw new Skipped("not made for this scenario");
      }
      return {
        command: program(tool),
        args: [...args, role, ...(port === undefined ? [] : [`${port}`])],
      };
    },
  };
}

/** Everybody. The first one of those chosen is what the others are compared with. */
export const CONTENDERS: readonly Contender[] = [
  script({
    name: "bare",
    title: "plain node:http2, no gRPC",
    module: "./bare.ts",
  }),
  script({
    name: "ours-native",
    title: "this library, its own HTTP/2",
    module: "./ours.ts",
    http2: "native",
  }),
  script({
    name: "ours-node",
    title: "this library, node:http2",
    module: "./ours.ts",
    http2: "node",
  }),
  script({ name: "grpc-js", title: "grpc-js", module: "./grpc_js.mjs" }),
  script({ name: "nice-grpc", title: "nice-grpc", module: "./nice_grpc.mjs" }),
  script({
    name: "connect-node",
    title: "connect-node",
    module: "./connect_node.mjs",
  }),
  script({
    name: "ours-native@node",
    title: "this library, its own HTTP/2, on Node",
    module: "./ours.ts",
    http2: "native",
    runtime: "node",
  }),
  script({
    name: "ours-node@node",
    title: "this library, node:http2, on Node",
    module: "./ours.ts",
    http2: "node",
    runtime: "node",
  }),
  script({
    name: "grpc-js@node",
    title: "grpc-js, on Node",
    module: "./grpc_js.mjs",
    runtime: "node",
  }),
  foreign({ name: "grpc-go", title: "grpc-go", tool: "bench-go" }),
  foreign({ name: "tonic", title: "tonic (Rust)", tool: "bench-tonic" }),
  foreign({
    name: "grpcio",
    title: "grpcio (Python)",
    tool: "python",
    args: [
      fromFileUrl(new URL("./peers/python/grpcio_peer.py", import.meta.url)),
    ],
  }),
  foreign({
    name: "grpclib",
    title: "grpclib (Python)",
    tool: "python",
    args: [
      fromFileUrl(new URL("./peers/python/grpclib_peer.py", import.meta.url)),
    ],
  }),
];

/** What the names of contenders in another checkout end with. */
export const BEFORE = ":before";

/** The name of a contender, in whatever checkout. */
export function nameOf({ name }: Contender): string {
  return name.endsWith(BEFORE) ? name.slice(0, -BEFORE.length) : name;
}

/** This library as it is in another checkout, for one that is here. */
export function contenderOf(root: URL, { name, title }: Contender): Contender {
  const isNode = name.endsWith("@node");
  return script({
    name: `${name}${BEFORE}`,
    title: `${title}, other checkout`,
    module: "./ours.ts",
    http2: name.includes("native") ? "native" : "node",
    runtime: isNode ? "node" : "deno",
    root,
  });
}
