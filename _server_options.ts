/**
 * What a server can be told: how to serve, where to listen, and for how long.
 *
 * @module
 */

import { isPromiseLike, show } from "./core/_describe.ts";
import {
  checkBoolean,
  checkClock,
  checkDetailsCodec,
  checkFunction,
  checkOptions,
  checkTimes,
  type OptionNames,
  wrongType,
} from "./core/_options.ts";
import type { Clock } from "./core/clock.ts";
import type { Codec } from "./core/codec.ts";
import type { Configuration, ConfigurationOptions } from "./core/config.ts";
import type { Peer } from "./core/peer.ts";
import type { StatusDetailsCodec } from "./core/status_details.ts";
import type { ServerTLSOptions } from "./core/tls.ts";
import type { RefusalReason } from "./_call/server/host.ts";
import type { Compression } from "./_wire/compression.ts";
import type { HTTP2Engine } from "./_http2/engine.ts";
import type { ListenOptions } from "./_http2/server/acceptor.ts";

/** Where a handler failed. */
export interface HandlerErrorInfo {
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly methodName: string;
  /** The client that called. */
  readonly peer: Peer;
}

/** Why a call was refused, and which. */
export interface RefusedCallInfo {
  /**
   * `"calls"`: too many run, or wait; `"memory"`: too much is held for the
   * client; `"delay"`: the event loop is late; `"time"`: nothing came of an
   * unfinished request for `requestTimeoutMs`.
   */
  readonly reason: RefusalReason;
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly methodName: string;
  /** The client that called. */
  readonly peer: Peer;
}

/** Options for {@linkcode Server}. */
export interface ServerOptions {
  /**
   * Makes bytes of messages and messages of bytes. Of several codecs a client
   * chooses one by the content type of its requests.
   *
   * @default {new ProtoCodec()}
   */
  readonly codec?: Codec | readonly Codec[];
  /**
   * Makes bytes of the details of a status, and details of bytes; `null` for
   * none.
   *
   * @default {new ProtoStatusDetailsCodec()}
   */
  readonly statusDetailsCodec?: StatusDetailsCodec | null;
  /**
   * How replies are compressed, for clients that accept it. Requests are
   * decompressed in any case.
   *
   * @default {"identity"} not at all
   */
  readonly compression?: Compression;
  /**
   * Window sizes, message limits and the like.
   *
   * @default {new Configuration()}
   */
  readonly config?: Configuration | ConfigurationOptions;
  /**
   * Told what a handler threw that is no {@linkcode GRPCError}. The client sees
   * `UNKNOWN` and not a word of it. What this throws itself, or rejects with,
   * goes to the console, with what it was told.
   *
   * @default writes it to the console
   */
  readonly onError?: (error: unknown, info: HandlerErrorInfo) => void;
  /**
   * Told of a connection that is not served, and why: it failed in the TLS
   * handshake, because the client does not speak TLS, or does not trust the
   * certificate, or shows none; or `maxConnections` or
   * `maxConnectionsPerAddress` allowed no more. Told of one, too, whose client
   * does not speak HTTP/2, or breaks its rules, and that was ended because of too
   * many PINGs or resets, or of headers that are too large. Told, too, when the
   * process has no file descriptor left for connections (`EMFILE`): then the peer
   * is the address that the server listens on. What it throws, or rejects with,
   * is ignored.
   *
   * @default {undefined} nobody is told
   */
  readonly onConnectionError?: (error: Error, peer: Peer) => void;
  /**
   * Told of each call that was refused, or ended, to protect the server: at once,
   * so that it should only count. {@linkcode Server.refusedCalls} is how many.
   * What it throws, or rejects with, is ignored.
   *
   * @default {undefined} nobody is told
   */
  readonly onRefusedCall?: (info: RefusedCallInfo) => void;
  /**
   * The implementation of HTTP/2: `"node"` is `node:http2` of the runtime,
   * `"native"` the library's own, which is faster and knows fewer ceilings.
   *
   * @default {"node"}
   */
  readonly http2?: HTTP2Engine;
  /**
   * Whether handlers run inside the call that they serve: calls that they make
   * on channels with `propagation` then take over its deadline and its
   * cancellation, and `currentCall()` gives it.
   *
   * @default {false}
   */
  readonly propagation?: boolean;
  /**
   * What deadlines, keepalive and the ages of connections go by, for tests.
   *
   * @default {undefined} the clock of the system
   */
  readonly clock?: Clock;
}

/** Options for {@linkcode Server.start}. */
export interface StartOptions {
  /**
   * The path of a unix socket to listen on, in place of a host and port. One
   * that begins with NUL is a name in the abstract namespace of Linux, which
   * has no file. The file of a server that is gone is replaced, and the server
   * removes its own in the end.
   *
   * On Deno it takes `--allow-net=unix:/path`, and `--allow-read` and
   * `--allow-write` for the path; an abstract name takes `--allow-net`.
   *
   * @default {undefined} for a host and port
   */
  readonly path?: string;
  /**
   * The permission bits of the file of a unix socket: who may write may connect.
   * They are set as soon as the socket is there, whatever the umask says; with a
   * umask of 0 somebody else may be faster, if the folder is not private.
   *
   * @default {0o600} the owner alone
   */
  readonly mode?: number;
  /**
   * The file descriptor of a socket that listens already, such as one of
   * systemd's socket activation, in place of a host and port.
   *
   * @default {undefined} for a host and port
   */
  readonly fd?: number;
  /**
   * Encrypts connections, with the server's certificate and key; with a `ca`
   * clients have to show certificates too.
   *
   * @default {undefined} for connections in plain text
   */
  readonly tls?: ServerTLSOptions;
  /**
   * How many connections may wait to be accepted.
   *
   * @default {511}
   */
  readonly backlog?: number;
  /**
   * Whether the address `::` takes no IPv4 connections. On Deno the port is
   * taken for IPv4 nevertheless, and such connections are closed at once.
   *
   * @default {false}
   */
  readonly ipv6Only?: boolean;
  /**
   * Whether other processes may listen on the same port, if they ask for it as
   * well. On Linux the system spreads connections over them, so that a program
   * that is started several times uses several cores.
   *
   * @default {false}
   */
  readonly reusePort?: boolean;
}

/** Options for {@linkcode Server.close}. */
export interface CloseOptions {
  /**
   * How long the server goes on as before, in milliseconds, while its health
   * service says `NOT_SERVING`, so that load balancers send their calls
   * elsewhere in time.
   *
   * @default {0}
   */
  readonly drainMs?: number;
  /**
   * How long running calls may go on after that, in milliseconds. Then their
   * signals abort and their clients see `UNAVAILABLE`.
   *
   * @default {0}
   */
  readonly graceMs?: number;
}

/**
 * Makes a callback that never fails, neither at once nor by a promise: a call or
 * a server goes on whatever becomes of what it tells.
 *
 * @param callback The callback, if there is one.
 * @param otherwise Told what it threw, and what it was told.
 */
export function unfailing<A extends readonly unknown[]>(
  callback: ((...told: A) => unknown) | undefined,
  otherwise: (failure: unknown, ...told: A) => void = () => {},
): (...told: A) => void {
  return (...told) => {
    try {
      const result = callback?.(...told);
      if (!isPromiseLike(result)) return;
      Promise.resolve(result).catch((failure) => otherwise(failure, ...told));
    } catch (failure) {
      otherwise(failure, ...told);
    }
  };
}

const SERVER_OPTIONS: OptionNames<ServerOptions> = {
  codec: true,
  statusDetailsCodec: true,
  compression: true,
  config: true,
  onError: true,
  onConnectionError: true,
  onRefusedCall: true,
  clock: true,
  http2: true,
  propagation: true,
};

const START_OPTIONS: OptionNames<StartOptions> = {
  path: true,
  mode: true,
  fd: true,
  tls: true,
  backlog: true,
  ipv6Only: true,
  reusePort: true,
};

const CLOSE_OPTIONS: OptionNames<CloseOptions> = {
  drainMs: true,
  graceMs: true,
};

/**
 * Throws unless the options of a server are what they should be, as far as
 * nobody else looks.
 */
export function checkServerOptions(options: ServerOptions): void {
  const action = "Cannot create server";
  checkOptions(action, options, SERVER_OPTIONS);
  checkDetailsCodec(action, options.statusDetailsCodec);
  checkFunction(action, "onError", options.onError);
  checkFunction(action, "onConnectionError", options.onConnectionError);
  checkFunction(action, "onRefusedCall", options.onRefusedCall);
  checkBoolean(action, "propagation", options.propagation);
  checkClock(action, options.clock);
}

/** Gives the times of a close, once they are checked. */
export function closeTimesOf(options: CloseOptions): Required<CloseOptions> {
  const action = "Cannot close server";
  checkOptions(action, options, CLOSE_OPTIONS);
  const { drainMs = 0, graceMs = 0 } = options;
  const times = { drainMs, graceMs };
  checkTimes(action, times);
  return times;
}

/** Where to listen, and how, once it is checked. */
export function listenOptionsOf(
  host: string | undefined,
  port: number | undefined,
  options: StartOptions,
): ListenOptions {
  const action = "Cannot start server";
  checkOptions(action, options, START_OPTIONS);
  const { path, mode, fd, backlog } = options;
  checkBoolean(action, "ipv6Only", options.ipv6Only);
  checkBoolean(action, "reusePort", options.reusePort);
  check("port", port, 0, 65535);
  check("mode", mode, 0, 0o777);
  check("fd", fd, 0);
  check("backlog", backlog, 1);
  if (host !== undefined && typeof host !== "string") {
    throw wrongType(action, "host", "a string", host);
  }
  if (
    path !== undefined &&
    !(typeof path === "string" && /^\0?[^\0]+$/.test(path))
  ) {
    throw new TypeError(
      `${action}: path must be the path of a unix socket, received ${
        show(path)
      }`,
    );
  }
  // Port 0 says nothing: it may stand before the options.
  const places = [
    host !== undefined || !!port,
    path !== undefined,
    fd !== undefined,
  ];
  if (places.filter(Boolean).length > 1) {
    throw new TypeError(
      "Cannot start server: it listens on a host and port, or a path, or an fd, received more than one of them",
    );
  }
  if (mode !== undefined && (path === undefined || path.startsWith("\0"))) {
    throw new TypeError(`${action}: mode needs a path that has a file`);
  }
  // An address may stand in brackets, as in a URL.
  const bare = host !== undefined && /^\[.*\]$/.test(host)
    ? host.slice(1, -1)
    : host;
  return { ...options, host: bare, port };
}

function check(
  name: string,
  value: number | undefined,
  min: number,
  max = 2 ** 31 - 1,
): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const ErrorClass = typeof value === "number" ? RangeError : TypeError;
  throw new ErrorClass(
    `Cannot start server: ${name} must be an integer from ${min} to ${max}, received ${
      show(value)
    }`,
  );
}
