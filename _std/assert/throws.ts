import { AssertionError } from "./assertion_error.ts";
import { suffix } from "./_text.ts";

// deno-lint-ignore no-explicit-any
type ErrorClass<E extends Error> = abstract new (...args: any[]) => E;

/** The optional arguments of {@linkcode assertThrows}, told apart. */
interface Expectation<E extends Error> {
  readonly type: ErrorClass<E> | undefined;
  readonly includes: string | undefined;
  readonly msg: string | undefined;
}

/**
 * Fails unless a value is an error of the class and with the text expected.
 *
 * @param error The value.
 * @param ErrorClass The class it must have.
 * @param msgMatches What its message must contain, or match.
 * @param msg Added to the message of the failure.
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass?: abstract new (...args: any[]) => E,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(
      `Expected "error" to be an Error object${suffix(msg)}`,
    );
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        suffix(msg)
      }`,
      { cause: error },
    );
  }
  if (!msgMatches) return;
  const message = plain(error.message);
  const holds = typeof msgMatches === "string"
    ? message.includes(plain(msgMatches))
    : msgMatches.test(message);
  if (holds) return;
  const wanted = typeof msgMatches === "string"
    ? JSON.stringify(msgMatches)
    : String(msgMatches);
  throw new AssertionError(
    `Expected error message to include ${wanted}, but got ${
      JSON.stringify(error.message)
    }${suffix(msg)}`,
    { cause: error },
  );
}

/**
 * Fails unless a function throws, and gives back what it threw.
 *
 * @param fn The function to call.
 * @param msg Added to the message of the failure.
 * @returns What was thrown.
 */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/**
 * Fails unless a function throws the error expected, and gives it back.
 *
 * @param fn The function to call.
 * @param ErrorClass The class of the error.
 * @param msgIncludes What its message must contain.
 * @param msg Added to the message of the failure.
 * @returns The error.
 */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClassOrMsg?: ErrorClass<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): unknown {
  const expected = expectation(errorClassOrMsg, msgIncludesOrMsg, msg);
  try {
    fn();
  } catch (error) {
    return check(error, "thrown", expected);
  }
  throw new AssertionError(`Expected function to throw${suffix(expected.msg)}`);
}

/**
 * Fails unless the promise of a function rejects, and gives back the reason.
 *
 * A function that throws before it returns a promise fails, too.
 *
 * @param fn The function to call.
 * @param msg Added to the message of the failure.
 * @returns The reason of the rejection.
 */
export function assertRejects(
  fn: () => PromiseLike<unknown>,
  msg?: string,
): Promise<unknown>;
/**
 * Fails unless the promise of a function rejects with the error expected, and
 * gives the error back.
 *
 * A function that throws before it returns a promise fails, too.
 *
 * @param fn The function to call.
 * @param ErrorClass The class of the error.
 * @param msgIncludes What its message must contain.
 * @param msg Added to the message of the failure.
 * @returns The error.
 */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClassOrMsg?: ErrorClass<E> | string,
  msgIncludesOrMsg?: string,
  msg?: string,
): Promise<unknown> {
  const expected = expectation(errorClassOrMsg, msgIncludesOrMsg, msg);
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    throw didNotReject(expected, { cause: error });
  }
  if (typeof promise?.then !== "function") throw didNotReject(expected);
  try {
    await promise;
  } catch (error) {
    return check(error, "rejected", expected);
  }
  throw new AssertionError(
    `Expected function to reject${suffix(expected.msg)}`,
  );
}

function didNotReject(
  { msg }: { readonly msg: string | undefined },
  options?: ErrorOptions,
): AssertionError {
  return new AssertionError(
    `Function throws when expected to reject${suffix(msg)}`,
    options,
  );
}

function expectation<E extends Error>(
  errorClassOrMsg: ErrorClass<E> | string | undefined,
  msgIncludesOrMsg: string | undefined,
  msg: string | undefined,
): Expectation<E> {
  return typeof errorClassOrMsg === "string"
    ? { type: undefined, includes: undefined, msg: errorClassOrMsg }
    : { type: errorClassOrMsg, includes: msgIncludesOrMsg, msg };
}

function check<E extends Error>(
  error: unknown,
  verb: string,
  { type, includes, msg }: Expectation<E>,
): unknown {
  if (type === undefined) return error;
  if (!(error instanceof Error)) {
    throw new AssertionError(`A non-Error object was ${verb}${suffix(msg)}`);
  }
  assertIsError(error, type, includes, msg);
  return error;
}

/** A text without its colours. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
