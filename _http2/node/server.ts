/**
 * The server's side of a connection, on `node:http2`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import http2, {
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import process from "node:process";
import type { Duplex } from "node:stream";
import { NO_SINK, ResetCode } from "../../_call/byte_stream.ts";
import type { RawHeaders } from "../../_wire/headers.ts";
import type {
  H2ServerOptions,
  H2ServerOwner,
  H2ServerSession,
} from "../engine.ts";
import { ResetBudget } from "../reset_budget.ts";
import { ENHANCE_YOUR_CALM } from "../reset.ts";
import { EarlyHeaders } from "./early_headers.ts";
import { ResetCounter } from "./reset_counter.ts";
import { batchWrites, SERVER_BATCH } from "./socket_writes.ts";
import { maxPairs, NodeSession } from "./session.ts";
import { NodeStream } from "./stream.ts";

/** GOAWAY NO_ERROR with the largest id that a stream can have. */
const SHUTDOWN_NOTICE = Buffer.from(
  "0000080700000000007fffffff00000000",
  "hex",
);

/** What is no larger may be the acknowledgement of a PING, and nothing more. */
const PING_FRAME_BYTES = 17;

/** The length of RST_STREAM, and its type. */
const RESET_FRAME_BYTES = 13;
const RST_STREAM = 3;

/**
 * Whether a frame resets a stream with ENHANCE_YOUR_CALM, as `node:http2` does
 * for headers that are too large. No event tells of that.
 */
function isRefusal(frame: Uint8Array): boolean {
  return frame.length === RESET_FRAME_BYTES &&
    frame[3] === RST_STREAM &&
    frame[RESET_FRAME_BYTES - 1] === ENHANCE_YOUR_CALM;
}

/** A server's session of `node:http2`. */
export class NodeServerSession extends NodeSession<ServerHttp2Session>
  implements H2ServerSession {
  readonly #owner: H2ServerOwner;

  constructor(
    socket: Duplex,
    owner: H2ServerOwner,
    options: H2ServerOptions,
  ) {
    const resets = new ResetCounter();
    const budget = new ResetBudget();
    const early = new EarlyHeaders(options.maxHeaderListSize);
    super(socket, owner, (session) => {
      batchWrites(socket, {
        ...SERVER_BATCH,
        onWrite: (frame) => {
          const { length } = frame;
          session.onFrame(length);
          if (length > PING_FRAME_BYTES) owner.onFrameWritten();
          else if (isRefusal(frame)) owner.onHeadersRefused();
        },
      });
      return http2.performServerHandshake(socket, {
        settings: {
          initialWindowSize: options.streamWindowSize,
          maxHeaderListSize: options.maxHeaderListSize,
          maxConcurrentStreams: options.maxConcurrentStreams,
        },
        maxHeaderListPairs: maxPairs(options.maxHeaderListSize),
        // Metadata may repeat any key.
        strictSingleValueFields: false,
      } as http2.ServerOptions);
    }, (chunk) => {
      const count = resets.push(chunk);
      if (count > 0 && budget.spend(count)) owner.onExhausted();
      if (!early.push(chunk)) return true;
      owner.onHeadersExcess();
      return false;
    });
    this.#owner = owner;
    const { h2 } = this;
    // Now, so that it leaves with the SETTINGS: later it would wait for the
    // next frame.
    h2.setLocalWindowSize(options.connectionWindowSize);
    h2.on(
      "stream",
      (
        stream: ServerHttp2Stream,
        _headers: unknown,
        _flags: number,
        raw: RawHeaders,
      ) => this.#accept(stream, raw),
    );
    h2.on("ping", () => owner.onPing());
  }

  sendShutdownNotice(): void {
    // node:http2 closes a session by itself when its client sends GOAWAY. Its own
    // is out then, and the last stream that the next one names must not be
    // another: clients end the connection for that.
    // https://www.rfc-editor.org/rfc/rfc9113#section-6.8
    if (this.h2.closed || this.h2.destroyed) return;
    // node:http2 itself has no GOAWAY that lets requests still come.
    this.socket.write(SHUTDOWN_NOTICE);
  }

  abort(code: number, debugData: string): void {
    // Later, for this may be the stack of nghttp2.
    process.nextTick(() => {
      if (this.h2.destroyed) return;
      this.h2.goaway(code, 0, Buffer.from(debugData));
      setImmediate(() => {
        this.destroy();
        this.socket.destroy();
      });
    });
  }

  #accept(h2: ServerHttp2Stream, raw: RawHeaders): void {
    const stream = new NodeStream(this, null, NO_SINK);
    this.add(stream);
    stream.accept(h2);
    const sink = this.#owner.onStream(stream, raw);
    if (sink === null) stream.reset(ResetCode.REFUSED_STREAM);
    else stream.start(sink);
  }
}
