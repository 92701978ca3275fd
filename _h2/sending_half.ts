/**
 * The half of a stream that this endpoint sends.
 *
 * A stream sends at once while the output has room and its windows allow it,
 * and keeps the rest in a queue. HEADERS wait there too, so what a peer that
 * does not read can make this endpoint keep is bounded by its open streams.
 *
 * @module
 */

import type { ErrorCode } from "./errors.ts";
import { Flag, FrameType } from "./frames.ts";
import {
  COMPLETE,
  NO_HANDLER,
  type StreamEnd,
  type StreamHandler,
} from "./stream_handler.ts";
import type { HeaderList, HeaderParts, HpackEncoder } from "./hpack/mod.ts";
import { DATA_FRAME_BYTES } from "./output.ts";
import type { Budgets, Limits } from "./limits.ts";
import type { Output } from "./output.ts";
import { type Scheduled, type Scheduler, Turn } from "./scheduler.ts";
import type { PeerSettings } from "./settings.ts";
import type { StreamList } from "./stream_list.ts";
import { Event, outcomeOf, State, Verdict } from "./stream_state.ts";

/** Above how many queued bytes a sender is asked to wait. */
const HIGH_BYTES = 64 * 1024;

/** Below how many it is told to go on. */
const LOW_BYTES = 16 * 1024;

/** DATA that a window cuts below so many bytes pays nothing back. */
const TINY_BYTES = 512;

/** What was accepted for sending so far. */
const Accepted = { NOTHING: 0, HEAD: 1, END: 2 } as const;
type Accepted = typeof Accepted[keyof typeof Accepted];

const NO_FIELDS: HeaderList = [];
const NOTHING = new Uint8Array(0);

/** The connection, as its streams see it when they send. */
export interface SendingOwner<S extends Scheduled<S>> {
  readonly limits: Limits;
  readonly budgets: Budgets;
  readonly output: Output;
  readonly encoder: HpackEncoder;
  readonly peer: PeerSettings;
  readonly scheduler: Scheduler<S>;
  /** The identifier of the next stream of this client. */
  readonly nextId: number;
  /** The HEADERS of a client's stream are in the output. */
  open(stream: S): void;
  /** Tells the handler that there is output, unless it knows. */
  announce(): void;
}

/**
 * The sending half.
 *
 * @typeParam S The whole stream, `Http2Stream`.
 * @typeParam C The connection, as the whole stream sees it.
 */
export abstract class SendingHalf<
  S extends Scheduled<S>,
  C extends SendingOwner<S>,
> {
  /** The identifier; 0 until a client has sent HEADERS. */
  id = 0;
  /** Where the stream stands, by the frames that went into the output. */
  state: State = State.IDLE;
  /** What is told about the stream. */
  handler: StreamHandler = NO_HANDLER;
  /** How much DATA the peer takes, in bytes; may be negative. */
  sendWindow: number;
  list: StreamList<S> | null = null;
  next: S | null = null;
  previous: S | null = null;
  chained: S | null = null;
  protected readonly connection: C;
  #accepted: Accepted = Accepted.NOTHING;
  #wantsDrain = false;
  #queuedBytes = 0;
  /** How much of the first chunk was sent, in bytes. */
  #sentBytes = 0;
  #queue: Uint8Array[] | null = null;
  #head: HeaderList | null = null;
  #ownHead: HeaderList = NO_FIELDS;
  #moreHead: HeaderParts | null = null;
  #trailers: HeaderList | null = null;
  #ownTrailers: HeaderList = NO_FIELDS;
  #moreTrailers: HeaderParts | null = null;

  constructor(connection: C) {
    this.connection = connection;
    this.sendWindow = connection.peer.current.initialWindowSize;
  }

  /** Whether the stream is over; all it is told then is nothing. */
  get isClosed(): boolean {
    return this.state >= State.CLOSED;
  }

  /** How many bytes of DATA wait to be sent. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether the end of this half was accepted, sent or not. */
  get isEnding(): boolean {
    return this.#accepted === Accepted.END;
  }

  /**
   * Sends HEADERS, which begin this half.
   *
   * @param shared The first fields, in a list that many streams begin with.
   * @param own The other fields.
   * @param end Whether this half ends with them.
   * @param more The fields behind these, if there are more.
   */
  sendHeaders(
    shared: HeaderList,
    own: HeaderList,
    end: boolean,
    more: HeaderParts | null = null,
  ): void {
    if (this.isClosed) return;
    if (this.#accepted !== Accepted.NOTHING) throw misuse("HEADERS were sent");
    this.#accepted = end ? Accepted.END : Accepted.HEAD;
    this.#head = shared;
    this.#ownHead = own;
    this.#moreHead = more;
    this.#send();
  }

  /**
   * Sends bytes. They must not change any more: what is large is not copied.
   *
   * @param bytes The bytes.
   * @param end Whether this half ends with them.
   * @returns Whether more may be sent; otherwise `onDrain` says when.
   */
  sendData(bytes: Uint8Array, end: boolean): boolean {
    if (this.isClosed) return true;
    if (this.#accepted !== Accepted.HEAD) throw misuse("it is not between");
    const { length } = bytes;
    if (length === 0 && !end) return true;
    const { scheduler, limits } = this.connection;
    if (
      this.#queuedBytes === 0 && this.#head === null && scheduler.isFree &&
      length <= DATA_FRAME_BYTES && length <= this.sendWindow &&
      length <= scheduler.window
    ) {
      if (end) this.#accepted = Accepted.END;
      this.#write(bytes, 0, length, end);
      if (length > 0) this.connection.budgets.onDataSent();
      this.connection.announce();
      return true;
    }
    if (scheduler.queuedBytes > limits.maxQueuedBytes) {
      this.resetFull();
      return true;
    }
    if (end) this.#accepted = Accepted.END;
    if (length > 0) {
      if (this.#queue === null) this.#queue = [bytes];
      else this.#queue.push(bytes);
      this.#queuedBytes += length;
      scheduler.queuedBytes += length;
      scheduler.keptBytes += length;
    }
    this.#send();
    if (this.#queuedBytes < HIGH_BYTES) return true;
    this.#wantsDrain = true;
    return false;
  }

  /**
   * Sends trailers, which end this half.
   *
   * @param shared The first fields, in a list that many streams end with.
   * @param own The other fields.
   * @param more The fields behind these, if there are more.
   */
  sendTrailers(
    shared: HeaderList,
    own: HeaderList,
    more: HeaderParts | null = null,
  ): void {
    if (this.isClosed) return;
    if (this.#accepted !== Accepted.HEAD) throw misuse("it is not between");
    this.#accepted = Accepted.END;
    this.#trailers = shared;
    this.#ownTrailers = own;
    this.#moreTrailers = more;
    this.#send();
  }

  /** The peer takes more DATA: what waits for it may be sent. */
  wake(): void {
    if (this.#queuedBytes > 0 && this.sendWindow > 0) {
      this.connection.scheduler.enqueue(this.whole);
    }
  }

  /** Sends what may be sent now, HEADERS and one frame of DATA at most. */
  takeTurn(): Turn {
    if (this.#head !== null) this.#writeHead(this.#head);
    const turn = this.#queuedBytes > 0 ? this.#writeQueued() : Turn.DONE;
    if (this.#queuedBytes > 0 || this.isClosed) return turn;
    if (this.#trailers !== null) this.#writeTrailers(this.#trailers);
    // The end may have come without bytes, behind some that were queued.
    else if (this.#isEndDue) this.#write(NOTHING, 0, 0, true);
    return Turn.DONE;
  }

  /** Tells that the queue is short again, if somebody waits for it. */
  tellDrain(): void {
    if (!this.#wantsDrain || this.#queuedBytes > LOW_BYTES) return;
    this.#wantsDrain = false;
    if (!this.isClosed) this.handler.onDrain();
  }

  /** This object, as what it is. */
  protected abstract readonly whole: S;

  /** Ends the stream, as what happened or was received says. */
  abstract end(state: State, end: StreamEnd): void;

  /** Resets the stream, for its fields cannot be encoded. */
  protected abstract resetUnsendable(error: unknown): void;

  /** Resets the stream, for too many bytes wait to be sent. */
  protected abstract resetFull(): void;

  /** Drops what is not sent. */
  protected drop(): void {
    const { scheduler } = this.connection;
    scheduler.withdraw(this.whole);
    scheduler.queuedBytes -= this.#queuedBytes;
    this.#queuedBytes = this.#sentBytes = 0;
    if (this.#queue !== null) {
      for (const { length } of this.#queue) scheduler.keptBytes -= length;
    }
    this.#queue = this.#head = this.#trailers = null;
    this.#ownHead = this.#ownTrailers = NO_FIELDS;
    this.#moreHead = this.#moreTrailers = null;
    this.#wantsDrain = false;
  }

  /** Takes a step that the frames of this half allow. */
  protected advance(event: Event): void {
    const next = outcomeOf(this.state, event);
    if (next === Verdict.MISUSE) throw misuse("it is closed");
    this.state = next as State;
  }

  get #isEndDue(): boolean {
    return this.#accepted === Accepted.END &&
      (this.state === State.OPEN || this.state === State.HALF_CLOSED_REMOTE);
  }

  #send(): void {
    const { scheduler } = this.connection;
    if (this.list === null && scheduler.isFree) {
      const turn = this.takeTurn();
      if (turn === Turn.DONE) return this.connection.announce();
      // Blocked streams are told apart in turn.
    }
    scheduler.enqueue(this.whole);
    scheduler.pump();
    this.connection.announce();
  }

  #writeHead(head: HeaderList): void {
    const own = this.#ownHead;
    const more = this.#moreHead;
    this.#head = this.#moreHead = null;
    this.#ownHead = NO_FIELDS;
    const end = this.#accepted === Accepted.END && this.#queuedBytes === 0 &&
      this.#trailers === null;
    this.#headers(head, own, more, end);
  }

  #writeTrailers(trailers: HeaderList): void {
    const own = this.#ownTrailers;
    const more = this.#moreTrailers;
    this.#trailers = this.#moreTrailers = null;
    this.#ownTrailers = NO_FIELDS;
    this.#headers(trailers, own, more, true);
  }

  #headers(
    shared: HeaderList,
    own: HeaderList,
    more: HeaderParts | null,
    end: boolean,
  ): void {
    const { output, encoder, peer, nextId } = this.connection;
    try {
      output.headers(
        this.id === 0 ? nextId : this.id,
        end ? Flag.END_STREAM : 0,
        encoder,
        shared,
        own,
        more,
        peer.current.maxFrameSize,
      );
    } catch (error) {
      return this.resetUnsendable(error);
    }
    if (this.id === 0) this.connection.open(this.whole);
    this.advance(Event.SEND_HEADERS);
    if (end) this.#ended();
  }

  #writeQueued(): Turn {
    const { scheduler, budgets } = this.connection;
    const window = Math.min(this.sendWindow, scheduler.window);
    let room = Math.min(window, DATA_FRAME_BYTES);
    if (room <= 0) return this.#blockedTurn();
    const queue = this.#queue!;
    const isTiny = room < TINY_BYTES && room < this.#queuedBytes;
    let used = 0;
    while (room > 0 && used < queue.length) {
      const chunk = queue[used]!;
      const from = this.#sentBytes;
      const size = Math.min(room, chunk.length - from);
      room -= size;
      this.#queuedBytes -= size;
      scheduler.queuedBytes -= size;
      if (from + size === chunk.length) {
        used++;
        this.#sentBytes = 0;
        scheduler.keptBytes -= chunk.length;
      } else this.#sentBytes = from + size;
      const isLast = this.#queuedBytes === 0;
      if (isLast) this.#queue = null;
      const end = isLast && this.#isEndDue && this.#trailers === null;
      this.#write(chunk, from, from + size, end);
      if (isLast) break;
    }
    if (!isTiny) budgets.onDataSent();
    if (this.#queue === null) return Turn.DONE;
    if (used > 0) queue.splice(0, used);
    return this.#blockedTurn();
  }

  #blockedTurn(): Turn {
    if (this.sendWindow <= 0) return Turn.DONE;
    return this.connection.scheduler.window <= 0 ? Turn.BLOCKED : Turn.MORE;
  }

  #write(bytes: Uint8Array, start: number, end: number, last: boolean): void {
    const { output, scheduler } = this.connection;
    const size = end - start;
    this.sendWindow -= size;
    scheduler.window -= size;
    output.data(this.id, bytes, start, end, last ? Flag.END_STREAM : 0);
    if (last) this.#ended();
  }

  /** END_STREAM is in the output. */
  #ended(): void {
    this.advance(Event.SEND_END_STREAM);
    if (this.state === State.CLOSED) this.end(State.CLOSED, COMPLETE);
    else this.onEndSent();
  }

  /** Called when the end of this half is in the output, before the peer's. */
  protected abstract onEndSent(): void;

  /** Sends RST_STREAM. */
  protected sendReset(code: ErrorCode): void {
    this.connection.output.number(FrameType.RST_STREAM, this.id, code);
  }
}

function misuse(found: string): Error {
  return new Error(`Cannot send on stream: ${found}`);
}
