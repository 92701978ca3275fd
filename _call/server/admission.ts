/**
 * Which calls may start: how many handlers run at once, and which calls wait
 * for that, or are refused.
 *
 * A handler counts until it returns, whatever has become of its call: one that
 * does not heed its signal goes on. Calls wait when there are as many as there
 * may be, when too much is held for their connection, and, if they have to be
 * decompressed, until it is their connection's turn. They wait by connection,
 * and the connections take turns.
 *
 * @module
 */

import { noContext } from "../../_context.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { Account } from "../account.ts";
import type { Route } from "./route.ts";
import type { RefusalReason } from "./host.ts";
import { SLICE_WEIGHT, type Taker, turns } from "../../_turns.ts";

/** Where a call is, for its admission. */
export const Place = { NONE: 0, WAITING: 1, RUNNING: 2 } as const;

/** One of the values of {@linkcode Place}. */
export type Place = typeof Place[keyof typeof Place];

/** A call that wants to start. */
export interface Admitted {
  readonly account: Account;
  readonly start: { readonly request: { readonly route: Route } };
  /** What it costs to begin it, for {@linkcode turns}. */
  readonly weight: number;
  /** Kept by the admission. */
  place: Place;
  queuedAt: number;
  /** There is room: it goes on. */
  admit(): void;
  /** It has to end with this. */
  fail(error: GRPCError): void;
}

/** The limits of an admission. */
export interface AdmissionLimits {
  /** How many handlers run at once. */
  readonly maxRunningCalls: number;
  /** How many of one method. */
  readonly maxRunningCallsPerMethod: number;
  /** How many of one connection. */
  readonly maxConcurrentStreams: number;
  /** How many calls wait. */
  readonly maxQueuedCalls: number;
  /** How long they wait, in milliseconds. */
  readonly maxQueueTimeMs: number;
}

/** The server. */
export interface AdmissionOwner<Call> {
  /** Whether it is too busy to begin anything new. */
  readonly isLate: boolean;
  /** The time, in milliseconds. */
  now(): number;
  /** A call was refused. */
  onRefused(reason: RefusalReason, call: Call): void;
}

/**
 * When a refused client may try again, in milliseconds.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#pushback}
 */
const PUSHBACK_MS = 1000;

/** A connection has few calls when fewer than this run or wait. */
const FEW_OF_ALL = 64;

/** So many small calls of a connection that have waited begin at once. */
const FEW = 16;

/** What a refused call counts for, in milliseconds, for {@linkcode turns}. */
const REFUSAL_MS = 5;

/**
 * The part of all handlers that anybody may have. Of what is left a connection
 * has this part at most: the less there is the less it is, so that those who want
 * much do not shut out who wants little.
 */
const NEARLY = 0.75;
const SHARE = 1 / 64;

/** What it costs at least to begin a call that has waited, for {@linkcode turns}. */
const MIN_WEIGHT = 4;

function weightOf({ weight }: Admitted): number {
  return Math.max(weight, MIN_WEIGHT);
}

/** The calls of one connection that wait. */
class Queue<Call extends Admitted> implements Taker {
  readonly party: Account;
  readonly calls = new Set<Call>();
  isAwaitingTurn = false;
  readonly #onTurn: (queue: Queue<Call>) => void;

  constructor(account: Account, onTurn: (queue: Queue<Call>) => void) {
    this.party = account;
    this.#onTurn = onTurn;
  }

  takeTurn(): void {
    this.isAwaitingTurn = false;
    this.#onTurn(this);
  }
}

/** Lets calls start, or wait. */
export class Admission<Call extends Admitted = Admitted> {
  readonly #owner: AdmissionOwner<Call>;
  readonly #limits: AdmissionLimits;
  /** The connections with calls that wait, in the order of their turns. */
  readonly #queues = new Map<Account, Queue<Call>>();
  readonly #perMethod: Map<Route, number> | null;
  /** What calls are refused with, by message: to make an error takes as long as all else. */
  readonly #errors = new Map<string, GRPCError>();
  /** From how many on it matters whose they are. */
  readonly #nearly: number;
  #running = 0;
  #queued = 0;
  #isScheduled = false;

  constructor(owner: AdmissionOwner<Call>, limits: AdmissionLimits) {
    this.#owner = owner;
    this.#limits = limits;
    this.#nearly = Math.ceil(limits.maxRunningCalls * NEARLY);
    this.#perMethod = limits.maxRunningCallsPerMethod === Infinity
      ? null
      : new Map();
  }

  /** How many handlers run. */
  get runningCalls(): number {
    return this.#running;
  }

  /** How many calls wait. */
  get queuedCalls(): number {
    return this.#queued;
  }

  /** A call wants to start: it does so at once, or later, or not at all. */
  enter(call: Call): void {
    if (this.#owner.isLate) {
      return this.#refuse(
        call,
        "delay",
        Status.UNAVAILABLE,
        "Server is overloaded: its event loop is late",
      );
    }
    if (
      this.#queues.size === 0 ? this.#hasRoom(call) : this.#mayOvertake(call)
    ) {
      const { weight } = call;
      if (weight < SLICE_WEIGHT || turns.mayTake(weight)) {
        return this.#admit(call);
      }
    }
    this.#enqueue(call);
  }

  /** The handler of a call is through, or will never start. */
  leave(call: Call): void {
    const { place, account } = call;
    call.place = Place.NONE;
    if (place === Place.RUNNING) {
      this.#running--;
      account.runningCalls--;
      this.#count(call, -1);
      if (this.#queued > 0) this.schedule();
    } else if (place === Place.WAITING) {
      const queue = this.#queues.get(account)!;
      queue.calls.delete(call);
      this.#queued--;
      if (queue.calls.size > 0) return;
      this.#queues.delete(account);
      if (!queue.isAwaitingTurn) return;
      queue.isAwaitingTurn = false;
      turns.leave(queue);
    }
  }

  /** Looks soon which calls may start by now. */
  schedule(): void {
    if (this.#isScheduled || this.#queued === 0) return;
    this.#isScheduled = true;
    noContext(() =>
      setImmediate(() => {
        this.#isScheduled = false;
        for (const queue of [...this.#queues.values()]) this.#tryNext(queue);
      })
    );
  }

  /** Refuses the calls that have waited for too long. */
  expire(): void {
    if (this.#queued === 0) return;
    const { maxQueueTimeMs } = this.#limits;
    const before = this.#owner.now() - maxQueueTimeMs;
    for (const queue of [...this.#queues.values()]) {
      for (const call of [...queue.calls]) {
        if (call.queuedAt > before) break;
        this.#refuseFull(call, `waited for ${maxQueueTimeMs} ms`);
      }
    }
  }

  /** Those of connections that have none waiting are not kept by those that have. */
  #mayOvertake(call: Call): boolean {
    return !this.#queues.has(call.account) &&
      this.#hasRoom(call);
  }

  #hasRoom({ account, start }: Call): boolean {
    const limits = this.#limits;
    if (
      account.mustWait || account.runningCalls >= limits.maxConcurrentStreams ||
      this.#running >= this.#nearly && !this.#hasShare(account)
    ) return false;
    const perMethod = this.#perMethod;
    if (perMethod === null) return true;
    const running = perMethod.get(start.request.route) ?? 0;
    return running < limits.maxRunningCallsPerMethod;
  }

  /** Whether a connection has so few calls that the last places are for it. */
  #hasShare({ runningCalls }: Account): boolean {
    const left = this.#limits.maxRunningCalls - this.#running;
    return runningCalls < left * SHARE;
  }

  #admit(call: Call): void {
    call.place = Place.RUNNING;
    this.#running++;
    call.account.runningCalls++;
    this.#count(call, 1);
    call.admit();
  }

  #count({ start: { request: { route } } }: Call, more: number): void {
    const perMethod = this.#perMethod;
    if (perMethod === null) return;
    perMethod.set(route, (perMethod.get(route) ?? 0) + more);
  }

  #enqueue(call: Call): void {
    const { account } = call;
    const { maxQueuedCalls } = this.#limits;
    const waiting = this.#queues.get(account)?.calls.size ?? 0;
    // Those who have few may have some wait where others have many.
    const count = account.runningCalls + waiting;
    const most = count < FEW_OF_ALL ? 2 * maxQueuedCalls : maxQueuedCalls;
    if (this.#queued >= most && !this.#makePlace(count)) {
      return this.#refuseFull(call, `${maxQueuedCalls} others wait`);
    }
    let queue = this.#queues.get(account);
    if (queue === undefined) {
      queue = new Queue(account, (queue) => this.#takeTurn(queue));
      this.#queues.set(account, queue);
    }
    call.place = Place.WAITING;
    call.queuedAt = this.#owner.now();
    queue.calls.add(call);
    this.#queued++;
    if (queue.calls.size === 1 || this.#perMethod !== null) {
      this.#tryNext(queue);
    }
  }

  /**
   * Makes a place for a call of a connection that has fewer than others, at the
   * cost of the one that has most that run and wait: its newest call is refused.
   * (Not of the one that has most waiting: who makes short calls has nearly all of
   * them waiting, and may have fewer than anybody.)
   *
   * @param count How many of the connection run or wait.
   * @returns Whether there is one.
   */
  #makePlace(count: number): boolean {
    // Those who have as many as all have on average need not be compared.
    const total = this.#queued + this.#running;
    if (this.#queued === 0 || (count + 1) * this.#queues.size >= total) {
      return false;
    }
    let most = 0;
    let calls: Iterable<Call> = [];
    for (const queue of this.#queues.values()) {
      const all = queue.party.runningCalls + queue.calls.size;
      if (all > most) [most, calls] = [all, queue.calls];
    }
    // The average counts those that run of connections with none waiting, too.
    // Never is it the connection that asks: it has no more than `count`.
    if (most <= count + 1) return false;
    let newest: Call | null = null;
    for (const call of calls) newest = call;
    this.#refuseFull(newest!, "others of its connection wait");
    return true;
  }

  /** Begins what may begin of a connection, or waits for its turn. */
  #tryNext(queue: Queue<Call>): void {
    for (let begun = 0;; begun++) {
      const call = this.#nextOf(queue);
      if (call === null) return;
      // One that is large has a turn for itself; so have many small ones.
      const isMuch = call.weight >= SLICE_WEIGHT || begun >= FEW;
      if (isMuch && !turns.mayTake(weightOf(call))) {
        if (queue.isAwaitingTurn) return;
        queue.isAwaitingTurn = true;
        return turns.wait(queue, weightOf(call));
      }
      this.#begin(call);
    }
  }

  #takeTurn(queue: Queue<Call>): void {
    const call = this.#nextOf(queue);
    if (call === null) return;
    this.#begin(call);
    if (queue.calls.size === 0) return;
    queue.isAwaitingTurn = true;
    turns.wait(queue, MIN_WEIGHT);
  }

  /** The first call that may begin: of another method, perhaps, than others. */
  #nextOf({ calls }: Queue<Call>): Call | null {
    for (const call of calls) {
      if (this.#hasRoom(call)) return call;
      if (this.#perMethod === null) break;
    }
    return null;
  }

  #begin(call: Call): void {
    this.leave(call);
    this.#admit(call);
  }

  #refuseFull(call: Call, why: string): void {
    // Who has all that it may have must not keep others from having some: to read
    // ever more of its calls, and to refuse them, takes time.
    if (!this.#hasShare(call.account)) turns.charge(call.account, REFUSAL_MS);
    // Memory is mentioned only where there would be room otherwise.
    const reason = call.account.mustWait ? "memory" : "calls";
    const what = reason === "memory"
      ? "too much is held for the connection"
      : "too many calls run";
    this.#refuse(
      call,
      reason,
      Status.RESOURCE_EXHAUSTED,
      `Server is overloaded: ${what}, and ${why}`,
    );
  }

  #refuse(
    call: Call,
    reason: RefusalReason,
    status: Status,
    message: string,
  ): void {
    this.#owner.onRefused(reason, call);
    let error = this.#errors.get(message);
    if (error === undefined) {
      error = new GRPCError(status, message, { retryAfterMs: PUSHBACK_MS });
      this.#errors.set(message, error);
    }
    call.fail(error);
  }
}
