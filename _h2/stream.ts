/**
 * A stream: one request and its response.
 *
 * @module
 */

import { ErrorCode } from "./errors.ts";
import { COMPLETE, NO_HANDLER, type StreamEnd } from "./stream_handler.ts";
import type { ReceivePool } from "./flow_control.ts";
import { SendingHalf, type SendingOwner } from "./sending_half.ts";
import type { LocalSettings } from "./settings.ts";
import type { StreamTable } from "./stream_list.ts";
import { Event, State } from "./stream_state.ts";

/** The connection, as its streams see it. */
export interface StreamOwner extends SendingOwner<Http2Stream> {
  readonly local: LocalSettings;
  readonly pool: ReceivePool;
  readonly streams: StreamTable<Http2Stream>;
  /** Whether nothing is sent or received any more. */
  readonly isOver: boolean;
  /** How many streams are open, with those whose HEADERS wait to be sent. */
  openCount: number;
  /** The largest identifier of a client's stream that was given to the handler. */
  lastProcessedId: number;
  /** Gives the peer the credit on the connection that it is due. */
  grantConnection(): void;
  /** Gives the peer the credit on a stream that it is due. */
  grantStream(stream: Http2Stream): void;
  /** Forgets a stream that is over. */
  remove(stream: Http2Stream): void;
}

/** One stream of a connection, on either side. */
export class Http2Stream extends SendingHalf<Http2Stream, StreamOwner> {
  /** How much DATA the peer may send, in bytes; may be negative. */
  receiveWindow: number;
  /** How many received bytes nobody has taken yet. */
  heldBytes = 0;
  /** Whether the head of the peer's message was received. */
  hasHead = false;
  /** How many bytes of DATA are still to come; -1 if nobody said. */
  contentLeft = -1;
  /** Whether the response has no content, whatever it says: to HEAD. */
  isHeadRequest = false;
  /** The code to reset the stream with when this half is sent, or -1. */
  #resetWhenSent = -1;

  constructor(connection: StreamOwner) {
    super(connection);
    this.receiveWindow = connection.local.acknowledged.initialWindowSize;
  }

  /** Whether the stream is reset as soon as this half is sent. */
  get isGivenUp(): boolean {
    return this.#resetWhenSent >= 0;
  }

  /** Whether the peer may send DATA, and somebody takes it. */
  get isReceiving(): boolean {
    const { OPEN, HALF_CLOSED_LOCAL } = State;
    const { state } = this;
    return (state === OPEN || state === HALF_CLOSED_LOCAL) && !this.isGivenUp;
  }

  /** Takes on a stream that a client has opened. */
  accept(id: number, isEnd: boolean): void {
    const { connection } = this;
    this.id = id;
    this.state = isEnd ? State.HALF_CLOSED_REMOTE : State.OPEN;
    this.hasHead = true;
    connection.openCount++;
    connection.lastProcessedId = id;
    connection.streams.add(this);
  }

  /**
   * Gives credit for received bytes, which the application has taken.
   *
   * @param bytes How many.
   */
  consume(bytes: number): void {
    const { connection } = this;
    const taken = Math.min(bytes, this.heldBytes);
    if (taken === 0) return;
    this.heldBytes -= taken;
    connection.pool.release(taken);
    if (connection.isOver) return;
    connection.grantConnection();
    if (this.isReceiving) connection.grantStream(this);
    connection.announce();
  }

  /**
   * Ends both halves. Nothing is told any more. What was queued is dropped, and
   * a client's stream that was not opened never will be.
   *
   * With NO_ERROR after the end of this half, the end is sent before it: "a
   * server MAY request that the client abort transmission of a request without
   * error by sending a RST_STREAM with an error code of NO_ERROR after sending
   * a complete response".
   * https://www.rfc-editor.org/rfc/rfc9113#section-8.1
   *
   * @param code Why.
   */
  reset(code: ErrorCode): void {
    if (this.isClosed) {
      this.handler = NO_HANDLER;
      return this.#releaseHeld();
    }
    if (this.#resetWhenSent >= 0) return;
    const isQueued = this.state === State.OPEN ||
      this.state === State.HALF_CLOSED_REMOTE;
    if (code === ErrorCode.NO_ERROR && this.isEnding && isQueued) {
      this.#resetWhenSent = code;
      this.handler = NO_HANDLER;
      this.#releaseHeld();
      return;
    }
    this.handler = NO_HANDLER;
    this.#resetNow(code, "");
  }

  /** Ends the stream, as what happened or was received says. */
  override end(state: State, end: StreamEnd): void {
    this.state = state;
    this.drop();
    if (end !== COMPLETE) this.#releaseHeld();
    this.connection.remove(this);
    this.tellClose(end);
  }

  /**
   * The peer has ended its half.
   *
   * @returns Whether the stream is over. `tellClose` has to follow then, after
   * what ended it was told.
   */
  endReceived(): boolean {
    this.advance(Event.RECEIVE_END_STREAM);
    if (this.state !== State.CLOSED) return false;
    this.connection.remove(this);
    return true;
  }

  /** Tells the end. */
  tellClose(end: StreamEnd): void {
    this.handler.onClose(end);
  }

  protected get whole(): Http2Stream {
    return this;
  }

  protected onEndSent(): void {
    if (this.#resetWhenSent < 0) return;
    this.#resetNow(this.#resetWhenSent as ErrorCode, "");
  }

  protected resetUnsendable(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#resetNow(ErrorCode.INTERNAL_ERROR, message);
  }

  protected resetFull(): void {
    this.#resetNow(
      ErrorCode.ENHANCE_YOUR_CALM,
      "Peer is too slow: too many bytes wait to be sent to it",
    );
  }

  #resetNow(code: ErrorCode, message: string): void {
    const { connection } = this;
    if (this.id !== 0) this.sendReset(code);
    this.end(State.RESET_SENT, {
      cause: "violation",
      code,
      message,
      unprocessed: this.id === 0,
    });
    connection.grantConnection();
    connection.announce();
  }

  /** What was received is dropped: nobody will take it. */
  #releaseHeld(): void {
    if (this.heldBytes === 0) return;
    this.connection.pool.release(this.heldBytes);
    this.heldBytes = 0;
  }
}
