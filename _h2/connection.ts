/**
 * A connection: bytes in, events out; calls in, bytes out.
 *
 * It does no I/O and knows no time. Its owner gives it what the socket
 * received, with the time, and writes what it has to write:
 *
 * ```ts ignore
 * const connection = new Http2Connection({ role: "server" }, {
 *   onOutput: () => queueMicrotask(flush),
 *   ...
 * });
 * socket.on("data", (chunk) => connection.receive(chunk, performance.now()));
 * socket.on("close", () => connection.lose("the socket was closed"));
 *
 * function flush() {
 *   const pieces = connection.takeOutput();
 *   if (pieces.length === 0) return;
 *   socket.write(pieces, () => connection.outputWritten());
 * }
 * ```
 *
 * @module
 */

import {
  type ConnectionHandler,
  ConnectionState,
  type Http2Options,
} from "./connection_state.ts";
import { ErrorCode } from "./errors.ts";
import { FrameReader } from "./frame_reader.ts";
import { FrameType, MAX_STREAM_ID, PREFACE } from "./frames.ts";
import { NOTICE_PING } from "./goaway.ts";
import type { StreamHandler } from "./stream_handler.ts";
import type { HeaderList, HeaderParts } from "./hpack/mod.ts";
import { Receiver } from "./receiver.ts";
import type { Settings } from "./settings.ts";
import { Http2Stream } from "./stream.ts";

export type { Http2Options } from "./connection_state.ts";

/** One end of an HTTP/2 connection. */
export class Http2Connection {
  readonly #state: ConnectionState;
  readonly #receiver: Receiver;
  readonly #reader: FrameReader;
  /** Chunks that were received within `receive`. */
  readonly #chunks: Uint8Array[] = [];
  #isReceiving = false;
  #lastHead: HeaderList | null = null;
  #lastHeadIsHead = false;

  /**
   * Begins a connection: the preface is in the output at once, but not
   * announced.
   *
   * @param options Which side it is, and what is asked of the peer.
   * @param handler What is told about it.
   */
  constructor(options: Http2Options, handler: ConnectionHandler) {
    const state = this.#state = new ConnectionState(options, handler);
    const { output, isServer, local } = state;
    this.#receiver = new Receiver(state);
    this.#reader = new FrameReader(this.#receiver, isServer);
    if (!isServer) output.append(PREFACE);
    const { settings = {} } = options;
    output.control(FrameType.SETTINGS, 0, local.send(settings, !isServer));
    state.grantConnection();
  }

  /** Whether it is over: it ended with an error, or the socket was lost. */
  get isOver(): boolean {
    return this.#state.isOver;
  }

  /** What the peer asks of this side. */
  get peerSettings(): Settings {
    return this.#state.peer.current;
  }

  /** How many streams there are. */
  get streamCount(): number {
    return this.#state.openCount;
  }

  /** How many streams a client may open now. */
  get streamsLeft(): number {
    const { isOver, isServer, goaways, peer, openCount, idsLeft } = this.#state;
    if (isOver || isServer || goaways.isReceived) return 0;
    const { maxConcurrentStreams } = peer.current;
    return Math.max(0, Math.min(maxConcurrentStreams - openCount, idsLeft));
  }

  /** Whether a client may open a stream now. */
  get canOpen(): boolean {
    return this.streamsLeft > 0;
  }

  /** Whether the peer has sent GOAWAY. */
  get isGoawayReceived(): boolean {
    return this.#state.goaways.isReceived;
  }

  /** How many bytes of frames wait to be taken. */
  get waitingBytes(): number {
    return this.#state.output.waitingBytes;
  }

  /** How many bytes of frames are not written yet. */
  get outputBytes(): number {
    return this.#state.output.bytes;
  }

  /** How many HEADERS and DATA frames have been put in the output so far. */
  get messageFrames(): number {
    return this.#state.output.messageFrames;
  }

  /** How many bytes of DATA wait in the streams. */
  get queuedBytes(): number {
    return this.#state.scheduler.queuedBytes;
  }

  /**
   * How many bytes are kept for that: what a stream was given in one piece is
   * kept until all of it is sent.
   */
  get keptBytes(): number {
    return this.#state.scheduler.keptBytes;
  }

  /** Whether streams wait until the output is written. */
  get isBacklogged(): boolean {
    return this.#state.scheduler.isBacklogged;
  }

  /** How many received bytes nobody has taken yet. */
  get heldBytes(): number {
    return this.#state.pool.heldBytes;
  }

  /** How many bytes of DATA this side may send now, all streams together. */
  get sendWindow(): number {
    return this.#state.scheduler.window;
  }

  /** How many the peer may. */
  get receiveWindow(): number {
    return this.#state.pool.left;
  }

  /**
   * Takes what the peer sent.
   *
   * @param chunk The bytes, cut anywhere. Handlers get parts of it: whoever
   * keeps them relies on it not to change.
   * @param now The time, in milliseconds, on any clock that never goes back.
   */
  receive(chunk: Uint8Array, now: number): void {
    if (this.#isReceiving) {
      this.#chunks.push(chunk);
      return;
    }
    const state = this.#state;
    state.now = now;
    state.enter();
    this.#isReceiving = true;
    try {
      this.#reader.read(chunk);
      while (this.#chunks.length > 0) this.#reader.read(this.#chunks.shift()!);
      state.grantConnection();
      state.scheduler.pump();
    } catch (error) {
      // A handler threw: where reading stopped is not known any more.
      this.closeError(ErrorCode.INTERNAL_ERROR, "");
      throw error;
    } finally {
      this.#isReceiving = false;
      state.leave();
    }
  }

  /**
   * Takes all there is to write.
   *
   * @returns The pieces, in order, to be written in one go; none while the last
   * ones are not written, of which there may be a few. The array is good until
   * the next call, which must not come before its pieces are on their way.
   */
  takeOutput(): readonly Uint8Array[] {
    return this.#state.take();
  }

  /** The socket has taken what `takeOutput` returned: the oldest of it. */
  outputWritten(): void {
    const state = this.#state;
    state.enter();
    try {
      state.output.written();
      state.scheduler.pump();
    } finally {
      state.leave();
    }
  }

  /**
   * Opens a stream with a request. Clients only.
   *
   * @param handler What is told about it.
   * @param shared The first fields, in a list that many requests begin with;
   * the pseudo-header fields are among them.
   * @param own The other fields.
   * @param end Whether the request ends with them.
   * @param more The fields behind these, if there are more.
   * @returns The stream.
   * @throws {Error} When `canOpen` is not true.
   */
  request(
    handler: StreamHandler,
    shared: HeaderList,
    own: HeaderList,
    end: boolean,
    more: HeaderParts | null = null,
  ): Http2Stream {
    const state = this.#state;
    if (!this.canOpen) {
      throw new Error("Cannot open stream: the connection takes none");
    }
    const stream = new Http2Stream(state);
    stream.handler = handler;
    stream.isHeadRequest = this.#isHead(shared);
    state.openCount++;
    stream.sendHeaders(shared, own, end, more);
    return stream;
  }

  /**
   * Sends a PING.
   *
   * @param payload Eight bytes.
   */
  ping(payload: Uint8Array): void {
    this.#ping(payload, false);
  }

  /**
   * Sends settings again. Those of field compression stay.
   *
   * @param changes The settings that change.
   */
  changeSettings(changes: Partial<Settings>): void {
    const { isOver, output, local } = this.#state;
    if (isOver) return;
    output.control(FrameType.SETTINGS, 0, local.send(changes, false));
    this.#state.announce();
  }

  /**
   * Gives notice that no streams will be accepted any more. When the peer knows
   * of it `onNoticeAck` is called, and `goaway` may follow.
   *
   * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.8}
   */
  shutdownNotice(): void {
    if (this.#state.isOver) return;
    this.#goaway(MAX_STREAM_ID, ErrorCode.NO_ERROR, "");
    this.#ping(NOTICE_PING, true);
  }

  /**
   * Sends GOAWAY: streams that the peer opens from now on are ignored, those
   * that there are go on.
   *
   * @param code Why.
   * @param debug What to say to people.
   */
  goaway(code: ErrorCode, debug: string): void {
    if (this.#state.isOver) return;
    this.#goaway(this.#state.lastProcessedId, code, debug);
  }

  /**
   * Ends the connection with GOAWAY. What is in the output should be written
   * before the socket is closed. The streams are told, `onViolation` is not.
   *
   * @param code Why.
   * @param debug What to say to people.
   */
  closeError(code: ErrorCode, debug: string): void {
    this.goaway(code, debug);
    this.#state.finish({
      cause: "connection",
      code,
      message: debug,
      unprocessed: false,
    });
  }

  /**
   * The socket is gone.
   *
   * @param reason What happened, for people.
   */
  lose(reason: string): void {
    this.#state.finish({
      cause: "connection",
      code: ErrorCode.NO_ERROR,
      message: reason,
      unprocessed: false,
    });
  }

  /**
   * Gives the peer no credit, for the application holds too much, or gives it
   * again. What the windows allow until then it may still send.
   *
   * @param isHeld Whether no credit is given from now on.
   */
  holdCredit(isHeld: boolean): void {
    this.#state.holdCredit(isHeld);
  }

  /** Takes back that a reset of the peer's was counted: it was not its fault. */
  excuseReset(): void {
    this.#state.budgets.resets.giveBack(1);
  }

  #ping(payload: Uint8Array, isNotice: boolean): void {
    const { isOver, output } = this.#state;
    if (isOver) return;
    output.control(FrameType.PING, 0, payload);
    this.#receiver.onPingSent(isNotice);
    this.#state.announce();
  }

  #goaway(lastId: number, code: ErrorCode, debug: string): void {
    const { output, goaways } = this.#state;
    output.append(goaways.send(lastId, code, debug));
    this.#state.announce();
  }

  /** The lists are few, and mostly the same one as before. */
  #isHead(shared: HeaderList): boolean {
    if (shared !== this.#lastHead) {
      this.#lastHead = shared;
      this.#lastHeadIsHead = shared[shared.indexOf(":method") + 1] === "HEAD";
    }
    return this.#lastHeadIsHead;
  }
}
