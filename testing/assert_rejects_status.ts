/**
 * An assertion for calls that fail.
 *
 * @module
 */

import { AssertionError } from "@std/assert";
import { GRPCError } from "../core/errors.ts";
import { type Status, statusName } from "../core/status.ts";

/** A call: its promise, its replies, or a function that makes it. */
export type Call =
  | PromiseLike<unknown>
  | AsyncIterable<unknown>
  | (() => PromiseLike<unknown> | AsyncIterable<unknown>);

/**
 * Fails unless a call ends with a status.
 *
 * @example Usage
 * ```ts
 * import { createStub, GRPCError, Status } from "@grpclib/grpclib";
 * import { assertRejectsStatus, ChannelFor, stubService } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter";
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = stubService(Greeter, {
 *   sayHello: [new GRPCError(Status.NOT_FOUND, "There is no Ada")],
 * });
 * await using channel = new ChannelFor([greeter]);
 *
 * const error = await assertRejectsStatus(
 *   createStub(Greeter, channel).sayHello({ name: "Ada" }),
 *   Status.NOT_FOUND,
 *   /no Ada/,
 * );
 * assertEquals(error.details, []);
 * ```
 *
 * @param call The call: its promise; its replies, which are then read to the
 *   end; or a function that gives one of the two.
 * @param status The status it has to end with.
 * @param message What the message has to contain, or match.
 * @returns The error, to be looked at more closely.
 * @throws {AssertionError} If the call goes well, fails with something other
 *   than a `GRPCError`, or with another status or message.
 */
export async function assertRejectsStatus(
  call: Call,
  status: Status,
  message?: string | RegExp,
): Promise<GRPCError> {
  const wanted = `Expected call to end with ${statusName(status)}`;
  let cause: unknown;
  try {
    await complete(typeof call === "function" ? call() : call);
  } catch (error) {
    cause = error;
    if (!(error instanceof GRPCError)) {
      throw new AssertionError(`${wanted}, but it threw ${error}`, { cause });
    }
  }
  if (!(cause instanceof GRPCError)) {
    throw new AssertionError(`${wanted}, but it went well`);
  }
  const got = `${statusName(cause.status)} ${JSON.stringify(cause.message)}`;
  if (cause.status !== status) {
    throw new AssertionError(`${wanted}, but it ended with ${got}`, { cause });
  }
  const fits = typeof message === "string"
    ? cause.message.includes(message)
    : message?.test(cause.message) ?? true;
  if (!fits) {
    const what = typeof message === "string"
      ? `a message that contains ${JSON.stringify(message)}`
      : `a message that matches ${message}`;
    throw new AssertionError(
      `${wanted} and ${what}, but it ended with ${got}`,
      {
        cause,
      },
    );
  }
  return cause;
}

async function complete(
  call: PromiseLike<unknown> | AsyncIterable<unknown>,
): Promise<void> {
  if (Symbol.asyncIterator in call) {
    for await (const _reply of call);
  } else {
    await call;
  }
}
