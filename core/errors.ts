/**
 * The errors of this library.
 *
 * ```text
 * Error
 * ├─ GRPCError               an outcome of a call: whatever ends it other than OK
 * │  └─ StreamTerminatedError   the stream was reset, or its connection ended
 * └─ ProtocolError           a mistake in the code that uses this library
 * ```
 *
 * Arguments that are wrong in themselves are `TypeError` and `RangeError`.
 *
 * @module
 */

import { describe, show } from "./_describe.ts";
import { Metadata, type MetadataInit } from "./metadata.ts";
import type { Peer } from "./peer.ts";
import { isStatus, Status, statusName } from "./status.ts";

/** Options for {@linkcode GRPCError}. */
export interface GRPCErrorOptions {
  /**
   * Details for the other side: messages that the status details codec encodes,
   * such as those of `@grpclib/grpclib/error-details`.
   *
   * @default {[]}
   */
  readonly details?: readonly unknown[];
  /**
   * Metadata to send with the status, after the messages.
   *
   * @default {{}}
   */
  readonly metadata?: MetadataInit;
  /**
   * What a server says to clients that may try the call again: after so many
   * milliseconds, an integer from 0 to 2³¹ − 1, or `null` for not at all.
   *
   * @default {undefined} nothing: they do as they are told by others
   */
  readonly retryAfterMs?: number | null | undefined;
  /** What led to this error. It stays at home: the other side never sees it. */
  readonly cause?: unknown;
}

// Shared by every error without details, hence frozen.
const NO_DETAILS: readonly unknown[] = Object.freeze([]);

let setMetadataSource: (error: GRPCError, make: () => Metadata) => void;
let setDetailsSource: (
  error: GRPCError,
  make: () => readonly unknown[],
) => void;

/**
 * A call that ended with a status other than OK.
 *
 * A handler throws one to end the call with its status; a caller catches one when
 * the call failed, wherever it failed.
 *
 * @example Usage
 * ```ts
 * import { GRPCError, Status } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new GRPCError(Status.NOT_FOUND, "No such book", {
 *   metadata: { "book-id": "978-3" },
 * });
 *
 * assertEquals(error.name, "GRPCError [NOT_FOUND]");
 * assertEquals(error.message, "No such book");
 * assertEquals(error.metadata.get("book-id"), "978-3");
 * ```
 */
export class GRPCError extends Error {
  /** The status the call ended with. */
  readonly status: Status;

  /**
   * The path of the method that was called, such as
   * `/helloworld.Greeter/SayHello`. Only an error that a call failed with on the
   * client has it, whoever has made it.
   */
  declare readonly methodName?: string;

  /**
   * The server that was called; `null` if there was no connection for the call.
   * It is there with {@linkcode methodName}.
   */
  declare readonly peer?: Peer | null;

  /**
   * How many attempts the call made that failed with it: 1, unless the channel
   * or the call has `retry` or `hedging`.
   */
  declare readonly attempts: number;

  /**
   * What the server says about trying again: after so many milliseconds, `null`
   * for not at all, `undefined` if it says nothing.
   */
  declare readonly retryAfterMs: number | null | undefined;

  // What makes the details until they are first read, then they themselves.
  #details: readonly unknown[] | (() => readonly unknown[]);

  // What makes the metadata until it is first read, then the metadata itself.
  #metadata: Metadata | (() => Metadata) | undefined;

  static {
    setMetadataSource = (error, make) => {
      error.#metadata = make;
    };
    setDetailsSource = (error, make) => {
      error.#details = make;
    };
  }

  /**
   * Creates an error with a status.
   *
   * @param status The status, any but OK.
   * @param message The text for `grpc-message`: the other side reads it.
   * @param options Details, metadata and cause.
   * @throws {RangeError} If the status is not an integer from 1 to 16.
   * @throws {TypeError} If the details are no array, or `retryAfterMs` is no
   *   number.
   * @throws {RangeError} If `retryAfterMs` is out of range.
   * @throws {TypeError} If a key of the metadata, or the type of a value, is not allowed.
   * @throws {RangeError} If a value of the metadata has characters that are not allowed.
   */
  constructor(status: Status, message = "", options: GRPCErrorOptions = {}) {
    if (!isStatus(status) || status === Status.OK) {
      // An error that is OK would be reported as a success: always a bug.
      throw new RangeError(
        `Cannot create error: status must be an integer from 1 to 16, received ${status}`,
      );
    }
    super(message, options);
    this.name = `GRPCError [${statusName(status)}]`; // what a stack trace shows first
    this.status = status;
    const { details, metadata, retryAfterMs } = options;
    if (retryAfterMs !== undefined) {
      checkRetryAfter(retryAfterMs);
      // Else inspectors would show it for all errors.
      this.retryAfterMs = retryAfterMs;
    }
    // What is in them is for the codec to judge, and that may be the user's.
    if (details !== undefined && !Array.isArray(details)) {
      throw new TypeError(
        `Cannot create error: details must be an array, received ${
          describe(details)
        }`,
      );
    }
    this.#details = details === undefined
      ? NO_DETAILS
      : Object.freeze([...details]);
    this.#metadata = metadata === undefined
      ? undefined
      : new Metadata(metadata);
  }

  /**
   * The details that came, or go, with the status; empty when there are none.
   * {@linkcode findDetail} finds one by its type.
   */
  get details(): readonly unknown[] {
    if (typeof this.#details === "function") {
      const make = this.#details;
      this.#details = NO_DETAILS; // and that is what stays if it throws
      try {
        this.#details = Object.freeze([...make()]);
      } catch {
        // Malformed details never hide the status.
      }
    }
    return this.#details;
  }

  /** The metadata that came, or goes, with the status; empty when there is none. */
  get metadata(): Metadata {
    let metadata = this.#metadata;
    if (!(metadata instanceof Metadata)) {
      metadata = metadata === undefined ? new Metadata() : metadata();
      this.#metadata = metadata;
    }
    return metadata;
  }
}

/** Throws unless clients can be told to try again after such a time. */
function checkRetryAfter(retryAfterMs: unknown): void {
  if (retryAfterMs === null) return;
  const isNumber = typeof retryAfterMs === "number";
  if (
    isNumber && Number.isInteger(retryAfterMs) && retryAfterMs >= 0 &&
    retryAfterMs < 2 ** 31
  ) return;
  const ErrorClass = isNumber ? RangeError : TypeError;
  throw new ErrorClass(
    `Cannot create error: retryAfterMs must be null or an integer from 0 to ${
      2 ** 31 - 1
    }, received ${show(retryAfterMs)}`,
  );
}

// Few calls make several attempts; of these the error gets an own one, which
// inspectors show.
Object.defineProperty(GRPCError.prototype, "attempts", { value: 1 });

// Inspectors show an object's own properties alone, so what is printed gets the
// details as one. An inspector that is handed the object itself goes on as ever.
Object.defineProperty(
  GRPCError.prototype,
  Symbol.for("nodejs.util.inspect.custom"),
  {
    value(this: GRPCError): GRPCError {
      const { details } = this;
      if (details.length > 0 && Object.isExtensible(this)) {
        Object.defineProperty(this, "details", {
          value: details,
          enumerable: true,
          configurable: true,
        });
      }
      return this;
    },
  },
);

/**
 * Says where an error of a received status gets its metadata, made only when
 * somebody reads it. Internal: received metadata is not checked.
 */
export function deferMetadata(error: GRPCError, make: () => Metadata): void {
  setMetadataSource(error, make);
}

/**
 * Says where an error of a received status gets its details, decoded only when
 * somebody reads them. Internal: a maker that throws leaves the error without.
 */
export function deferDetails(
  error: GRPCError,
  make: () => readonly unknown[],
): void {
  setDetailsSource(error, make);
}

/** Says how many attempts the call made that failed with an error. Internal. */
export function countAttempts(error: GRPCError, attempts: number): void {
  if (attempts < 2 || !Object.isExtensible(error)) return;
  Object.defineProperty(error, "attempts", {
    value: attempts,
    enumerable: true,
    configurable: true,
  });
}

/**
 * Says which call an error belongs to, unless it belongs to another already.
 * Internal.
 */
export function assignCall(
  error: Error | null,
  methodName: string,
  peer: Peer | null,
): void {
  if (!(error instanceof GRPCError) || error.methodName !== undefined) return;
  if (!Object.isExtensible(error)) return;
  Object.assign(error, { methodName, peer });
}

/**
 * A call whose stream was reset, or whose connection ended, before it had a
 * status from the other side. Its status is the one the gRPC documents assign.
 *
 * The message says what happened, and the same in the same words, so that errors
 * can be counted; what differs from one to the next, such as how many attempts
 * to connect have failed, stands behind it in parentheses.
 *
 * @example Usage
 * ```ts
 * import { GRPCError, Status, StreamTerminatedError } from "@grpclib/grpclib";
 * import { assertEquals, assertInstanceOf } from "@std/assert";
 *
 * const error = new StreamTerminatedError(Status.UNAVAILABLE, "Connection lost");
 *
 * assertInstanceOf(error, GRPCError);
 * assertEquals(error.name, "StreamTerminatedError [UNAVAILABLE]");
 * ```
 */
export class StreamTerminatedError extends GRPCError {
  /**
   * Creates an error with a status.
   *
   * @param status The status, any but OK.
   * @param message What ended the stream.
   * @param options Details, metadata and cause.
   * @throws {RangeError} If the status is not an integer from 1 to 16.
   */
  constructor(status: Status, message = "", options: GRPCErrorOptions = {}) {
    super(status, message, options);
    this.name = `StreamTerminatedError [${statusName(status)}]`;
  }
}

/**
 * A mistake in the use of this library, such as a second message where one
 * belongs. The code has to change; trying again does not help.
 *
 * @example Usage
 * ```ts
 * import { GRPCError, ProtocolError } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new ProtocolError("Cannot send message: the stream is ended");
 *
 * assertEquals(error.name, "ProtocolError");
 * assertEquals(error instanceof GRPCError, false);
 * ```
 */
export class ProtocolError extends Error {
  /**
   * Creates an error with a message.
   *
   * @param message What was attempted and why it cannot be.
   * @param options The cause, if there is one.
   */
  constructor(message?: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ProtocolError";
  }
}
