/**
 * What the parts of a connection share: its streams, its output and its end.
 *
 * @module
 */

import {
  connectionError,
  ErrorCode,
  errorName,
  streamError,
  type Violation,
} from "./errors.ts";
import { batchOf, creditDue, ReceivePool } from "./flow_control.ts";
import { frameName, FrameType, MAX_STREAM_ID } from "./frames.ts";
import { Goaways } from "./goaway.ts";
import type { StreamEnd } from "./stream_handler.ts";
import { type HeaderList, HpackDecoder, HpackEncoder } from "./hpack/mod.ts";
import { Budgets, DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { Output } from "./output.ts";
import { Scheduler } from "./scheduler.ts";
import { LocalSettings, PeerSettings, type Settings } from "./settings.ts";
import { StreamTable } from "./stream_list.ts";
import {
  ClosedStreams,
  type Event,
  outcomeOf,
  State,
  Verdict,
} from "./stream_state.ts";
import type { Http2Stream, StreamOwner } from "./stream.ts";

/** Options for {@linkcode Http2Connection}. */
export interface Http2Options {
  /** Which side this is. */
  readonly role: "client" | "server";
  /**
   * What to ask of the peer.
   *
   * @default {{}}
   */
  readonly settings?: Partial<Settings>;
  /**
   * How many bytes the peer may send on the connection ahead of credit.
   *
   * @default {65535}
   */
  readonly connectionWindowSize?: number;
  /**
   * The limits that are not the default ones.
   *
   * @default {{}}
   */
  readonly limits?: Partial<Limits>;
}

/**
 * What a connection tells its owner, at once, as its streams do: see
 * `stream_handler.ts`.
 */
export interface ConnectionHandler {
  /** There is something to write, and no batch is being written. */
  onOutput(): void;
  /**
   * A client has opened a stream. Its `handler` has to be set, or it reset,
   * before this returns. Servers only.
   *
   * @param stream The stream.
   * @param fields The fields of the request.
   * @param end Whether the request ends with them.
   */
  onStream(stream: Http2Stream, fields: HeaderList, end: boolean): void;
  /** The peer's settings, for the first time or again. */
  onSettings(): void;
  /** A PING of the peer's, which was acknowledged. */
  onPing(): void;
  /** The acknowledgement of the oldest `ping` that has none. */
  onPingAck(): void;
  /** The peer knows of the notice to shut down: `goaway` may follow. */
  onNoticeAck(): void;
  /**
   * The peer leaves. Streams that it does not process are told so after this.
   *
   * @param lastId The last stream that it processes.
   * @param code Why.
   * @param debug What it says to people.
   */
  onGoaway(lastId: number, code: number, debug: string): void;
  /**
   * The peer made a mistake on a stream that nobody owns, such as a request
   * that is malformed. The stream was reset.
   */
  onStreamViolation(streamId: number, violation: Violation): void;
  /**
   * The peer made a mistake that ends the connection, or went over a limit.
   * GOAWAY is in the output; the streams are told after this. Write what there
   * is, then close the socket.
   */
  onViolation(violation: Violation): void;
}

/** The state of a connection. */
export class ConnectionState implements StreamOwner {
  readonly isServer: boolean;
  readonly handler: ConnectionHandler;
  readonly limits: Limits;
  readonly budgets: Budgets;
  readonly output: Output = new Output();
  readonly encoder: HpackEncoder;
  readonly decoder: HpackDecoder;
  readonly peer: PeerSettings = new PeerSettings();
  readonly local: LocalSettings = new LocalSettings();
  readonly pool: ReceivePool;
  readonly scheduler: Scheduler<Http2Stream>;
  readonly streams: StreamTable<Http2Stream> = new StreamTable();
  readonly closedStreams: ClosedStreams = new ClosedStreams();
  readonly goaways: Goaways = new Goaways();
  /** The time that was told last, in milliseconds. */
  now = 0;
  /** Whether nothing is sent or received any more. */
  isOver = false;
  /** How many streams are open, with those whose HEADERS wait to be sent. */
  openCount = 0;
  /** The identifier of the next stream of this client. */
  nextId = 1;
  /** The largest identifier that the client has used. */
  latestPeerId = 0;
  /** The largest one of them that was given to the handler. */
  lastProcessedId = 0;
  /** How deep `receive` and the like are: output is announced at the end. */
  #depth = 0;
  #isAnnounced = false;
  #isCreditHeld = false;

  constructor(options: Http2Options, handler: ConnectionHandler) {
    const { role, settings = {}, connectionWindowSize = 65_535 } = options;
    this.isServer = role === "server";
    this.handler = handler;
    this.limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.budgets = new Budgets(this.limits);
    this.pool = new ReceivePool(connectionWindowSize, this.limits.maxHeldBytes);
    this.encoder = new HpackEncoder();
    const maxTableSize = settings.headerTableSize;
    const maxListSize = settings.maxHeaderListSize;
    this.decoder = new HpackDecoder({
      ...maxTableSize === undefined ? {} : { maxTableSize },
      ...maxListSize === undefined ? {} : { maxListSize },
      maxFields: this.limits.maxFields,
    });
    this.scheduler = new Scheduler(this);
  }

  /** The largest identifier that was used so far. */
  get latestId(): number {
    return this.isServer ? this.latestPeerId : this.nextId - 2;
  }

  /** Says where a stream stands that is not in the table. */
  stateOf(id: number): State {
    // Servers open no streams here, and clients only odd ones.
    if ((id & 1) === 0 || id > this.latestId) return State.IDLE;
    return this.closedStreams.stateOf(id, this.latestId);
  }

  /** The HEADERS of a client's stream are in the output. */
  open(stream: Http2Stream): void {
    stream.id = this.nextId;
    this.nextId += 2;
    // As they are now: settings may have changed while the HEADERS waited.
    stream.sendWindow = this.peer.current.initialWindowSize;
    stream.receiveWindow = this.local.acknowledged.initialWindowSize;
    this.streams.add(stream);
  }

  /** Forgets a stream that is over. */
  remove(stream: Http2Stream): void {
    this.openCount--;
    if (stream.id === 0) return;
    this.streams.delete(stream);
    this.closedStreams.add(stream.id, stream.state);
  }

  /** How many streams this client could open still, by their identifiers. */
  get idsLeft(): number {
    const waiting = this.openCount - this.streams.size;
    return (MAX_STREAM_ID - this.nextId) / 2 + 1 - waiting;
  }

  /** Begins a time in which output is not announced. */
  enter(): void {
    this.#depth++;
  }

  /** Ends it. */
  leave(): void {
    if (--this.#depth === 0) this.announce();
  }

  /** Tells the handler that there is output, unless it knows. */
  announce(): void {
    if (this.#depth > 0 || this.#isAnnounced || !this.output.isReady) return;
    this.#isAnnounced = true;
    this.handler.onOutput();
  }

  /** Takes the output that was announced. */
  take(): readonly Uint8Array[] {
    this.#isAnnounced = false;
    return this.output.take();
  }

  /** Counts a frame in reply to the peer, which has to read them. */
  noteReply(): void {
    this.output.noteReply();
    if (this.output.replies > this.limits.maxQueuedReplies) {
      this.calm("frames that ask for a reply, and reads none of them");
    }
  }

  /** Ends the connection, for the peer goes over a limit. */
  calm(excess: string): void {
    this.fail(
      connectionError(
        ErrorCode.ENHANCE_YOUR_CALM,
        `Peer sends too many ${excess}`,
      ),
    );
  }

  /** Ends a stream that the peer made a mistake on. */
  resetFor(stream: Http2Stream, violation: Violation): void {
    const { code, message } = violation;
    this.output.number(FrameType.RST_STREAM, stream.id, code);
    stream.end(State.RESET_SENT, {
      cause: "violation",
      code,
      message,
      unprocessed: false,
    });
    this.noteReply();
    this.countReset();
  }

  /** Refuses a frame on a stream that has no object. */
  refuse(streamId: number, code: ErrorCode, message: string): void {
    this.output.number(FrameType.RST_STREAM, streamId, code);
    this.closedStreams.add(streamId, State.RESET_SENT);
    this.handler.onStreamViolation(streamId, streamError(code, message));
    this.noteReply();
  }

  /** Does what is right about a frame on a stream that has no object. */
  obey(streamId: number, event: Event, type: number): void {
    const state = this.stateOf(streamId);
    const name = frameName(type);
    switch (outcomeOf(state, event)) {
      case Verdict.IGNORE:
        if (state === State.RESET_SENT && type !== FrameType.RST_STREAM) return;
        return this.countIgnored();
      case Verdict.STREAM_CLOSED:
        this.refuse(streamId, ErrorCode.STREAM_CLOSED, `${name} after the end`);
        return this.countReset();
      case Verdict.CONNECTION_CLOSED:
        return this.fail(connectionError(
          ErrorCode.STREAM_CLOSED,
          `${name} on stream ${streamId}, which has ended`,
        ));
      default:
        return this.fail(connectionError(
          ErrorCode.PROTOCOL_ERROR,
          `${name} on stream ${streamId}, which is not open`,
        ));
    }
  }

  /** Counts a frame that has no effect. */
  countIgnored(): void {
    if (!this.budgets.ignoredFrames.take(1, this.now)) {
      this.calm("frames without effect");
    }
  }

  /** Counts a reset that is the peer's doing. */
  countReset(): void {
    if (!this.budgets.resets.take(1, this.now)) this.calm("resets");
  }

  /** Gives no more credit from now on, or again. */
  holdCredit(isHeld: boolean): void {
    if (isHeld === this.#isCreditHeld) return;
    this.#isCreditHeld = isHeld;
    if (isHeld || this.isOver) return;
    this.grantConnection();
    for (const stream of this.streams.toArray()) {
      if (stream.isReceiving) this.grantStream(stream);
    }
    this.announce();
  }

  /** Gives the peer the credit on the connection that it is due. */
  grantConnection(): void {
    if (this.#isCreditHeld) return;
    const increment = this.pool.grant();
    if (increment > 0 && !this.isOver) {
      this.output.number(FrameType.WINDOW_UPDATE, 0, increment);
    }
  }

  /** Gives the peer the credit on a stream that it is due. */
  grantStream(stream: Http2Stream): void {
    if (this.#isCreditHeld) return;
    const size = this.local.acknowledged.initialWindowSize;
    const { receiveWindow, heldBytes } = stream;
    const due = creditDue(size - heldBytes, receiveWindow, batchOf(size));
    if (due === 0) return;
    stream.receiveWindow += due;
    this.output.number(FrameType.WINDOW_UPDATE, stream.id, due);
  }

  /** Ends the connection, for the peer made a mistake. */
  fail(violation: Violation): void {
    if (this.isOver) return;
    const { code, message } = violation;
    this.enter();
    const last = this.isServer ? this.lastProcessedId : 0;
    this.output.append(this.goaways.send(last, code, message));
    this.isOver = true;
    this.handler.onViolation(violation);
    this.#endAll({ cause: "connection", code, message, unprocessed: false });
    this.leave();
  }

  /** Ends the streams that the peer will not process. */
  endUnprocessed(lastId: number, code: number): void {
    const end: StreamEnd = {
      cause: "goaway",
      code,
      message: `Peer has left: ${errorName(code)}`,
      unprocessed: true,
    };
    const all = [...this.scheduler.unopened(), ...this.streams.toArray()];
    for (const stream of all) {
      if (stream.isClosed || (stream.id !== 0 && stream.id <= lastId)) continue;
      // What the peer sends on it nevertheless is ignored.
      stream.end(State.RESET_SENT, end);
    }
  }

  /** Ends the connection, and all streams with it. */
  finish(end: StreamEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#endAll(end);
  }

  #endAll(end: StreamEnd): void {
    const all = [...this.scheduler.unopened(), ...this.streams.toArray()];
    const unsent: StreamEnd = { ...end, unprocessed: true };
    for (const stream of all) {
      if (stream.isClosed) continue;
      stream.end(State.CLOSED, stream.id === 0 ? unsent : end);
    }
  }
}
