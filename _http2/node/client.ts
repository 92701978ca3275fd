/**
 * The client's side of a connection, on `node:http2`.
 *
 * @module
 */

import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
} from "node:http2";
import process from "node:process";
import type { Duplex } from "node:stream";
import { type ByteSink, ResetCode } from "../../_call/byte_stream.ts";
import type {
  H2ClientOptions,
  H2ClientOwner,
  H2ClientSession,
  H2Stream,
} from "../engine.ts";
import { batchWrites, CLIENT_BATCH } from "./socket_writes.ts";
import { maxPairs, NodeSession } from "./session.ts";
import { NodeStream } from "./stream.ts";

/** What is above it is kept for streams that are opened at the same time. */
const LAST_STREAM_ID = 2 ** 31 - 2 ** 16;

/** The type of the frame that begins a stream. */
const HEADERS = 0x1;

/** The last stream whose HEADERS were sent. */
interface SentHeaders {
  streamId: number;
}

/** A client's session of `node:http2`. */
export class NodeClientSession extends NodeSession<ClientHttp2Session>
  implements H2ClientSession {
  readonly #owner: H2ClientOwner;
  readonly #sent: SentHeaders;

  constructor(
    socket: Duplex,
    owner: H2ClientOwner,
    options: H2ClientOptions,
  ) {
    const sent: SentHeaders = { streamId: 0 };
    super(socket, owner, () => {
      socket.on("end", () => {
        // To a write after this, of a WINDOW_UPDATE for instance, net.Socket
        // replies with an EPIPE of its own, and the session would end before
        // what it has received is told. Nobody would read it.
        socket.write = writeNothing;
        owner.onSocketEnd();
      });
      batchWrites(socket, {
        ...CLIENT_BATCH,
        onWrite: (frame) => noteHeaders(sent, frame),
      });
      const { scheme, authority, streamWindowSize, maxHeaderListSize } =
        options;
      return http2.connect(`${scheme}://${authority}`, {
        createConnection: () => socket,
        settings: {
          initialWindowSize: streamWindowSize,
          maxHeaderListSize,
          enablePush: false,
        },
        maxHeaderListPairs: maxPairs(maxHeaderListSize),
      });
    }, () => true);
    this.#owner = owner;
    this.#sent = sent;
    this.h2.on("connect", () => {
      this.h2.setLocalWindowSize(options.connectionWindowSize);
    });
    this.h2.on("stream", refuse);
  }

  open(sink: ByteSink): H2Stream {
    const stream = new NodeStream(this, this.h2, sink);
    this.add(stream);
    return stream;
  }

  /**
   * nghttp2 itself refuses a request whose HEADERS wait to be sent when GOAWAY
   * comes.
   */
  override isUnsent(streamId: number): boolean {
    return streamId > this.#sent.streamId;
  }

  override onOpened(streamId: number): void {
    // Later, for the stream is only being opened.
    if (streamId > LAST_STREAM_ID) {
      process.nextTick(() => this.#owner.onExhausted());
    }
  }
}

/**
 * Gives up a stream that this side did not ask for: on Deno that is what comes
 * of HEADERS for one that is over. Its error would be nobody's, and end the
 * process.
 */
function refuse(h2: ClientHttp2Stream): void {
  h2.on("error", () => {});
  h2.resume();
  setImmediate(() => {
    if (!h2.destroyed) h2.close(ResetCode.CANCEL);
  });
}

/** @param frame A frame that is written: `node:http2` writes each by itself. */
function noteHeaders(sent: SentHeaders, frame: Uint8Array): void {
  if (frame[3] !== HEADERS || frame.length < 9) return;
  sent.streamId = (frame[5]! & 0x7f) << 24 | frame[6]! << 16 | frame[7]! << 8 |
    frame[8]!;
}

function writeNothing(): boolean {
  return true;
}
