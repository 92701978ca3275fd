/**
 * The attempts of a call that may make several: by retries one after another, by
 * hedging beside each other.
 *
 * It stands in the seam between a call and the channel. To the call it is one
 * stream, on which the answer of the attempt that counts comes; to the channel
 * each attempt is a call of its own, which asks for a connection again. Calls that
 * make one attempt only have none of this.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md}
 * @module
 */

import { type CallRecord, sendRequestHead } from "../call_record.ts";
import { type Context, noContext } from "../../_context.ts";
import type { AttemptPolicy } from "./call_policy.ts";
import { countAttempts, GRPCError } from "../../core/errors.ts";
import type { Peer } from "../../core/peer.ts";
import { Status } from "../../core/status.ts";
import {
  type HeaderBlock,
  type RawHeaders,
  repeatedHead,
} from "../../_wire/headers.ts";
import { parseOutcome } from "../../_wire/outcome.ts";
import type { Account } from "../account.ts";
import {
  type ByteStream,
  type CloseReason,
  ResetCode,
  type StreamClaim,
  type StreamSource,
} from "../byte_stream.ts";
import type { DeadlineEntry, DeadlineQueue } from "../deadline_queue.ts";
import {
  Attempt,
  type AttemptOwner,
  type FailedAttempt,
  failureOfClose,
  failureOfHead,
} from "./attempt.ts";
import { type AttemptPlan, planOf } from "./attempt_plan.ts";
import { RetryBuffer } from "./retry_buffer.ts";
import type { ClientHost } from "./host.ts";
import { TransparentRetry } from "./transparent_retry.ts";

/** Another attempt that a call makes. */
export interface NextAttempt {
  /** Which one it is: 2 for the second. */
  readonly attempt: number;
  /** What the last one failed with; null if it is still running. */
  readonly error: GRPCError | null;
  /** How much later it begins, in milliseconds. */
  readonly delayMs: number;
}

/** The call that attempts are made for. */
export interface AttemptsOwner extends StreamClaim {
  /** What is counted of it; null if nobody observes it. */
  readonly record: CallRecord | null;
  /** Whether the call is over, well or not. */
  readonly finished: boolean;
  /** How many milliseconds the call may still take, or Infinity. */
  readonly timeLeftMs: number;
  /** The connection of the attempt that goes on. */
  onConnection(account: Account, peer: Peer): void;
}

/** The parts of the call that each attempt needs. */
export interface AttemptsParts {
  /** Makes the heads. */
  readonly sender: {
    /** Makes the head of a further attempt, before which there were so many. */
    headFor(previousAttempts: number): HeaderBlock;
  };
  /** Who is told of another attempt; null if nobody listens. */
  readonly events: {
    /** Tells of another attempt, and calls `next` then. */
    retryCall(describe: () => NextAttempt, next: () => void): void;
  } | null;
}

/** Why the stream ends that the call has reset. */
const RESET: CloseReason = {
  clean: true,
  status: Status.UNKNOWN,
  message: "",
  unprocessed: false,
};

/** The attempts of one call. */
export class Attempts implements StreamSource, ByteStream, AttemptOwner {
  readonly call: AttemptsOwner;
  /** How many attempts were made, beside those that no server has looked at. */
  made = 0;
  readonly #parts: AttemptsParts;
  readonly #source: StreamSource;
  readonly #plan: AttemptPlan;
  readonly #transparent = new TransparentRetry();
  readonly #buffer: RetryBuffer;
  readonly #deadlines: DeadlineQueue;
  /** The time until the next attempt; undefined before the first further one. */
  #timer: AttemptTimer | undefined;
  /** Those that have neither failed nor lost. */
  readonly #running = new Set<Attempt>();
  /** The one that the call is committed to. */
  #chosen: Attempt | null = null;
  /** Whether another attempt is about to begin, now or later. */
  #isNextDue = false;
  /** The account of the connection that was told to the call last. */
  #account: Account | null = null;
  /** Whether the call has sent its head, and whether that is all it sends. */
  #isOpen = false;
  #headEnds = false;
  /** Whether there are no further attempts: not all can be kept for them. */
  #isLast = false;
  /** Whether the call is over. */
  #isOver = false;
  /** Who waits to send until an attempt is open. */
  #gate: PromiseWithResolvers<void> | undefined;

  /**
   * @param call The call.
   * @param host Its channel.
   * @param policy How many attempts it makes, and when.
   * @param parts What else each attempt needs of the call.
   */
  constructor(
    call: AttemptsOwner,
    host: ClientHost,
    policy: AttemptPolicy,
    parts: AttemptsParts,
  ) {
    const { source, retries, config, deadlines } = host;
    this.call = call;
    this.#parts = parts;
    this.#source = source;
    this.#plan = planOf(policy, retries.throttle);
    this.#buffer = new RetryBuffer(
      retries.budget,
      config.perCallRetryBufferSize,
    );
    this.#deadlines = deadlines;
  }

  /** The account of the connection that the call is on. */
  get account(): Account {
    return this.#account!;
  }

  /** Whether a server was asked, and has not answered. */
  get isAsking(): boolean {
    for (const { isOpen, stream } of this.#running) {
      if (isOpen && stream !== null) return true;
    }
    return false;
  }

  // The channel, to the call

  claim(): void {
    this.#begin();
  }

  withdraw(): void {
    this.finish();
  }

  /**
   * The call is over. Attempts that have a stream are left to their servers,
   * until the call resets it.
   *
   * @param error What it failed with, if it has.
   */
  finish(error: Error | null = null): void {
    if (error instanceof GRPCError) countAttempts(error, this.made);
    this.#isOver = true;
    this.#stopNext();
    this.#buffer.release();
    this.#gate?.resolve();
    for (const attempt of this.#running) {
      if (attempt.stream === null) this.#drop(attempt);
    }
  }

  // The stream, to the call

  sendHead(head: HeaderBlock, end = false): void {
    this.#isOpen = true;
    this.#headEnds = end;
    let own: HeaderBlock | undefined = head;
    for (const attempt of this.#running) {
      const { stream, previous } = attempt;
      if (stream === null) continue;
      this.#open(attempt, own && repeatedHead(own, previous));
      own = undefined;
    }
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    if (this.#chosen !== null) return this.#chosen.stream?.send(bytes, end);
    if (!this.#buffer.hasRoom(bytes.length)) {
      const attempt = this.#lastOpen();
      if (attempt !== null) {
        this.#choose(attempt);
        return attempt.stream!.send(bytes, end);
      }
    }
    this.#buffer.keep(bytes, end);
    let open = 0;
    let waits: Promise<void>[] | null = null;
    for (const attempt of this.#running) {
      if (!attempt.isOpen) continue;
      open++;
      const wait = attempt.stream!.send(bytes, end);
      if (wait !== undefined) (waits ??= []).push(wait);
    }
    if (open === 0) return (this.#gate ??= Promise.withResolvers()).promise;
    // The slowest must not hold up the one that may count.
    if (waits !== null && waits.length === open) return Promise.race(waits);
  }

  /**
   * There is more than is kept: gives the attempt that the call goes on with. A
   * single message is there anyway as long as its call is, and one between two
   * attempts goes with the next: they are kept for what no server looks at.
   */
  #lastOpen(): Attempt | null {
    this.#isLast = true;
    let first: Attempt | null = null;
    for (const attempt of this.#running) {
      if (attempt.isOpen) first ??= attempt;
    }
    if (first === null) return null;
    this.#stopNext();
    return this.#buffer.isEmpty && this.#running.size === 1 ? null : first;
  }

  sendTrailers(): void {}

  reset(code: ResetCode): void {
    const stream = this.#chosen?.stream;
    if (stream) return stream.reset(code);
    for (const attempt of this.#running) this.#drop(attempt, code);
    this.call.onClose(RESET);
  }

  pause(): void {
    this.#chosen?.stream?.pause();
  }

  resume(): void {
    this.#chosen?.stream?.resume();
  }

  // The attempts

  onStream(attempt: Attempt): void {
    const { stream, peer } = attempt;
    const isFirst = this.#account === null;
    this.#account = stream!.account;
    if (isFirst) return this.call.onStream(this, peer!);
    this.call.onConnection(stream!.account, peer!);
    if (this.#isOpen) this.#open(attempt);
  }

  onHead(attempt: Attempt, raw: RawHeaders, end: boolean): void {
    if (this.#isOver || !this.#running.has(attempt)) return;
    const failure = attempt.isChosen ? null : failureOfHead(raw, end);
    if (failure === null) {
      if (!attempt.isChosen) this.#choose(attempt);
      if (end) this.#plan.onEnd(parseOutcome(raw).status);
      return this.call.onHead(raw, end);
    }
    if (!this.#isFollowed(attempt, failure)) {
      this.#choose(attempt);
      return this.call.onHead(raw, end);
    }
    // The server is through; so is this side, whatever it had still to send.
    if (!end) attempt.stream?.reset(ResetCode.CANCEL);
    else if (!this.#isEnded) attempt.stream?.reset(ResetCode.NO_ERROR);
  }

  onEnd(trailers: RawHeaders): void {
    if (this.#isOver) return;
    if (trailers.length > 0) this.#plan.onEnd(parseOutcome(trailers).status);
    this.call.onEnd(trailers);
  }

  onClose(attempt: Attempt, why: CloseReason, hadStream: boolean): void {
    if (!this.#running.has(attempt)) return;
    if (this.#isOver || attempt.isChosen) {
      this.#running.delete(attempt);
      if (this.#running.size === 0) this.call.onClose(why);
      return;
    }
    if (hadStream && this.#transparent.begin(why)) {
      this.#running.delete(attempt);
      this.call.record?.attemptFailed(why.status);
      const again = new Attempt(this, attempt.previous);
      return this.#inContext(() => this.#claim(again));
    }
    if (this.#isLocal(why) || !this.#isFollowed(attempt, failureOfClose(why))) {
      this.#choose(attempt);
      this.#running.delete(attempt);
      this.call.onClose(why);
    }
  }

  /** Whether it is this side that has ended the stream. */
  #isLocal({ status, unprocessed }: CloseReason): boolean {
    // By closing the channel, or because the server's clock rang first.
    return status === Status.CANCELLED &&
      (unprocessed || this.call.timeLeftMs === 0);
  }

  /** Whether all requests are sent. */
  get #isEnded(): boolean {
    return this.#headEnds || this.#buffer.isEnded;
  }

  /** Begins an attempt, and those that belong beside it. */
  #begin(): void {
    this.#claim(new Attempt(this, this.made++));
    if (this.#isOver || this.#chosen !== null) return;
    if (this.#isLast || this.#isNextDue) return;
    const delayMs = this.#plan.beside(this.made);
    if (delayMs === null || delayMs >= this.call.timeLeftMs) return;
    this.#isNextDue = true;
    if (delayMs === 0) this.#announce(0, null);
    else this.#announceLater(delayMs, null);
  }

  #claim(attempt: Attempt): void {
    this.#running.add(attempt);
    this.#source.claim(attempt);
  }

  /** Sends on a stream what the call has sent so far. */
  #open(
    attempt: Attempt,
    head = this.#parts.sender.headFor(attempt.previous),
  ): void {
    const stream = attempt.stream!;
    attempt.isOpen = true;
    sendRequestHead(this.call.record, stream, head, this.#headEnds);
    const wait = this.#buffer.sendOn(stream);
    const gate = this.#gate;
    this.#gate = undefined;
    if (wait === undefined) gate?.resolve();
    else if (gate !== undefined) wait.then(gate.resolve);
  }

  /** Whether the call goes on though an attempt has failed, which is settled then. */
  #isFollowed(attempt: Attempt, failure: FailedAttempt): boolean {
    const sequel = this.#plan.after(failure, this.made);
    if (sequel === "final") return false;
    this.#stopNext();
    // No attempt is worth a wait that the deadline ends.
    const isNext = sequel !== "none" && !this.#isLast &&
      sequel < this.call.timeLeftMs;
    if (!isNext && this.#running.size === 1) return false;
    this.#running.delete(attempt);
    this.call.record?.attemptFailed(failure.status);
    if (isNext) {
      this.#isNextDue = true;
      if (sequel > 0) this.#announceLater(sequel, failure);
      else this.#inContext(() => this.#announce(sequel, failure));
    }
    return true;
  }

  #announceLater(delayMs: number, failure: FailedAttempt | null): void {
    this.#timer ??= new AttemptTimer(this.#deadlines);
    this.#timer.start(
      delayMs,
      () => this.#inContext(() => this.#announce(delayMs, failure)),
    );
  }

  /** Tells listeners of the next attempt, and begins it then. */
  #announce(delayMs: number, failure: FailedAttempt | null): void {
    const describe = (): NextAttempt => ({
      attempt: this.made + 1,
      error: failure === null ? null : failure.toError(),
      delayMs,
    });
    const begin = (): void => {
      if (!this.#isNextDue) return;
      this.#isNextDue = false;
      this.#begin();
    };
    const { events } = this.#parts;
    if (events === null) begin();
    else events.retryCall(describe, begin);
  }

  #stopNext(): void {
    this.#isNextDue = false;
    this.#timer?.stop();
  }

  /** Commits the call to an attempt. */
  #choose(attempt: Attempt): void {
    this.#chosen = attempt;
    attempt.isChosen = true;
    this.#stopNext();
    this.#buffer.release();
    for (const other of this.#running) {
      if (other !== attempt) this.#drop(other);
    }
    const { stream, peer } = attempt;
    if (stream === null || stream.account === this.#account) return;
    this.#account = stream.account;
    this.call.onConnection(stream.account, peer!);
  }

  #drop(attempt: Attempt, code: ResetCode = ResetCode.CANCEL): void {
    this.#running.delete(attempt);
    if (attempt.stream === null) this.#source.withdraw(attempt);
    else attempt.stream.reset(code);
  }

  /** Does something of the call's where the moment's context is another's. */
  #inContext(step: () => void): void {
    const context: Context = this.call.context ?? noContext;
    context(step);
  }
}

/** The time until the next attempt of a call. */
class AttemptTimer implements DeadlineEntry {
  expiresAt = Infinity;
  slot = -1;
  readonly #deadlines: DeadlineQueue;
  #fire: (() => void) | undefined;

  constructor(deadlines: DeadlineQueue) {
    this.#deadlines = deadlines;
  }

  start(delayMs: number, fire: () => void): void {
    this.stop();
    this.expiresAt = this.#deadlines.now() + delayMs;
    this.#fire = fire;
    this.#deadlines.add(this);
  }

  stop(): void {
    this.#deadlines.remove(this);
  }

  onDeadline(): void {
    this.#fire!();
  }
}
