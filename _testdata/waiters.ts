/**
 * Calls that go on until something ends them.
 *
 * @module
 */

import { assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { GRPCError, Status, StreamTerminatedError } from "../client.ts";
import { VirtualClock } from "../testing/mod.ts";
import type { ConfigurationOptions } from "../server.ts";
import {
  type EchoHandlers,
  type EchoOptions,
  type EchoPair,
  startEcho,
} from "./echo_service.ts";
import { soon, whenAborted } from "./waiting.ts";

/** Handlers that answer once, if they can, and wait for the end of their call. */
export class Waiters {
  readonly #started = Promise.withResolvers<void>();
  readonly #aborted = Promise.withResolvers<unknown>();

  /** The handlers. */
  readonly handlers: Required<EchoHandlers> = {
    unary: (stream) => this.#wait(stream.signal),
    clientStream: (stream) => this.#wait(stream.signal),
    serverStream: async (stream) => {
      await stream.sendMessage({ text: "first" });
      await this.#wait(stream.signal);
    },
    bidi: async (stream) => {
      await stream.sendMessage({ text: "first" });
      await this.#wait(stream.signal);
    },
  };

  /** What deadlines come by, for those who start a pair with `options`. */
  readonly clock = new VirtualClock();

  /** Starts a pair whose deadlines come when a test has them come. */
  readonly options: EchoOptions = {
    handlers: this.handlers,
    server: { clock: this.clock },
    channel: { clock: this.clock },
  };

  /** Resolves when a handler runs. */
  get started(): Promise<void> {
    return soon(this.#started.promise, "a handler to start");
  }

  /** Has time pass once a handler runs, so that its deadline comes. */
  async pass(ms: number): Promise<void> {
    await this.started;
    await this.clock.advance(ms);
  }

  /** Resolves with the reason when the signal of a handler aborts. */
  get aborted(): Promise<unknown> {
    return soon(this.#aborted.promise, "the signal of a handler");
  }

  /** Checks that a handler was told that the client is gone, and how. */
  async assertAborted(status: Status = Status.CANCELLED): Promise<void> {
    const reason = await this.aborted;
    assertInstanceOf(reason, StreamTerminatedError);
    assertEquals(reason.status, status);
  }

  async #wait(signal: AbortSignal): Promise<void> {
    this.#started.resolve();
    this.#aborted.resolve(await whenAborted(signal));
  }
}

/** Starts the service with a configuration of the server; its `bidi` waits. */
export function startWith(
  config: ConfigurationOptions,
  waiters: Waiters = new Waiters(),
): Promise<EchoPair> {
  return startEcho({
    server: { config },
    handlers: { bidi: waiters.handlers.bidi },
  });
}

/** Fails unless a call ends with a status, soon; gives the error. */
export async function assertStatus(
  status: Status,
  call: () => PromiseLike<unknown>,
  messageIncludes = "",
): Promise<GRPCError> {
  const error = await assertRejects(
    () => soon(call()),
    GRPCError,
    messageIncludes,
  );
  assertEquals(error.status, status, error.message);
  return error;
}

/** Fails unless a call ends as cancelled, soon; gives the error. */
export function assertCancelled(
  call: () => PromiseLike<unknown>,
): Promise<GRPCError> {
  return assertStatus(Status.CANCELLED, call);
}
