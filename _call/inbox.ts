/**
 * The messages of one direction that have come in and were not taken yet.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";
import { SLICE_WEIGHT, type Taker, type Turns, turns } from "../_turns.ts";

/**
 * Above this many bytes of whole messages nobody took, the stream is paused,
 * so that HTTP/2 flow control slows the sender down to the reader's pace.
 */
const PAUSE_ABOVE_BYTES = 128 * 1024;

/** Below this many bytes a paused stream goes on. */
const RESUME_BELOW_BYTES = 64 * 1024;

/**
 * What a message counts for beyond its bytes, so that a flood of empty
 * messages fills the inbox too.
 */
const MESSAGE_OVERHEAD_BYTES = 32;

/** Uncompressed messages weigh one more for each 4 KiB. */
const WEIGHED_BITS = 12;

/** For less work nobody is asked. */
const ASKED_WEIGHT = 16;

/** What is held is counted when it has changed by so much, in bytes. */
const COUNTED_BYTES = 4096;

/** The call that an inbox belongs to. */
export interface InboxOwner<M> {
  /** The connection, which takes turns with others. */
  readonly party: object;
  /** Makes a message from its bytes, or throws what the call then ends with. */
  decodeMessage(bytes: Uint8Array, compressed: boolean): M;
  /** A message could not be decoded. All who take messages are told so. */
  onBadMessage(error: GRPCError): void;
  /** Stops the flow of bytes. */
  pause(): void;
  /** Lets bytes flow again. */
  resume(): void;
  /** Counts bytes that are held from now on; negative for fewer. */
  hold(bytes: number): void;
}

/** A message that waits and is more than its bytes. */
interface Frame<M> {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
  /** The message, if somebody had to decode it before. */
  readonly message: M | undefined;
  /** What it counts for. */
  readonly size: number;
}

/** A message that waits; nearly all are nothing but bytes. */
type Waiting<M> = Uint8Array | Frame<M>;

/** Where nothing waits; never added to. */
const NOTHING: never[] = [];

/** A message that was decoded before it was taken, and its size. */
export interface Decoded<M> {
  readonly message: M;
  /** How many bytes it was decoded from, decompressed. */
  readonly plainBytes: number;
}

/** What it costs to decode a message, for {@linkcode Turns}. */
export function weightOf(bytes: Uint8Array, compressed: boolean): number {
  return compressed ? SLICE_WEIGHT : 1 + (bytes.length >>> WEIGHED_BITS);
}

function weightOfWaiting<M>(waiting: Waiting<M>): number {
  if (waiting instanceof Uint8Array) return weightOf(waiting, false);
  const { message, bytes, compressed } = waiting;
  return message === undefined ? weightOf(bytes, compressed) : 1;
}

function sizeOf<M>(waiting: Waiting<M>): number {
  return waiting instanceof Uint8Array
    ? waiting.length + MESSAGE_OVERHEAD_BYTES
    : waiting.size;
}

/**
 * A queue of messages, decoded when they are taken: one at a time, so that no
 * more than one is there that was small as it came and is large decompressed.
 * Where a listener has to see them first, they are decoded when it is its turn,
 * and wait for room.
 */
export class Inbox<M> implements Taker {
  readonly #owner: InboxOwner<M>;
  readonly #order: Turns;
  #frames: Waiting<M>[] = NOTHING;
  #next = 0;
  #bytes = 0;
  /** How many of them are counted by the owner, about. */
  #counted = 0;
  /** What was done since somebody was asked whose turn it is. */
  #work = 0;
  #paused = false;
  #takers: PromiseWithResolvers<M | null>[] | null = null;
  /** How many of the takers have their message, and wait for their turn. */
  #turns = 0;
  /** Who waits for room, or a turn, to decode a message that is not taken yet. */
  #room: PromiseWithResolvers<void> | null = null;
  #awaitsTurn = false;
  #weight = 0;
  /** Not yet ended; ended well; ended with an error. */
  #end: undefined | null | Error;

  /** @param order Whose turn it is to take. */
  constructor(owner: InboxOwner<M>, order: Turns = turns) {
    this.#owner = owner;
    this.#order = order;
  }

  get party(): object {
    return this.#owner.party;
  }

  /** Takes in one message: for the one who waits longest, or for later. */
  deliver(bytes: Uint8Array, compressed: boolean, decoded?: Decoded<M>): void {
    const takers = this.#takers;
    const isTaken = takers !== null && takers.length > this.#turns;
    if (isTaken && this.#turns === 0) {
      const weight = decoded === undefined ? weightOf(bytes, compressed) : 1;
      if (this.#mayTake(weight)) {
        const message = decoded?.message;
        return this.#give(takers.shift()!, bytes, compressed, message);
      }
    }
    const size = (decoded?.plainBytes ?? bytes.length) + MESSAGE_OVERHEAD_BYTES;
    const waiting = compressed || decoded !== undefined
      ? { bytes, compressed, message: decoded?.message, size }
      : bytes;
    // A first push would make room for 17, where there is seldom more than one.
    if (this.#frames.length === 0) this.#frames = [waiting];
    else this.#frames.push(waiting);
    this.#bytes += size;
    if (this.#bytes - this.#counted >= COUNTED_BYTES) this.#count();
    if (isTaken) this.#waitTurn();
    if (this.#bytes > PAUSE_ABOVE_BYTES && !this.#paused) {
      this.#paused = true;
      this.#owner.pause();
    }
  }

  /**
   * Waits until a message may be decoded that nobody takes yet: until there is
   * room for it, and a turn. It returns as well when there will be none.
   */
  whenRoom(bytes: Uint8Array, compressed: boolean): void | Promise<void> {
    this.#weight = weightOf(bytes, compressed);
    if (!this.#paused && this.#order.mayTake(this.#weight)) return;
    this.#room = Promise.withResolvers<void>();
    if (!this.#paused) this.#waitForTurn();
    return this.#room.promise;
  }

  /**
   * Gives the next message, or `null` at the end: at once if it is known,
   * otherwise as a promise.
   *
   * @throws {GRPCError} What the messages ended with.
   */
  take(): M | null | Promise<M | null> {
    const first = this.#next + this.#turns;
    const frame = this.#frames[first];
    if (frame !== undefined) {
      if (this.#turns > 0 || !this.#mayTake(weightOfWaiting(frame))) {
        const taker = this.#await();
        this.#waitTurn();
        return taker.promise;
      }
      this.#drop(frame);
      try {
        return frame instanceof Uint8Array
          ? this.#owner.decodeMessage(frame, false)
          : frame.message ??
            this.#owner.decodeMessage(frame.bytes, frame.compressed);
      } catch (error) {
        this.#fail(error as GRPCError);
        throw error;
      }
    }
    if (this.#end === null) return null;
    if (this.#end !== undefined) throw this.#end;
    return this.#await().promise;
  }

  takeTurn(): void {
    if (this.#awaitsTurn) {
      this.#awaitsTurn = false;
      return this.#openRoom();
    }
    // The messages may have ended meanwhile.
    if (this.#turns === 0) return;
    this.#turns--;
    const frame = this.#frames[this.#next]!;
    const taker = this.#takers!.shift()!;
    this.#drop(frame);
    if (frame instanceof Uint8Array) {
      return this.#give(taker, frame, false, undefined);
    }
    this.#give(taker, frame.bytes, frame.compressed, frame.message);
  }

  /** No message follows. What came before is still there to be taken. */
  finish(error: Error | null): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#openRoom();
    const takers = this.#takers?.splice(this.#turns);
    if (takers === undefined) return;
    for (const taker of takers) {
      if (error === null) taker.resolve(null);
      else taker.reject(error);
    }
  }

  /** Ends the messages at once: what nobody took is dropped. */
  abort(error: Error): void {
    this.#frames = NOTHING;
    this.#next = 0;
    this.#bytes = 0;
    this.#turns = 0;
    if (this.#counted > 0) this.#count();
    this.finish(error);
    this.#end = error;
    // Those who were waiting for their turn when all had come.
    for (const taker of this.#takers?.splice(0) ?? []) taker.reject(error);
  }

  #mayTake(weight: number): boolean {
    this.#work += weight;
    if (this.#work < ASKED_WEIGHT) return true;
    const work = this.#work;
    this.#work = 0;
    return this.#order.mayTake(work);
  }

  #count(): void {
    const more = this.#bytes - this.#counted;
    this.#counted = this.#bytes;
    this.#owner.hold(more);
  }

  #await(): PromiseWithResolvers<M | null> {
    const taker = Promise.withResolvers<M | null>();
    (this.#takers ??= []).push(taker);
    return taker;
  }

  #waitTurn(): void {
    const frame = this.#frames[this.#next + this.#turns]!;
    this.#turns++;
    this.#order.wait(this, weightOfWaiting(frame));
  }

  #give(
    taker: PromiseWithResolvers<M | null>,
    bytes: Uint8Array,
    compressed: boolean,
    decoded: M | undefined,
  ): void {
    let message: M;
    try {
      message = decoded ?? this.#owner.decodeMessage(bytes, compressed);
    } catch (error) {
      taker.reject(error);
      this.#fail(error as GRPCError);
      return;
    }
    taker.resolve(message);
  }

  /** A message is bad: nothing behind it counts, even if the call ended well. */
  #fail(error: GRPCError): void {
    this.abort(error);
    this.#owner.onBadMessage(error);
  }

  #waitForTurn(): void {
    this.#awaitsTurn = true;
    this.#order.wait(this, this.#weight);
  }

  #openRoom(): void {
    this.#room?.resolve();
    this.#room = null;
  }

  #drop(frame: Waiting<M>): void {
    this.#next++;
    this.#bytes -= sizeOf(frame);
    if (this.#counted - this.#bytes >= COUNTED_BYTES) this.#count();
    if (this.#next === this.#frames.length) {
      this.#frames = NOTHING;
      this.#next = 0;
    } else if (this.#next > 1024) {
      this.#frames = this.#frames.slice(this.#next);
      this.#next = 0;
    }
    if (this.#paused && this.#bytes < RESUME_BELOW_BYTES) {
      this.#paused = false;
      if (this.#room !== null) {
        if (this.#order.mayTake(this.#weight)) this.#openRoom();
        else this.#waitForTurn();
      }
      this.#owner.resume();
    }
  }
}
