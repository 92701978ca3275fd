/**
 * Whose turn it is to take messages, when one loop serves them all.
 *
 * A handler that reads messages in a loop goes from one to the next without the
 * event loop ever having its turn, as long as there are messages: a peer that
 * sends many, or such that inflate, would have everybody else wait. So after
 * some milliseconds takers wait, and go on in turn, for some milliseconds in each
 * turn of the event loop.
 *
 * Connections share the time, not the turns: whoever would be through first has
 * the next turn, had all of them the same part of the time. So one that wants
 * little goes ahead of a hundred that want much, and none of these has more than
 * another.
 *
 * @see {@link https://doi.org/10.1145/75246.75248} Demers, Keshav and Shenker:
 *   Analysis and Simulation of a Fair Queueing Algorithm.
 * @module
 */

import { clearTimeout, setTimeout } from "node:timers";
import { noContext } from "./_context.ts";

/** Somebody who takes something that costs time. */
export interface Taker {
  /** The connection: its takers have one place in the order. */
  readonly party: object;
  /** Called once for each {@linkcode Turns.wait}. */
  takeTurn(): void;
}

/** How long messages are taken in one turn of the event loop. */
export const SLICE_MS = 3;

/**
 * How many turns of the event loop are left to others then: a call that has
 * nothing to do with all this takes some, from its request to its reply. If there
 * is none they last some microseconds.
 */
const REST_TURNS = 4;

/**
 * After so long sockets have their turn. On Deno 2.9.6 they have none while
 * immediates are waited for, but in one of 61 turns of the event loop: that is
 * how often tokio looks at them unless there is nothing else to do, which there is
 * not when a timer is waited for.
 */
const SOCKETS_MS = 10;

/**
 * The clock is looked at for so much work at a time: it costs as much as to take
 * a message.
 */
export const SLICE_WEIGHT = 64;

/** What is expected of a weight, in milliseconds, before it was taken. */
const MS_PER_WEIGHT = SLICE_MS / SLICE_WEIGHT;

/**
 * How much of the time of others a party is put behind at most, in milliseconds:
 * who was refused much once, such as a proxy, is not to wait for minutes.
 */
const MOST_BEHIND_MS = 1000;

/**
 * A connection. Its times are of a clock that runs for all who wait as if each of
 * them had its part of every moment.
 */
interface Party {
  readonly takers: { readonly taker: Taker; readonly weight: number }[];
  /** Until when it has had its part. */
  start: number;
  /** When its next taker is through, as far as that can be told. */
  end: number;
  /** Whether it waits, or has its turn at this moment. */
  isWaiting: boolean;
  /** What it was charged with since then, in milliseconds. */
  charged: number;
}

/** The takers of a process, which has one event loop. */
export class Turns {
  readonly #parties = new WeakMap<object, Party>();
  /**
   * Those who wait, as a heap: first whoever is through first. Some may have left
   * meanwhile, but not all of them.
   */
  readonly #heap: Party[] = [];
  /** How many takers wait. */
  #waiting = 0;
  /** When those begin that have not waited before. */
  #virtual = 0;
  readonly #now: () => number;
  #weight = 0;
  /** When this turn of the event loop began; an earlier one, if none is scheduled. */
  #since = 0;
  /** Whether the end of this turn is waited for. */
  #isScheduled = false;
  /** How many turns of the loop are left to others, before the next taker's. */
  #rest = 0;
  /** Whether it is the sockets' turn. */
  #areSocketsNext = false;
  /** What ends it. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When they had their last one. */
  #socketsAt = 0;

  /** @param now Tells the time, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Asks whether something may be taken now. If not, `wait` for it.
   *
   * @param weight What it costs: 1 for a small message.
   */
  mayTake(weight: number): boolean {
    if (this.#heap.length > 0) return false;
    this.#weight += weight;
    if (this.#weight < SLICE_WEIGHT) return true;
    this.#weight = 0;
    const now = this.#now();
    const isOver = now - this.#since >= SLICE_MS;
    if (this.#isScheduled || !isOver) return !isOver;
    // It may be long since anybody asked, or the loop may not have turned since.
    // To know that is not free, so it is not asked before the time is up once.
    this.#since = now;
    this.#schedule();
    return true;
  }

  /**
   * Waits for a turn.
   *
   * @param weight What it will cost: 1 for a small message.
   */
  wait(taker: Taker, weight = 1): void {
    const party = this.#partyOf(taker.party);
    party.takers.push({ taker, weight });
    this.#waiting++;
    if (!party.isWaiting) {
      party.isWaiting = true;
      party.start = Math.max(this.#virtual, party.start);
      this.#push(party);
    }
    this.#schedule();
  }

  /**
   * Waits no more. When nobody does, there is no timer left: one that outlives
   * its connection is a leak to a test.
   */
  leave(taker: Taker): void {
    const { takers } = this.#partyOf(taker.party);
    const at = takers.findIndex((it) => it.taker === taker);
    if (at < 0) return;
    takers.splice(at, 1);
    this.#countLess();
    if (this.#waiting > 0) return;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#areSocketsNext = false;
    this.#isScheduled = false;
  }

  /**
   * Has a connection wait longer, as long as others wait as well: for a second of
   * their time at most.
   *
   * @param ms How much of the time it is supposed to have had, in milliseconds.
   */
  charge(key: object, ms: number): void {
    const party = this.#partyOf(key);
    // Its place in the order is taken, and what begins with its next turn is the
    // time of all the others: it pays after that.
    if (party.isWaiting) party.charged += ms;
    else this.#putBehind(party, ms);
  }

  #putBehind(party: Party, ms: number): void {
    const now = this.#virtual;
    const start = Math.max(now, party.start);
    party.start = Math.max(start, Math.min(start + ms, now + MOST_BEHIND_MS));
  }

  #partyOf(key: object): Party {
    let party = this.#parties.get(key);
    if (party === undefined) {
      party = { takers: [], start: 0, end: 0, isWaiting: false, charged: 0 };
      this.#parties.set(key, party);
    }
    return party;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    noContext(() => {
      if (this.#areSocketsNext) this.#timer = setTimeout(takeTurns, 0, this);
      else setImmediate(takeTurns, this);
    });
  }

  /** Has takers have their turns, as long as one of the loop lasts. */
  run(): void {
    if (this.#areSocketsNext) {
      this.#areSocketsNext = false;
      this.#timer = undefined;
      this.#socketsAt = this.#now();
    }
    if (this.#heap.length === 0 || this.#rest > 0) {
      this.#isScheduled = false;
      if (this.#heap.length > 0) {
        this.#rest--;
        this.#schedule();
      }
      return;
    }
    this.#weight = 0;
    this.#since = this.#now();
    this.#takeNext(this.#since);
  }

  /** Has the next one have a turn, which began just now. */
  #takeNext(start: number): void {
    let party = this.#pop();
    while (party.takers.length === 0) {
      this.#endWait(party);
      party = this.#pop();
    }
    this.#virtual = Math.max(this.#virtual, party.start);
    const { taker, weight } = party.takers.shift()!;
    this.#countLess();
    try {
      taker.takeTurn();
    } finally {
      // What is taken has others go on as soon as the stack is empty: handlers,
      // for one. Their time is its time.
      queueMicrotask(() => this.#settle(party, weight, start));
    }
  }

  #settle(party: Party, weight: number, start: number): void {
    const now = this.#now();
    // What takes much longer than anybody knew was somebody else's, such as the
    // garbage collector.
    const ms = Math.min(now - start, SLICE_MS);
    party.start += Math.max(ms, weight * MS_PER_WEIGHT);
    this.#pay(party);
    if (party.takers.length > 0) this.#push(party);
    else party.isWaiting = false;
    if (now - this.#since < SLICE_MS && this.#heap.length > 0) {
      return this.#takeNext(now);
    }
    if (this.#heap.length > 0) {
      this.#areSocketsNext = now - this.#socketsAt >= SOCKETS_MS;
      this.#rest = this.#areSocketsNext ? 0 : REST_TURNS;
    }
    // What the takers do next belongs to this turn.
    this.#isScheduled = false;
    this.#schedule();
  }

  /** One waits less. */
  #countLess(): void {
    if (--this.#waiting > 0) return;
    for (const party of this.#heap.splice(0)) this.#endWait(party);
  }

  #endWait(party: Party): void {
    this.#pay(party);
    party.isWaiting = false;
  }

  #pay(party: Party): void {
    if (party.charged === 0) return;
    this.#putBehind(party, party.charged);
    party.charged = 0;
  }

  #push(party: Party): void {
    const heap = this.#heap;
    party.end = party.start + party.takers[0]!.weight * MS_PER_WEIGHT;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      // Those who are equal keep their order as far as a heap can.
      if (heap[parent]!.end <= party.end) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = party;
  }

  #pop(): Party {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    const { length } = heap;
    if (length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= length) break;
      const right = child + 1;
      if (right < length && heap[right]!.end < heap[child]!.end) child = right;
      if (heap[child]!.end >= last.end) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function takeTurns(turns: Turns): void {
  turns.run();
}

/** The takers of this process. */
export const turns: Turns = new Turns();
