/**
 * One direction of a connection in memory.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock, ClockTimer } from "../core/clock.ts";
import { type Frame, FrameScanner } from "./_frame_scanner.ts";
import type { Incoming, MemorySocket, Outgoing } from "./_memory_socket.ts";
import { noteMove } from "./_quiet.ts";

/** How many bytes may be under way before the sender has to wait. */
const MAX_BYTES = 256 * 1024;

/** One side of a connection. */
export type Side = "client" | "server";

/** What watches over a lane, and may do something to what passes. */
export interface LaneGuard {
  /** Whether nothing passes now. */
  readonly stalled: boolean;
  /** How long the next frame takes, in milliseconds. */
  delayMs(): number;
  /**
   * A frame is about to arrive.
   *
   * @returns What arrives in its place; null if the frame has to wait.
   */
  onFrame(frame: Frame): Uint8Array | null;
}

/** Something on its way, and when it arrives. */
interface Cargo {
  readonly bytes: Uint8Array;
  readonly frame: Frame | null;
  readonly dueAt: number;
}

/**
 * The bytes from one end of a connection to the other. They arrive in a later
 * turn of the event loop, as those of a network do: never on the stack of the
 * one who sends them.
 */
export class Lane implements Outgoing, Incoming {
  readonly #receiver: MemorySocket;
  readonly #clock: Clock;
  readonly #guard: LaneGuard | null;
  readonly #scanner: FrameScanner | null;
  readonly #cargo: Cargo[] = [];
  /** Frames that the sender knows nothing of. */
  readonly #injected: Uint8Array[] = [];
  #bytes = 0;
  #lastDueAt = 0;
  #begun = false;
  #ended = false;
  #closed = false;
  #free = false;
  #full = false;
  #held = false;
  #scheduled = false;
  #timer: ClockTimer | undefined;
  #onRoom: (() => void) | undefined;

  /**
   * @param receiver Where the bytes arrive.
   * @param from Whose bytes they are.
   * @param clock What delays go by.
   * @param guard What may happen to them; null for nothing.
   */
  constructor(
    receiver: MemorySocket,
    from: Side,
    clock: Clock,
    guard: LaneGuard | null,
  ) {
    this.#receiver = receiver;
    this.#clock = clock;
    this.#guard = guard;
    this.#scanner = guard === null ? null : new FrameScanner(from === "client");
  }

  send(bytes: Uint8Array, onRoom: () => void): void {
    noteMove();
    if (this.#closed) return onRoom();
    this.#bytes += bytes.length;
    if (this.#scanner === null) this.#load(bytes, null);
    else {
      for (const frame of this.#scanner.push(bytes)) {
        this.#load(frame.bytes, frame);
      }
    }
    this.wake();
    if (this.#bytes < MAX_BYTES) onRoom();
    else this.#onRoom = onRoom;
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.wake();
  }

  close(): void {
    this.#closed = true;
    this.#clock.clearTimeout(this.#timer);
    this.#cargo.length = this.#injected.length = this.#bytes = 0;
    this.#tellRoom();
  }

  onRoom(): void {
    if (!this.#full) return;
    this.#full = false;
    this.wake();
  }

  /** Has a frame arrive that the sender knows nothing of. */
  inject(bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#injected.push(bytes);
    this.wake();
  }

  /** Lets nothing arrive any more. */
  hold(): void {
    this.#held = true;
  }

  /** Lets everything arrive from now on, and at once. */
  free(): void {
    this.#free = true;
    this.wake();
  }

  /** Goes on with what is under way, in the next turn of the event loop. */
  wake(): void {
    if (this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    noteMove();
    setImmediate(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #load(bytes: Uint8Array, frame: Frame | null): void {
    const delayMs = this.#guard?.delayMs() ?? 0;
    // What was sent later does not arrive before.
    this.#lastDueAt = Math.max(this.#lastDueAt, this.#clock.now() + delayMs);
    this.#cargo.push({ bytes, frame, dueAt: this.#lastDueAt });
  }

  #deliver(): void {
    this.#clock.clearTimeout(this.#timer);
    while (!this.#closed && !this.#full && !this.#held) {
      if (this.#guard?.stalled && !this.#free) return;
      if (this.#begun && this.#injected.length > 0) {
        this.#arrive(this.#injected.shift()!);
        continue;
      }
      const next = this.#cargo[0];
      if (next === undefined) break;
      if (!this.#isDue(next)) return;
      const { bytes, frame } = next;
      const arriving = frame === null || this.#free
        ? bytes
        : this.#guard!.onFrame(frame);
      if (this.#closed) return;
      if (arriving === null) {
        // It was looked at, and arrives as it is when the wire goes on.
        this.#cargo[0] = { ...next, frame: null };
        return;
      }
      this.#cargo.shift();
      this.#bytes -= bytes.length;
      this.#begun = true;
      this.#arrive(arriving);
    }
    if (this.#bytes < MAX_BYTES) this.#tellRoom();
    if (this.#held || this.#full) return;
    if (this.#ended && !this.#closed && this.#cargo.length === 0) {
      this.#closed = true;
      noteMove();
      this.#receiver.push(null);
    }
  }

  #arrive(bytes: Uint8Array): void {
    noteMove();
    if (bytes.length > 0) this.#full = !this.#receiver.push(bytes);
  }

  /** Whether something arrives now; if not, it does when its time has come. */
  #isDue({ dueAt }: Cargo): boolean {
    const leftMs = dueAt - this.#clock.now();
    if (leftMs <= 0 || this.#free) return true;
    this.#timer = this.#clock.setTimeout(() => this.wake(), Math.ceil(leftMs));
    return false;
  }

  #tellRoom(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }
}
