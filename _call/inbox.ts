/**
 * The messages of one direction that have come in and were not taken yet.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";

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

/** The call that an inbox belongs to. */
export interface InboxOwner<M> {
  /** Makes a message from its bytes, or throws what the call then ends with. */
  decodeMessage(bytes: Uint8Array, compressed: boolean): M;
  /** A message could not be decoded. All who take messages are told so. */
  onBadMessage(error: GRPCError): void;
  /** Stops the flow of bytes. */
  pause(): void;
  /** Lets bytes flow again. */
  resume(): void;
}

interface Frame<M> {
  readonly bytes: Uint8Array;
  readonly compressed: boolean;
  /** The message, if somebody had to decode it before. */
  readonly message: M | undefined;
}

/** A queue of messages, decoded at the latest when they are taken. */
export class Inbox<M> {
  readonly #owner: InboxOwner<M>;
  #frames: Frame<M>[] = [];
  #next = 0;
  #bytes = 0;
  #paused = false;
  #takers: PromiseWithResolvers<M | null>[] | null = null;
  /** Not yet ended; ended well; ended with an error. */
  #end: undefined | null | Error;

  constructor(owner: InboxOwner<M>) {
    this.#owner = owner;
  }

  /** Takes in one message: for the one who waits longest, or for later. */
  deliver(bytes: Uint8Array, compressed: boolean, decoded?: M): void {
    const taker = this.#takers?.shift();
    if (taker === undefined) {
      this.#frames.push({ bytes, compressed, message: decoded });
      this.#bytes += bytes.length + MESSAGE_OVERHEAD_BYTES;
      if (this.#bytes > PAUSE_ABOVE_BYTES && !this.#paused) {
        this.#paused = true;
        this.#owner.pause();
      }
      return;
    }
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

  /**
   * Gives the next message, or `null` at the end: at once if it is known,
   * otherwise as a promise.
   *
   * @throws {GRPCError} What the messages ended with.
   */
  take(): M | null | Promise<M | null> {
    const frame = this.#frames[this.#next];
    if (frame !== undefined) {
      this.#drop(frame);
      try {
        return frame.message ??
          this.#owner.decodeMessage(frame.bytes, frame.compressed);
      } catch (error) {
        this.#fail(error as GRPCError);
        throw error;
      }
    }
    if (this.#end === null) return null;
    if (this.#end !== undefined) throw this.#end;
    const taker = Promise.withResolvers<M | null>();
    (this.#takers ??= []).push(taker);
    return taker.promise;
  }

  /** No message follows. What came before is still there to be taken. */
  finish(error: Error | null): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    const takers = this.#takers;
    if (takers === null) return;
    this.#takers = null;
    for (const taker of takers) {
      if (error === null) taker.resolve(null);
      else taker.reject(error);
    }
  }

  /** Ends the messages at once: what nobody took is dropped. */
  abort(error: Error): void {
    this.#frames = [];
    this.#next = 0;
    this.#bytes = 0;
    this.finish(error);
    this.#end = error;
  }

  /** A message is bad: nothing behind it counts, even if the call ended well. */
  #fail(error: GRPCError): void {
    this.abort(error);
    this.#owner.onBadMessage(error);
  }

  #drop(frame: Frame<M>): void {
    this.#next++;
    this.#bytes -= frame.bytes.length + MESSAGE_OVERHEAD_BYTES;
    if (this.#next === this.#frames.length) {
      this.#frames = [];
      this.#next = 0;
    } else if (this.#next > 1024) {
      this.#frames = this.#frames.slice(this.#next);
      this.#next = 0;
    }
    if (this.#paused && this.#bytes < RESUME_BELOW_BYTES) {
      this.#paused = false;
      this.#owner.resume();
    }
  }
}
