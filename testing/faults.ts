/**
 * Faults of the network, on demand.
 *
 * @module
 */

import { concat, type Frame, FrameType } from "./_frame_scanner.ts";
import type {
  CutOptions,
  DelayOptions,
  FaultOptions,
  FaultsOptions,
  GoawayOptions,
  RefuseOptions,
  ResetOptions,
  TruncateOptions,
} from "./fault_options.ts";
import type { Side } from "./_lane.ts";
import {
  connectionError,
  type MemoryWire,
  type WireGuard,
} from "./_memory_wire.ts";

/** A fault that has not struck yet. */
interface Plan {
  readonly what: string;
  readonly from: Side;
  readonly unit: "frames" | "bytes";
  left: number;
  /** Strikes; gives what arrives of the frame, or null if it has to wait. */
  readonly strike: (
    wire: MemoryWire,
    frame: Frame,
    from: Side,
  ) => Uint8Array | null;
}

const NOTHING: Uint8Array = new Uint8Array();

let guardOf: (faults: Faults) => WireGuard;
let attach: (faults: Faults, wires: Iterable<MemoryWire>) => void;
let checkAttempt: (faults: Faults) => void;

/** What watches over connections for these faults. */
export function guardFor(faults: Faults): WireGuard {
  return guardOf(faults);
}

/** Has faults strike the connections of a channel. */
export function attachFaults(
  faults: Faults,
  wires: Iterable<MemoryWire>,
): void {
  attach(faults, wires);
}

/** Throws if an attempt to connect has to fail. */
export function checkConnect(faults: Faults): void {
  checkAttempt(faults);
}

/**
 * What goes wrong between a channel and its server, when a test says so: give it
 * to `ChannelFor` as its `faults`.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub, Status } from "@grpclib/grpclib";
 * import { assertRejectsStatus, ChannelFor, Faults } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter";
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 * const faults = new Faults();
 * await using channel = new ChannelFor([greeter], { faults });
 * const stub = createStub(Greeter, channel);
 *
 * faults.cut({ atFrame: 2 }); // the message of the reply does not arrive
 * await assertRejectsStatus(stub.sayHello({ name: "Ada" }), Status.UNAVAILABLE);
 *
 * const reply = await stub.sayHello({ name: "Ada" }); // over a new connection
 * assertEquals(reply.message, "Hello, Ada!");
 * ```
 */
export class Faults {
  readonly #random: () => number;
  readonly #wires: Iterable<MemoryWire>[] = [];
  #plans: Plan[] = [];
  #stalled: ReadonlySet<Side> = new Set();
  #delayMs = 0;
  #jitterMs = 0;
  #refusals = 0;

  static {
    guardOf = (faults) => ({
      isStalled: (from) => faults.#stalled.has(from),
      delayMs: () => faults.#delayMs + faults.#jitterMs * faults.#random(),
      onFrame: (wire, from, frame) => faults.#onFrame(wire, from, frame),
    });
    attach = (faults, wires) => faults.#wires.push(wires);
    checkAttempt = (faults) => {
      if (faults.#refusals <= 0) return;
      faults.#refusals--;
      throw connectionError("connect ECONNREFUSED", "ECONNREFUSED");
    };
  }

  /**
   * Creates faults, of which none strikes yet.
   *
   * @param options The seed of chance.
   * @throws {RangeError} If the seed is no integer.
   */
  constructor(options: FaultsOptions = {}) {
    const { seed = 1 } = options;
    check("seed", seed, -Infinity);
    this.#random = randomFrom(seed);
  }

  /**
   * The faults that were asked for and have not struck yet, in words. A test
   * that ends while there are some has not shown what it was to show.
   */
  get pending(): readonly string[] {
    return this.#plans.map(({ what }) => what);
  }

  /**
   * Breaks the connection: both sides see it lost, calls end with `UNAVAILABLE`,
   * and the next call makes a new one.
   *
   * @param options When; at once by default.
   * @throws {RangeError} If a number is no integer, or too small.
   */
  cut(options: CutOptions = {}): void {
    const { afterBytes } = options;
    if (afterBytes !== undefined) {
      check("afterBytes", afterBytes, 0);
      const { from = "server" } = options;
      this.#plans.push({
        what: `cut after ${afterBytes} bytes of the ${from}`,
        from,
        unit: "bytes",
        left: afterBytes,
        strike: (wire, { bytes }) => {
          wire.cut();
          return bytes;
        },
      });
      return;
    }
    this.#plan("cut", options, (wire) => wire.cut(), (wire) => {
      wire.cut();
      return NOTHING;
    });
  }

  /**
   * Resets calls: all that are under way; or with `atFrame` the one the frame
   * belongs to, before the frame arrives. The server sees them cancelled.
   *
   * @param options With which code, and when; at once by default.
   * @throws {RangeError} If a number is no integer, or too small.
   */
  reset(options: ResetOptions = {}): void {
    const { code = 8 } = options;
    check("code", code, 0, 0xffff_ffff);
    this.#plan(`reset with code ${code}`, options, (wire) => {
      for (const streamId of wire.streams) wire.reset(streamId, code);
    }, (wire, { streamId, type, bytes }, from) => {
      const front = wire.before(from, () => wire.reset(streamId, code));
      // The frame still arrives, behind the reset, and is ignored: without its
      // HEADERS a side could not read those that follow.
      const opens = from === "client" && type === FrameType.HEADERS;
      return concat(opens ? [bytes, front] : [front, bytes]);
    });
  }

  /**
   * Sends a GOAWAY to the client in the name of the server: it makes no more calls
   * on this connection.
   *
   * @param options With which code, and when; at once by default.
   * @throws {RangeError} If a number is no integer, or out of its range.
   */
  goaway(options: GoawayOptions = {}): void {
    const { code = 0, debugData = "", lastStreamId } = options;
    check("code", code, 0, 0xffff_ffff);
    if (lastStreamId !== undefined) {
      check("lastStreamId", lastStreamId, 0, 0x7fff_ffff);
    }
    const say = (wire: MemoryWire): void =>
      wire.goaway(code, debugData, lastStreamId);
    this.#plan(
      `goaway with code ${code}`,
      options,
      say,
      (wire, { bytes }, from) =>
        concat([wire.before(from, () => say(wire)), bytes]),
    );
  }

  /**
   * Takes bytes off the end of a message, which arrives cut short: off the next
   * one, or the one at the frame.
   *
   * @param options How many bytes, and when.
   * @throws {RangeError} If a number is no integer, or too small.
   */
  truncate(options: TruncateOptions = {}): void {
    const { bytes = 1, from = "server", atFrame = 1 } = options;
    check("bytes", bytes, 1);
    check("atFrame", atFrame, 1);
    const plan: Plan = {
      what: `truncate by ${bytes} bytes at frame ${atFrame} of the ${from}`,
      from,
      unit: "frames",
      left: atFrame,
      strike: (_wire, frame) => {
        if (frame.type === FrameType.DATA) return frame.withoutLast(bytes);
        // Not a message: the next one is.
        this.#plans.push({ ...plan, left: 1 });
        return frame.bytes;
      },
    };
    this.#plans.push(plan);
  }

  /**
   * Holds everything up, as a network that is silent does: nothing arrives, and
   * nobody is told. {@linkcode Faults.resume} lets it go on.
   *
   * @param options Whose frames, with `from` and no `atFrame`: those of one side
   * only; and when, at once by default.
   * @throws {RangeError} If `atFrame` is no integer of at least 1.
   */
  stall(options: FaultOptions = {}): void {
    const { from, atFrame } = options;
    const sides: Side[] = from === undefined || atFrame !== undefined
      ? ["client", "server"]
      : [from];
    const strike = (): null => {
      this.#stalled = new Set([...this.#stalled, ...sides]);
      return null;
    };
    if (atFrame === undefined) strike();
    else this.#plan("stall", options, () => {}, strike);
  }

  /** Lets everything go on that {@linkcode Faults.stall} holds up. */
  resume(): void {
    this.#stalled = new Set();
    for (const wire of this.#all()) wire.wake();
  }

  /**
   * Has every frame take its time, from now on. The order stays.
   *
   * @param options How long.
   * @throws {RangeError} If a time is negative, or no number.
   */
  delay(options: DelayOptions): void {
    const { ms, jitterMs = 0 } = options;
    for (const [name, value] of Object.entries({ ms, jitterMs })) {
      if (typeof value === "number" && value >= 0 && value < 2 ** 31) continue;
      throw new RangeError(
        `Cannot delay: ${name} must be a number from 0 to 2147483647, received ${value}`,
      );
    }
    this.#delayMs = ms;
    this.#jitterMs = jitterMs;
  }

  /**
   * Has attempts to connect fail. A connection that is there stays: to have the
   * channel make a new one, {@linkcode Faults.cut} it.
   *
   * @param options How many of them; all by default.
   * @throws {RangeError} If the number is no integer of at least 0.
   */
  refuse(options: RefuseOptions = {}): void {
    const { times = Infinity } = options;
    if (times !== Infinity) check("times", times, 0);
    this.#refusals = times;
  }

  /** Ends all faults, those that have not struck yet included. */
  heal(): void {
    this.#plans = [];
    this.#refusals = this.#delayMs = this.#jitterMs = 0;
    this.resume();
  }

  /** Strikes at once, or notes down when to. */
  #plan(
    what: string,
    options: FaultOptions,
    now: (wire: MemoryWire) => void,
    strike: Plan["strike"],
  ): void {
    const { from = "server", atFrame } = options;
    if (atFrame === undefined) return this.#all().forEach(now);
    check("atFrame", atFrame, 1);
    this.#plans.push({
      what: `${what} at frame ${atFrame} of the ${from}`,
      from,
      unit: "frames",
      left: atFrame,
      strike,
    });
  }

  #all(): MemoryWire[] {
    return this.#wires.flatMap((wires) => [...wires]);
  }

  #onFrame(wire: MemoryWire, from: Side, frame: Frame): Uint8Array | null {
    let arriving: Uint8Array | null = frame.bytes;
    for (const plan of [...this.#plans]) {
      if (plan.from !== from) continue;
      if (plan.unit === "bytes") {
        const { left } = plan;
        plan.left -= frame.bytes.length;
        if (plan.left > 0) continue;
        arriving = plan.strike(wire, frame, from)?.subarray(0, left) ?? null;
      } else if (frame.isOfCall && --plan.left === 0) {
        const struck = plan.strike(wire, frame, from);
        if (struck !== frame.bytes) arriving = struck;
      } else {
        continue;
      }
      this.#plans = this.#plans.filter((other) => other !== plan);
    }
    return arriving;
  }
}

/**
 * Makes numbers from 0 to below 1, the same ones for the same seed: mulberry32,
 * which is good enough for delays.
 */
function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

/** Throws unless a number is an integer of a range. */
function check(
  name: string,
  value: number,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const range = min === -Infinity ? "" : ` from ${min} to ${max}`;
  throw new RangeError(
    `Cannot make faults: ${name} must be an integer${range}, received ${value}`,
  );
}
