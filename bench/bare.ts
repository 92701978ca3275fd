/**
 * The yardstick: a server and a client of plain `node:http2` that put the same
 * frames on the wire as a unary call, and do nothing else.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import type { AddressInfo, Socket } from "node:net";
import process from "node:process";

/** The frame of a request or reply with a string of 30 characters. */
const FRAME: Buffer = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 32, 10, 30]),
  Buffer.from("abcdefghijklmnopqrstuvwxyz0123"),
]);

const WINDOW_BYTES = 4 * 1024 * 1024;

// Without this the process would die of the first GOAWAY.
function harden(session: http2.Http2Session): void {
  const { close, destroy } = session;
  session.close = () => process.nextTick(() => close.call(session));
  session.destroy = (...args) =>
    process.nextTick(() => destroy.apply(session, args));
  session.on("error", () => {});
}

/** Starts a server that answers every stream with what it got. */
export function startBareServer(): Promise<number> {
  const server = http2.createServer({
    settings: { initialWindowSize: WINDOW_BYTES },
  });
  server.on("session", harden);
  server.on("stream", (stream) => {
    let body: Buffer;
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => body = chunk);
    stream.on("end", () => {
      stream.respond(
        { ":status": 200, "content-type": "application/grpc+proto" },
        { waitForTrailers: true },
      );
      stream.on("wantTrailers", () => {
        stream.sendTrailers({ "grpc-status": "0" });
      });
      stream.end(body);
    });
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  server.listen(0, "127.0.0.1", () => {
    resolve((server.address() as AddressInfo).port);
  });
  return promise;
}

/** A client of plain `node:http2`. */
export class BareClient {
  readonly #session: http2.ClientHttp2Session;

  constructor(port: number) {
    this.#session = http2.connect(`http://127.0.0.1:${port}`, {
      settings: { initialWindowSize: WINDOW_BYTES, enablePush: false },
    });
    harden(this.#session);
  }

  /** Calls once. */
  call(): Promise<void> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        ":method": "POST",
        ":path": "/grpclib.test.Echo/Unary",
        "te": "trailers",
        "content-type": "application/grpc",
        "grpc-accept-encoding": "identity,gzip,deflate,zstd,br",
        "user-agent": "bare",
      });
      let complete = false;
      stream.on("response", () => {});
      stream.on("data", () => {});
      stream.on("trailers", (trailers) => {
        complete = trailers["grpc-status"] === "0";
      });
      stream.on("error", reject);
      stream.on("close", () => {
        if (complete) resolve();
        else reject(new Error("Bare call ended without grpc-status 0"));
      });
      stream.end(FRAME);
    });
  }

  /** Closes the connection. */
  close(): void {
    (this.#session.socket as Socket | undefined)?.unref();
    this.#session.destroy();
  }
}
