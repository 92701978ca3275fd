/**
 * Tests of services, on `Deno.test`.
 *
 * @module
 */

import { setTimeout } from "node:timers";
import { AssertionError } from "@std/assert";
import { hostOf } from "../_channel.ts";
import { runningHandlers } from "../_call/server/call_list.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { Configuration } from "../core/config.ts";
import { systemClock } from "../_http2/system_clock.ts";
import type { HandlerErrorInfo, Server, Service } from "../server.ts";
import { ChannelFor, type ChannelForOptions } from "./channel_for.ts";
import { Faults } from "./faults.ts";
import { untilQuiet } from "./_quiet.ts";
import { WatchedClock } from "./_watched_clock.ts";

/** How long what is about to end may take, in milliseconds. */
const PATIENCE_MS = 1_000;

/** What a handler threw that is no `GRPCError`. */
export interface HandlerError {
  /** What it threw. */
  readonly error: unknown;
  /** Where. */
  readonly info: HandlerErrorInfo;
}

/** What a test of services has to work with. */
export interface GrpcTestContext {
  /** The channel to the services. */
  readonly channel: ChannelFor;
  /** The server of the services. */
  readonly server: Server;
  /** What can go wrong between the two, when the test says so. */
  readonly faults: Faults;
  /** For steps: `await t.step("…", async () => { … })`. */
  readonly t: Deno.TestContext;
  /**
   * Gives what handlers threw that is no `GRPCError`, since it was last asked. A
   * test fails in the end with what it did not take.
   *
   * @returns The errors, in the order they came.
   */
  takeErrors(): HandlerError[];
}

/** The services of a test, or a function that makes them again for it. */
export type Services = Iterable<Service> | (() => Iterable<Service>);

/** A test of services with all that can be said about it. */
export interface GrpcTestDefinition<T = void> {
  /** What the test is called. */
  readonly name: string;
  /** The services, or a function that makes them. */
  readonly services: Services;
  /**
   * The test.
   *
   * @param context What it has to work with.
   * @param state What `setUp` gave.
   */
  readonly fn: (context: GrpcTestContext, state: T) => unknown;
  /**
   * Called before the test.
   *
   * @default {undefined} nothing to set up
   */
  readonly setUp?: (context: GrpcTestContext) => T | Promise<T>;
  /**
   * Called after the test, however it ended.
   *
   * @default {undefined} nothing to tear down
   */
  readonly tearDown?: (context: GrpcTestContext, state: T) => unknown;
  /**
   * How the channel and the server speak with each other. Unless their
   * configuration says otherwise, a channel tries to connect again after 1 ms.
   *
   * @default {{}}
   */
  readonly options?: Omit<ChannelForOptions, "faults" | "onError">;
  /**
   * What chance goes by in the test's faults.
   *
   * @default {1}
   */
  readonly seed?: number;
  /**
   * Whether the test is left out.
   *
   * @default {false}
   */
  readonly ignore?: boolean;
  /**
   * Whether only this test is run, with others that say so.
   *
   * @default {false}
   */
  readonly only?: boolean;
  /**
   * The permissions the test has, of those there are.
   *
   * @default {"inherit"} all of them
   */
  readonly permissions?: Deno.PermissionOptions;
}

/**
 * Registers a test of services with `Deno.test`: with a channel to them that is
 * wired in memory, closed when the test is over, however it ended.
 *
 * The test fails if it leaves something behind: calls that run, connections,
 * timers, faults that did not strike, or what a handler threw and nobody took.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub } from "@grpclib/grpclib";
 * import { ChannelFor, grpcTest } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * grpcTest("Greeter greets by name", [greeter], async ({ channel }) => {
 *   const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 *   assertEquals(reply.message, "Hello, Ada!");
 * });
 *
 * // The same by hand; nobody looks for what it leaves.
 * Deno.test("Greeter greets by name, by hand", async () => {
 *   await using channel = new ChannelFor([greeter]);
 *   const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 *   assertEquals(reply.message, "Hello, Ada!");
 * });
 * ```
 *
 * @param name What the test is called.
 * @param services The services, or a function that makes them.
 * @param fn The test.
 */
export function grpcTest(
  name: string,
  services: Services,
  fn: (context: GrpcTestContext) => unknown,
): void;
/**
 * Registers a test of services with `Deno.test`, with all that can be said about
 * it.
 *
 * @param definition The test.
 * @typeParam T What `setUp` gives.
 */
export function grpcTest<T = void>(definition: GrpcTestDefinition<T>): void;
export function grpcTest(
  first: string | GrpcTestDefinition<unknown>,
  services: Services = [],
  fn: (context: GrpcTestContext) => unknown = () => {},
): void {
  const definition = typeof first === "string"
    ? { name: first, services, fn }
    : first;
  const { name, ignore = false, only = false, permissions = "inherit" } =
    definition as GrpcTestDefinition<unknown>;
  Deno.test({
    name,
    ignore,
    only,
    permissions,
    fn: (t) => run(definition, t),
  });
}

/** Runs a test, and looks at what it leaves behind. */
async function run(
  definition: GrpcTestDefinition<unknown>,
  t: Deno.TestContext,
): Promise<void> {
  const { services, options = {}, seed = 1, setUp, tearDown } = definition;
  const before = new Set(openConnections);
  const faults = new Faults({ seed });
  const clock = new WatchedClock(options.clock ?? systemClock);
  let errors: HandlerError[] = [];
  const channel = new ChannelFor(
    typeof services === "function" ? services() : services,
    {
      ...withShortBackoff(options),
      faults,
      clock,
      onError: (error, info) => errors.push({ error, info }),
    },
  );
  const context: GrpcTestContext = {
    channel,
    server: channel.server,
    faults,
    t,
    takeErrors() {
      const taken = errors;
      errors = [];
      return taken;
    },
  };
  const left: string[] = [];
  const failures: unknown[] = [];
  try {
    const state = await setUp?.(context);
    try {
      await definition.fn(context, state);
      left.push(
        ...await remains(() => callsOf(channel)),
        ...faults.pending.map((what) => `fault that did not strike: ${what}`),
      );
    } finally {
      await tearDown?.(context, state);
    }
  } catch (error) {
    failures.push(error);
  }
  const closed = channel.close();
  left.push(
    ...await remains(() => [
      ...handlersOf(channel),
      ...[...openConnections].filter((it) => !before.has(it)).map(String),
      ...clock.running,
    ]),
  );
  // Something may be left that keeps it from its end.
  if (left.length === 0) await closed;
  else closed.catch(() => {});
  for (const { error, info } of errors) {
    failures.push(
      new AssertionError(
        `Handler of ${info.methodName} failed, and the test did not take the error: ${error}`,
        { cause: error },
      ),
    );
  }
  if (left.length > 0) {
    const lines = [...new Set(left)].map((what) => `\n  - ${what}`);
    failures.push(
      new AssertionError(`Test left something behind:${lines.join("")}`),
    );
  }
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) {
    throw new AggregateError(failures, failures.map(String).join("\n"));
  }
}

/**
 * Has the channel connect again at once, where it would wait a second: a test
 * that cuts a connection and refuses the next has no time for that.
 */
function withShortBackoff(
  options: Omit<ChannelForOptions, "faults" | "onError">,
): Omit<ChannelForOptions, "faults" | "onError"> {
  const config = options.channel?.config ?? options.config ?? {};
  // One that is settled has its own.
  if (config instanceof Configuration) return options;
  return {
    ...options,
    channel: {
      ...options.channel,
      config: { initialReconnectBackoffMs: 1, ...config },
    },
  };
}

/** The calls that run, in words. */
function callsOf(channel: ChannelFor): string[] {
  const { paths, counts: { waiting } } = hostOf(channel).source;
  return [
    ...paths.map((path) => `call that runs: ${path}`),
    ...Array.from({ length: waiting }, () => "call that waits for a stream"),
    ...handlersOf(channel),
  ];
}

/** The handlers that run, in words. */
function handlersOf({ server }: ChannelFor): string[] {
  return server[runningHandlers].map((path) => `handler that runs: ${path}`);
}

/** Waits until nothing remains, for a while; gives what does. */
async function remains(look: () => string[]): Promise<string[]> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    await untilQuiet();
    const found = look();
    if (found.length === 0 || performance.now() > end) return found;
    await new Promise<void>((resolve) => setTimeout(() => resolve(), 5));
  }
}
