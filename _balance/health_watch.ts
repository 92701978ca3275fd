/**
 * Endpoints that take calls only while they say that they are well: the
 * client's side of health checking.
 *
 * A subchannel that is connected asks `grpc.health.v1.Health/Watch`, and counts
 * as READY while the answer is SERVING. A server without that service counts as
 * well, and so does one that allows a single stream at a time: the watch would
 * leave none for calls.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md}
 * @module
 */

import {
  type ByteStream,
  type CloseReason,
  ResetCode,
  type StreamClaim,
} from "../_call/byte_stream.ts";
import { Backoff, type BackoffOptions } from "../core/_backoff.ts";
import type { Clock, ClockTimer } from "../core/clock.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { Status, statusName } from "../core/status.ts";
import { USER_AGENT } from "../core/version.ts";
import { reasonOfLoss } from "../_http2/reset.ts";
import { FRAME_PREFIX_BYTES, FrameReader } from "../_wire/frame.ts";
import { HeadTemplate, type RawHeaders } from "../_wire/headers.ts";
import { parseOutcome } from "../_wire/outcome.ts";
import type { BalancedSubchannel, SubchannelOwner } from "./subchannel.ts";
import {
  type SubchannelMaker,
  SubchannelWrapper,
} from "./subchannel_wrapper.ts";

/** How health is asked for. */
export interface HealthWatchOptions {
  /** The service to ask for; empty for the whole server. */
  readonly service: string;
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly clock: Clock;
  readonly backoff: BackoffOptions;
}

/** The path of the method. */
export const WATCH_PATH = "/grpc.health.v1.Health/Watch";

/** The values of `HealthCheckResponse.ServingStatus`. */
const STATUSES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const SERVING = 1;

/** An answer has one field of one byte. */
const MAX_ANSWER_BYTES = 1024;

/** How many streams there have to be: one for the watch, and one for calls. */
const MIN_STREAMS = 2;

/** A subchannel that is READY when it is connected and its server is well. */
export class HealthCheckedSubchannel extends SubchannelWrapper {
  readonly #options: HealthWatchOptions;
  readonly #backoff: Backoff;
  #watch: HealthWatch | null = null;
  #timer: ClockTimer | undefined;
  /** What the state of one that is connected counts as. */
  #health: ConnectivityState = "CONNECTING";
  #why = "";
  /** Whether it is not asked, because it allows too few streams. */
  #isUnwatched = false;

  constructor(
    make: SubchannelMaker,
    owner: SubchannelOwner,
    options: HealthWatchOptions,
  ) {
    super(make, owner);
    this.#options = options;
    this.#backoff = new Backoff(options.backoff);
  }

  override get state(): ConnectivityState {
    const { state } = this.inner;
    return state === "READY" ? this.#health : state;
  }

  override get failure(): CloseReason | null {
    return this.inner.state === "READY"
      ? reasonOfLoss("Endpoint is not healthy", this.#why, true)
      : super.failure;
  }

  override onState(): void {
    if (this.inner.state === "READY") this.#ask();
    else this.onStop();
    this.tellState();
  }

  protected override onStop(): void {
    this.#cancel();
    this.#health = "CONNECTING";
  }

  #cancel(): void {
    this.#options.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watch?.cancel();
    this.#watch = null;
  }

  override onRoom(inner: BalancedSubchannel): void {
    const isUnwatched = inner.maxStreams < MIN_STREAMS;
    // The server has said that it allows another number of streams.
    if (isUnwatched !== this.#isUnwatched) {
      this.#isUnwatched = isUnwatched;
      this.#cancel();
      this.#ask();
    }
    super.onRoom(inner);
  }

  #ask(): void {
    if (this.#watch !== null || this.#timer !== undefined) return;
    this.#isUnwatched = this.inner.maxStreams < MIN_STREAMS;
    if (this.#isUnwatched) return this.#become("READY", "");
    // Where streams are scarce, it is asked when there is one.
    if (!this.inner.checkRoom()) return this.#askLater();
    this.#watch = new HealthWatch(this.#options, {
      onStatus: (status) => this.#onStatus(status),
      onEnd: (status, message) => this.#onEnd(status, message),
    });
    this.inner.openInBackground(this.#watch);
  }

  #onStatus(status: number): void {
    this.#backoff.reset();
    this.#become(
      status === SERVING ? "READY" : "TRANSIENT_FAILURE",
      `its health is ${STATUSES[status] ?? status}`,
    );
  }

  #onEnd(status: Status, message: string): void {
    this.#watch = null;
    if (status === Status.UNIMPLEMENTED) {
      return this.#become("READY", "");
    }
    this.#askLater();
    this.#become(
      "TRANSIENT_FAILURE",
      `the health check ended with ${statusName(status)}: ${message}`,
    );
  }

  #askLater(): void {
    this.#timer = this.#options.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#ask();
    }, Math.ceil(this.#backoff.fail()));
    this.#timer.unref();
  }

  #become(health: ConnectivityState, why: string): void {
    this.#why = why;
    if (health === this.#health) return;
    this.#health = health;
    this.tellState();
  }
}

/** Who is told what a watch hears. */
interface HealthOwner {
  onStatus(status: number): void;
  onEnd(status: Status, message: string): void;
}

/** One call of `Watch`. */
class HealthWatch implements StreamClaim {
  readonly waitForReady = false;
  readonly #options: HealthWatchOptions;
  readonly #owner: HealthOwner;
  readonly #reader: FrameReader;
  #stream: ByteStream | null = null;
  #isOver = false;

  constructor(options: HealthWatchOptions, owner: HealthOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#reader = new FrameReader({
      onFrame: (bytes) => {
        if (!this.#isOver) this.#owner.onStatus(statusIn(bytes));
      },
    }, MAX_ANSWER_BYTES);
  }

  /** Ends it; the owner is told nothing more. */
  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stream?.reset(ResetCode.CANCEL);
  }

  onStream(stream: ByteStream): void {
    const { service, authority, scheme } = this.#options;
    this.#stream = stream;
    stream.sendHead(
      new HeadTemplate({
        scheme,
        authority,
        path: WATCH_PATH,
        contentType: "application/grpc",
        userAgent: USER_AGENT,
        encoding: null,
        acceptEncoding: "identity",
      }).head,
    );
    void stream.send(requestFor(service), true);
  }

  onHead(raw: RawHeaders, end: boolean): void {
    if (end) this.onEnd(raw);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(bytes, start, end);
    } catch (error) {
      this.#end(Status.INTERNAL, (error as Error).message);
      this.#stream?.reset(ResetCode.CANCEL);
    }
  }

  onStop(): void {}

  onEnd(trailers: RawHeaders): void {
    const { status, message } = parseOutcome(trailers);
    this.#end(status, message);
  }

  onClose({ status, message }: CloseReason): void {
    this.#end(status, message);
  }

  #end(status: Status, message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.onEnd(status, message);
  }
}

/** The frame of a `HealthCheckRequest`: the name of the service is field 1. */
function requestFor(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  const message = name.length === 0
    ? []
    : [0x0a, ...varint(name.length), ...name];
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, FRAME_PREFIX_BYTES);
  return frame;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [value % 128 + 128, ...varint(value >> 7)];
}

/** The status of a `HealthCheckResponse`, which is field 1. */
function statusIn(bytes: Uint8Array): number {
  return bytes[0] === 0x08 ? bytes[1] ?? 0 : 0;
}
