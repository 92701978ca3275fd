/**
 * What can be seen of calls and connections by who looks inside: channelz, and
 * whoever wants to know why a channel does not connect. It is counted always, in
 * plain integers, beside what a call does anyway.
 *
 * @module
 */

import type { PeerAddress } from "./peer.ts";

/** Whether it is noted when things happen: only if somebody shows it. */
let isTimed = false;

/**
 * Has it noted, from now on, when calls, streams and messages were last: to ask
 * what the time is would be the dearest part of counting.
 */
export function noteTimes(): void {
  isTimed = true;
}

/** How many calls a channel has made, or a server was asked for. */
export class CallCounts {
  /** How many began. */
  started = 0;
  /** How many ended with OK. */
  succeeded = 0;
  /** How many ended with another status. */
  failed = 0;
  /** When the last one began, in milliseconds since 1970; 0 if nobody noted. */
  lastStartedAt = 0;

  /** A call begins. */
  start(): void {
    this.started++;
    if (isTimed) this.lastStartedAt = Date.now();
  }

  /** A call is over. */
  end(isOk: boolean): void {
    if (isOk) this.succeeded++;
    else this.failed++;
  }

  /** Counts the calls of a connection as well. */
  add(traffic: Traffic): void {
    const { streamsStarted, callsSucceeded, lastStreamAt } = traffic;
    const ended = traffic.streamsSucceeded + traffic.streamsFailed;
    this.started += streamsStarted;
    this.succeeded += callsSucceeded;
    // One that ends now may be told apart in a moment.
    this.failed += Math.max(0, ended - callsSucceeded);
    this.lastStartedAt = Math.max(this.lastStartedAt, lastStreamAt);
  }

  /** Gives the counts of now. */
  copy(): CallCounts {
    return Object.assign(new CallCounts(), this);
  }
}

/** What has gone over one connection. */
export class Traffic {
  /** How many streams there were. */
  streamsStarted = 0;
  /** How many calls of this side ended on them with OK. */
  callsSucceeded = 0;
  /** How many of them the server has ended in good order, whatever its status. */
  streamsSucceeded = 0;
  /** How many were reset, or lost with the connection. */
  streamsFailed = 0;
  messagesSent = 0;
  messagesReceived = 0;
  /** How many PINGs this side has sent to know whether the peer is there. */
  keepalivesSent = 0;
  /** What the peer said GOAWAY with; null if it has not. */
  goawayCode: number | null = null;
  /** When the last of each was, in milliseconds since 1970; 0 if nobody noted. */
  lastStreamAt = 0;
  lastSentAt = 0;
  lastReceivedAt = 0;

  /** A stream is opened. */
  openStream(): void {
    this.streamsStarted++;
    if (isTimed) this.lastStreamAt = Date.now();
  }

  /** A stream is gone. */
  closeStream(isComplete: boolean): void {
    if (isComplete) this.streamsSucceeded++;
    else this.streamsFailed++;
  }

  /** A message is sent. */
  send(): void {
    this.messagesSent++;
    if (isTimed) this.lastSentAt = Date.now();
  }

  /** A message has come. */
  receive(): void {
    this.messagesReceived++;
    if (isTimed) this.lastReceivedAt = Date.now();
  }
}

/** A change of state that is remembered. */
export interface Change<S extends string> {
  /** When it was, in milliseconds since 1970. */
  readonly at: number;
  /** The state since then. */
  readonly state: S;
  /** What has led to it, for people; null if that is plain. */
  readonly reason: string | null;
}

/** How many changes are remembered. */
const REMEMBERED = 32;

/** The last states of something, the first of which it was made in. */
export class History<S extends string> {
  /** When it was made, in milliseconds since 1970. */
  readonly createdAt: number = Date.now();
  /** How many changes there were, forgotten ones included. */
  total = 0;
  readonly #changes: Change<S>[] = [];
  readonly #onChange: ((change: Change<S>) => void) | undefined;

  /**
   * @param onChange Told of each change.
   */
  constructor(onChange?: (change: Change<S>) => void) {
    this.#onChange = onChange;
  }

  /** The last changes, oldest first. */
  get changes(): readonly Change<S>[] {
    return this.#changes;
  }

  /** Remembers a change. */
  add(state: S, reason: string | null): void {
    this.total++;
    const change = { at: Date.now(), state, reason };
    this.#changes.push(change);
    if (this.#changes.length > REMEMBERED) this.#changes.shift();
    this.#onChange?.(change);
  }
}

/** What has become of looking up endpoints. */
export class ResolutionFigures {
  /** When there was an answer last, in milliseconds since 1970. */
  answeredAt: number | null = null;
  /** When there was none last, or one that was wrong. */
  failedAt: number | null = null;
  /** Why not, for people. */
  failure: string | null = null;

  /** There is an answer. */
  answer(): void {
    this.answeredAt = Date.now();
  }

  /** There is none, or it is wrong. */
  fail(reason: string): void {
    this.failedAt = Date.now();
    this.failure = reason;
  }
}

/** How many bytes either side may send now, streams set aside. */
export interface ConnectionWindows {
  /** This side, as the peer allows it. */
  readonly local: number;
  /** The peer, as this side allows it. */
  readonly remote: number;
}

/** How a connection is encrypted. */
export interface SecurityFigures {
  /** The name of the cipher suite, as the registry of IANA has it. */
  readonly cipher: string;
  /** The certificate that this side shows, in DER; null for none. */
  readonly localCertificate: Uint8Array | null;
  /** The one that the peer showed. */
  readonly remoteCertificate: Uint8Array | null;
}

/** What can be seen of a socket. */
export interface SocketFigures {
  /** Null for one in memory. */
  readonly local: PeerAddress | null;
  readonly remote: PeerAddress | null;
  /** Null for one in plain text. */
  readonly security: SecurityFigures | null;
}

/** What can be seen of a connection. */
export interface ConnectionFigures extends SocketFigures {
  /** Whether this side opens the streams. */
  readonly isClient: boolean;
  readonly traffic: Traffic;
  /** Null where they are not known. */
  readonly windows: ConnectionWindows | null;
  /** How many streams the peer allows at a time; null if it has not said. */
  readonly maxStreams: number | null;
}

/** A connection, as far as it can be looked at. */
export interface LookedAt {
  readonly figures: ConnectionFigures;
}
