/**
 * The yardstick: a server and a client of plain `node:http2` that put the same
 * frames on the wire as a unary call, and do nothing else: no codec, no
 * deadline, no status, no limits.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import process from "node:process";
import {
  type BenchClient,
  expectLength,
  payloadOf,
  type Settings,
  TEXT,
  Unsupported,
} from "./contender.ts";

const WINDOW_BYTES = 4 * 1024 * 1024;

/** Keeps Deno from dying of GOAWAY. */
export function harden(session: http2.Http2Session): void {
  const { close, destroy } = session;
  session.close = () => process.nextTick(() => close.call(session));
  session.destroy = (...args) =>
    process.nextTick(() => destroy.apply(session, args));
  session.on("error", () => {});
}

/** The frame of a message with one field of type string or bytes. */
function frameOf(value: Uint8Array): Buffer {
  const head = [10];
  for (let rest = value.length;; rest >>>= 7) {
    head.push(rest > 127 ? rest & 127 | 128 : rest);
    if (rest <= 127) break;
  }
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(head.length + value.length, 1);
  return Buffer.concat([prefix, Buffer.from(head), value]);
}

function answer(stream: http2.ServerHttp2Stream): void {
  const chunks: Buffer[] = [];
  stream.on("error", () => {});
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  stream.on("end", () => {
    stream.respond(
      { ":status": 200, "content-type": "application/grpc+proto" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => {
      stream.sendTrailers({ "grpc-status": "0" });
    });
    const [first] = chunks;
    stream.end(chunks.length === 1 ? first : Buffer.concat(chunks));
  });
}

/** Starts a server that answers every stream with what it got. */
export function serve({ tls, gzip, listener }: Settings): Promise<number> {
  if (gzip || listener) throw new Unsupported("it knows no such thing");
  const options = { settings: { initialWindowSize: WINDOW_BYTES } };
  const server = tls
    ? http2.createSecureServer({ ...options, cert: tls.cert, key: tls.key })
    : http2.createServer(options);
  server.on("session", harden);
  server.on("stream", answer);
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => {
    resolve((server.address() as AddressInfo).port);
  });
  return promise;
}

const unary = frameOf(Buffer.from(TEXT));
const small = frameOf(payloadOf(4096));
const large = frameOf(payloadOf(1024 * 1024));

/** One connection to a server. */
class BareConnection {
  readonly #session: http2.ClientHttp2Session;

  constructor(port: number, { tls }: Settings) {
    this.#session = http2.connect(
      `${tls ? "https" : "http"}://127.0.0.1:${port}`,
      {
        ...(tls ? { ca: tls.ca } : {}),
        settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
      },
    );
    harden(this.#session);
  }

  /** Calls once, and tells the size of the answer. */
  call(path: string, frame: Buffer): Promise<number> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": path,
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-accept-encoding": "identity,gzip,deflate,zstd,br",
        "user-agent": "bare",
      });
      let complete = false;
      let length = 0;
      stream.on("response", () => {});
      stream.on("data", (chunk: Buffer) => length += chunk.length);
      stream.on("trailers", (trailers) => {
        complete = trailers["grpc-status"] === "0";
      });
      stream.on("error", reject);
      stream.on("close", () => {
        if (complete) resolve(length);
        else reject(new Error("Bare call ended without grpc-status 0"));
      });
      stream.end(frame);
    });
  }

  /** Closes the connection. */
  close(): void {
    this.#session.destroy();
  }
}

/** Makes a client. */
export function connect(
  port: number,
  settings: Settings,
): Promise<BenchClient> {
  if (settings.inMemory) throw new Unsupported("it has no wire in memory");
  const connection = new BareConnection(port, settings);
  const caller = (path: string, frame: Buffer, on = connection) => async () => {
    const length = await on.call(`/grpclib.bench.Bench/${path}`, frame);
    expectLength(length, frame.length);
  };
  return Promise.resolve({
    calls: {
      unary: caller("Unary", unary),
      bytes4k: caller("UnaryBytes", small),
      bytes1m: caller("UnaryBytes", large),
      async connect() {
        const once = new BareConnection(port, settings);
        await caller("Unary", unary, once)();
        once.close();
      },
    },
    streams: {},
    close: () => connection.close(),
  });
}
