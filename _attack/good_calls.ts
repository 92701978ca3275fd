/**
 * A good client: it calls at a steady pace, whatever becomes of the calls
 * before, and notes how long each took.
 *
 * @module
 */

import { type Channel, createStub, GRPCError } from "../client.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";

/** A call every so often, in milliseconds. */
const PACE_MS = 20;

/** A call that takes longer is lost, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Calls one server again and again. */
export class GoodCalls {
  /** How long the calls took that were answered, in milliseconds. */
  readonly waits: number[] = [];
  /** What the others failed with. */
  readonly failures: string[] = [];
  readonly #channel: Channel;
  readonly #running = new Set<Promise<void>>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  /** Makes one call, and forgets how long it took. */
  async warmUp(): Promise<void> {
    const stub = createStub(Echo, this.#channel);
    for (let i = 0; i < 20; i++) await stub.unary({ text: "good" });
  }

  /** Begins to call. */
  start(): void {
    this.#timer = setInterval(() => {
      const call = this.#call();
      this.#running.add(call);
      void call.then(() => this.#running.delete(call));
    }, PACE_MS);
  }

  /** Stops, and waits for the calls that run, though not for ever. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#running);
  }

  async #call(): Promise<void> {
    const start = performance.now();
    try {
      const stub = createStub(Echo, this.#channel);
      const { text } = await stub.unary({ text: "good" }, {
        timeoutMs: TIMEOUT_MS,
      });
      if (text !== "good") this.failures.push(`answered ${text}`);
      this.waits.push(performance.now() - start);
    } catch (error) {
      this.failures.push(
        error instanceof GRPCError
          ? `${error.status} ${error.message}`
          : `${error}`,
      );
    }
  }
}
