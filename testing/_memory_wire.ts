/**
 * Connections in memory, and what can happen to them.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../core/clock.ts";
import {
  concat,
  type Frame,
  FrameType,
  goaway,
  rstStream,
} from "./_frame_scanner.ts";
import { Lane, type LaneGuard, type Side } from "./_lane.ts";
import { MemorySocket } from "./_memory_socket.ts";
import { untilQuiet } from "./_quiet.ts";

/** The error code of HTTP/2 for a call that is not wanted any more. */
const CANCEL = 8;

/** What watches over the connections. */
export interface WireGuard {
  /** Whether nothing passes now. */
  isStalled(from: Side): boolean;
  /** How long the next frame takes, in milliseconds. */
  delayMs(): number;
  /** A frame is about to arrive; gives what does, or null if it waits. */
  onFrame(wire: MemoryWire, from: Side, frame: Frame): Uint8Array | null;
}

/** A connection in memory: two sockets, and a lane in each direction. */
export class MemoryWire {
  /** The end of the client. */
  readonly client: MemorySocket = new MemorySocket();
  /** The end of the server. */
  readonly server: MemorySocket = new MemorySocket();
  readonly #toClient: Lane;
  readonly #toServer: Lane;
  /** The streams that calls run on. */
  readonly #streams = new Set<number>();
  #lastStreamId = 0;
  /** Frames to one side that go in front of one that is about to arrive. */
  #front: { readonly to: Side; readonly frames: Uint8Array[] } | null = null;

  /**
   * @param clock What delays go by.
   * @param guard What watches over the connection; null for nothing.
   * @param onClosed Told when both ends are closed.
   */
  constructor(clock: Clock, guard: WireGuard | null, onClosed: () => void) {
    const guardOf = (from: Side): LaneGuard | null => {
      if (guard === null) return null;
      return {
        get stalled() {
          return guard.isStalled(from);
        },
        delayMs: () => guard.delayMs(),
        onFrame: (frame) => {
          this.#note(from, frame);
          return guard.onFrame(this, from, frame);
        },
      };
    };
    const { client, server } = this;
    this.#toServer = new Lane(server, "client", clock, guardOf("client"));
    this.#toClient = new Lane(client, "server", clock, guardOf("server"));
    client.attach(this.#toServer, this.#toClient);
    server.attach(this.#toClient, this.#toServer);
    let open = 2;
    for (const socket of [client, server]) {
      socket.on("error", () => {});
      socket.on("close", () => {
        if (--open === 0) onClosed();
      });
    }
  }

  /** The streams that calls run on. */
  get streams(): readonly number[] {
    return [...this.#streams];
  }

  /** Goes on with what had to wait. */
  wake(): void {
    this.#toServer.wake();
    this.#toClient.wake();
  }

  /** Lets everything arrive from now on, and at once. */
  free(): void {
    this.#toServer.free();
    this.#toClient.free();
  }

  /** Breaks the connection: nothing arrives any more, both ends see an error. */
  cut(): void {
    this.#toServer.hold();
    this.#toClient.hold();
    // Later, for this may be the stack of nghttp2.
    setImmediate(() => {
      for (const socket of [this.client, this.server]) {
        socket.destroy(connectionError("read ECONNRESET", "ECONNRESET"));
      }
    });
  }

  /** Closes both ends. */
  close(): void {
    this.client.destroy();
    this.server.destroy();
  }

  /** Resets a stream: the client sees the code, the server a cancelled call. */
  reset(streamId: number, code: number): void {
    this.#streams.delete(streamId);
    this.#tell("client", rstStream(streamId, code));
    this.#tell("server", rstStream(streamId, CANCEL));
  }

  /**
   * Sends a GOAWAY to the client, in the name of the server. Streams above the
   * last one are lost to the client; the server sees them cancelled.
   */
  goaway(
    code: number,
    debugData: string,
    lastStreamId: number = this.#lastStreamId,
  ): void {
    this.#tell("client", goaway(lastStreamId, code, debugData));
    for (const streamId of this.#streams) {
      if (streamId <= lastStreamId) continue;
      this.#streams.delete(streamId);
      this.#tell("server", rstStream(streamId, CANCEL));
    }
  }

  /**
   * Does something when a frame is about to arrive.
   *
   * @param from Whose frame it is.
   * @param act What to do.
   * @returns The frames that this sends to the side where the frame arrives.
   */
  before(from: Side, act: () => void): Uint8Array {
    const to = from === "client" ? "server" : "client";
    const { frames } = this.#front = { to, frames: [] as Uint8Array[] };
    act();
    this.#front = null;
    return concat(frames);
  }

  #tell(to: Side, frame: Uint8Array): void {
    if (this.#front?.to === to) this.#front.frames.push(frame);
    else (to === "client" ? this.#toClient : this.#toServer).inject(frame);
  }

  /** Keeps account of the streams. */
  #note(from: Side, frame: Frame): void {
    const { type, streamId, endsStream } = frame;
    if (from === "client" && type === FrameType.HEADERS) {
      if (streamId > this.#lastStreamId) {
        this.#lastStreamId = streamId;
        this.#streams.add(streamId);
      }
    } else if (
      type === FrameType.RST_STREAM || from === "server" && endsStream
    ) {
      this.#streams.delete(streamId);
    }
  }
}

/** The connections in memory of one channel. */
export class MemoryWires {
  readonly #clock: Clock;
  readonly #guard: WireGuard | null;
  readonly #open = new Set<MemoryWire>();

  constructor(clock: Clock, guard: WireGuard | null) {
    this.#clock = clock;
    this.#guard = guard;
  }

  /** Makes a connection. */
  make(): MemoryWire {
    const wire = new MemoryWire(
      this.#clock,
      this.#guard,
      () => this.#open.delete(wire),
    );
    this.#open.add(wire);
    return wire;
  }

  /** Those that are open. */
  [Symbol.iterator](): Iterator<MemoryWire> {
    return [...this.#open].values();
  }

  /** Lets what is under way arrive, then closes what is still open. */
  async close(): Promise<void> {
    for (const wire of this) wire.free();
    await untilQuiet();
    for (const wire of this) wire.close();
  }
}

/** Makes an error as those of sockets are. */
export function connectionError(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
