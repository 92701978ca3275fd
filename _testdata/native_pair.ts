/**
 * Two sessions of `_h2/` on a pair of sockets in memory, with owners and calls
 * that write down what they are told.
 *
 * @module
 */

import { Duplex } from "node:stream";
import type { Account } from "../_call/account.ts";
import type { ByteSink, CloseReason } from "../_call/byte_stream.ts";
import type {
  H2ClientOwner,
  H2ServerOwner,
  H2Stream,
} from "../_http2/engine.ts";
import { nativeEngine } from "../_http2/native/engine.ts";
import { reasonOfLoss } from "../_http2/reset.ts";
import { HeaderBlock, type RawHeaders } from "../_wire/headers.ts";
import { anyAccount } from "./account.ts";
import { turns } from "./waiting.ts";

/** One end of a pair of sockets in memory. */
export class PairSocket extends Duplex {
  peer: PairSocket | null = null;
  /** Whether what is written stays where it is. */
  isHeld = false;
  /** How many bytes were written. */
  written = 0;
  #held: (() => void)[] = [];
  #wanted: (() => void) | null = null;

  override _read(): void {
    const wanted = this.#wanted;
    this.#wanted = null;
    wanted?.();
  }

  override _write(
    bytes: Uint8Array,
    _encoding: string,
    callback: () => void,
  ): void {
    const pass = (): void => {
      this.written += bytes.length;
      const { peer } = this;
      if (peer === null || peer.readableEnded) return callback();
      if (peer.push(bytes)) callback();
      else peer.#wanted = callback;
    };
    if (this.isHeld) this.#held.push(pass);
    else pass();
  }

  override _final(callback: () => void): void {
    this.peer?.push(null);
    callback();
  }

  /** Lets what is held go on. */
  release(): void {
    this.isHeld = false;
    for (const pass of this.#held.splice(0)) pass();
  }

  override _destroy(
    error: Error | null,
    callback: (error: Error | null) => void,
  ): void {
    const { peer } = this;
    if (peer !== null && !peer.readableEnded) peer.push(null);
    callback(error);
  }
}

/** Makes a pair of sockets. */
export function pairOfSockets(): [PairSocket, PairSocket] {
  const options = { allowHalfOpen: true };
  const [one, other] = [new PairSocket(options), new PairSocket(options)];
  one.peer = other;
  other.peer = one;
  return [one, other];
}

/** A call that writes down what it is told. */
export class LoggedSink implements ByteSink {
  readonly log: string[] = [];
  received = 0;
  why: CloseReason | null = null;
  /** Does more for an event. */
  on: (event: string, bytes?: Uint8Array) => void = () => {};

  onHead(_raw: RawHeaders, end: boolean): void {
    this.#note(end ? "head end" : "head");
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.received += end - start;
    this.#note(`data ${end - start}`, bytes.subarray(start, end));
  }

  onStop(isOver: boolean): void {
    this.#note(isOver ? "stop over" : "stop");
  }

  onEnd(trailers: RawHeaders): void {
    this.#note(`end ${trailers.join(" ")}`.trim());
  }

  onClose(why: CloseReason): void {
    this.why = why;
    this.#note(why.clean ? "close" : `close ${why.status}: ${why.message}`);
  }

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.why !== null;
  }

  #note(event: string, bytes?: Uint8Array): void {
    this.log.push(event);
    this.on(event, bytes);
  }
}

/** The owner of a session. It is told, and writes down. */
export class LoggedOwner implements H2ClientOwner, H2ServerOwner {
  readonly account: Account = anyAccount();
  readonly log: string[] = [];
  endReason: CloseReason | null = null;
  /** Takes a request. */
  take: (stream: H2Stream, raw: RawHeaders) => ByteSink | null = () =>
    new LoggedSink();

  isUnprocessed(): boolean {
    return false;
  }
  onSettings(maxConcurrentStreams: number): void {
    this.log.push(`settings ${maxConcurrentStreams}`);
  }
  onGoaway(code: number, lastStreamId: number, debugData: string): void {
    this.log.push(`goaway ${lastStreamId} ${code} ${debugData}`.trim());
  }
  onReceived(): void {}
  onSent(): void {}
  onReply(): void {}
  onStreamClose(): void {
    this.log.push("stream closed");
  }
  onSocketEnd(): void {
    this.log.push("socket end");
  }
  onSocketClose(): void {
    this.log.push("socket close");
    this.endReason ??= reasonOfLoss("Connection was lost");
  }
  onEnding(): void {
    if (!this.log.includes("ending")) this.log.push("ending");
  }
  onError(error: unknown): void {
    this.log.push(`error ${error instanceof Error ? error.message : error}`);
  }
  onClosed(): void {
    this.log.push("closed");
  }
  onReset(): void {}

  onExhausted(): void {
    this.log.push("exhausted");
  }
  onPing(): void {
    this.log.push("ping");
  }
  onFrameWritten(): void {}
  onHeadersRefused(): void {}
  onHeadersExcess(): void {}
  onStream(stream: H2Stream, raw: RawHeaders): ByteSink | null {
    return this.take(stream, raw);
  }
}

const OPTIONS = {
  streamWindowSize: 65_535,
  connectionWindowSize: 65_535,
  maxHeaderListSize: 65_536,
};

/** Makes a client and a server that are connected. */
export async function connectedPair(
  options: Partial<typeof OPTIONS> & { maxResetStreamsPerSecond?: number } = {},
) {
  const { maxResetStreamsPerSecond = 500, ...windows } = options;
  const [clientSocket, serverSocket] = pairOfSockets();
  const clientOwner = new LoggedOwner();
  const serverOwner = new LoggedOwner();
  const client = nativeEngine.connect(clientSocket, clientOwner, {
    ...OPTIONS,
    ...windows,
    scheme: "http",
    authority: "test",
  });
  const server = nativeEngine.accept(serverSocket, serverOwner, {
    ...OPTIONS,
    ...windows,
    maxConcurrentStreams: 1000,
    maxResetStreamsPerSecond,
  });
  await turns(2);
  return {
    client,
    server,
    clientOwner,
    serverOwner,
    clientSocket,
    serverSocket,
  };
}

export const REQUEST: HeaderBlock = new HeaderBlock([
  ...[":method", "POST", ":scheme", "http", ":path", "/a/b"],
  ...[":authority", "test", "te", "trailers"],
]);
export const RESPONSE: HeaderBlock = new HeaderBlock([":status", "200"]);
export const TRAILERS: HeaderBlock = new HeaderBlock(["grpc-status", "0"]);
