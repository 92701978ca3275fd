/**
 * Whose turn it is to take messages, when one loop serves them all.
 *
 * A handler that reads messages in a loop goes from one to the next without the
 * event loop ever having its turn, as long as there are messages: a peer that
 * sends many, or such that inflate, would have everybody else wait. So after
 * some milliseconds takers wait, and go on in turn: one message each, and the
 * connections one after the other, for some milliseconds in each turn of the
 * event loop.
 *
 * @module
 */

import { noContext } from "./_context.ts";

/** Somebody who takes something that costs time. */
export interface Taker {
  /** The connection: its takers have one place in the order. */
  readonly party: object;
  /** Called once for each {@linkcode Turns.wait}. */
  takeTurn(): void;
}

/** How long messages are taken in one turn of the event loop. */
const SLICE_MS = 3;

/**
 * How many turns of the event loop are left to others then: a call that has
 * nothing to do with all this takes some, from its request to its reply. If there
 * is none they last some microseconds.
 */
const REST_TURNS = 4;

/**
 * The clock is looked at for so much work at a time: it costs as much as to take
 * a message.
 */
export const SLICE_WEIGHT = 64;

/** The takers of a process, which has one event loop. */
export class Turns {
  /** Those who wait, by connection; the next connection comes first. */
  readonly #waiting = new Map<object, Taker[]>();
  readonly #now: () => number;
  #weight = 0;
  /** When this turn of the event loop began; an earlier one, if none is scheduled. */
  #since = 0;
  /** Whether the end of this turn is waited for. */
  #isScheduled = false;
  /** How many turns of the loop are left to others, before the next taker's. */
  #rest = 0;

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
    if (this.#waiting.size > 0) return false;
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

  /** Waits for a turn. */
  wait(taker: Taker): void {
    const takers = this.#waiting.get(taker.party);
    if (takers === undefined) this.#waiting.set(taker.party, [taker]);
    else takers.push(taker);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    noContext(() => setImmediate(takeTurns, this));
  }

  /** Has takers have their turns, as long as one of the loop lasts. */
  run(): void {
    this.#isScheduled = false;
    if (this.#waiting.size === 0) return;
    if (this.#rest > 0) {
      this.#rest--;
      return this.#schedule();
    }
    this.#weight = 0;
    const since = this.#since = this.#now();
    // What is set again while this goes on comes behind the others.
    for (const [party, takers] of this.#waiting) {
      this.#waiting.delete(party);
      const taker = takers.shift()!;
      if (takers.length > 0) this.#waiting.set(party, takers);
      taker.takeTurn();
      if (this.#now() - since < SLICE_MS) continue;
      this.#rest = REST_TURNS;
      break;
    }
    // What the takers do next belongs to this turn.
    this.#schedule();
  }
}

function takeTurns(turns: Turns): void {
  turns.run();
}

/** The takers of this process. */
export const turns: Turns = new Turns();
