/**
 * The status codes of gRPC.
 *
 * @module
 */

/**
 * The status codes a call can end with, by the names and numbers of the
 * {@link https://github.com/grpc/grpc/blob/master/doc/statuscodes.md | gRPC status codes}.
 *
 * @example Usage
 * ```ts
 * import { GRPCError, Status } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const error = new GRPCError(Status.NOT_FOUND, "No such book");
 *
 * assertEquals(error.status, Status.NOT_FOUND);
 * assertEquals(error.status, 5);
 * ```
 */
export const Status = {
  /** The operation completed successfully. */
  OK: 0,
  /** The operation was cancelled, typically by the caller. */
  CANCELLED: 1,
  /** The cause is not known: a handler threw, or the peer gave no usable status. */
  UNKNOWN: 2,
  /** The request is wrong whatever the state of the system. */
  INVALID_ARGUMENT: 3,
  /** The deadline passed before the operation could complete. */
  DEADLINE_EXCEEDED: 4,
  /** Some requested entity was not found. */
  NOT_FOUND: 5,
  /** The entity that was to be created already exists. */
  ALREADY_EXISTS: 6,
  /** The caller is known, but may not do this. */
  PERMISSION_DENIED: 7,
  /** Some resource is used up: a quota, the memory, or a limit on the size of messages. */
  RESOURCE_EXHAUSTED: 8,
  /** The system is not in the state that the operation needs. */
  FAILED_PRECONDITION: 9,
  /** The operation was aborted, typically because another one ran at the same time. */
  ABORTED: 10,
  /** The operation was attempted past the valid range. */
  OUT_OF_RANGE: 11,
  /** The operation is not implemented, or not supported, by this service. */
  UNIMPLEMENTED: 12,
  /** An invariant of the system, or a rule of the protocol, is broken. */
  INTERNAL: 13,
  /** The service is unavailable at the moment; trying again may help. */
  UNAVAILABLE: 14,
  /** Data was lost or corrupted for good. */
  DATA_LOSS: 15,
  /** The caller has no valid credentials for the operation. */
  UNAUTHENTICATED: 16,
} as const;

/** One of the values of {@linkcode Status}, such as `5`. */
export type Status = typeof Status[keyof typeof Status];

/** One of the names in {@linkcode Status}, such as `"NOT_FOUND"`. */
export type StatusName = keyof typeof Status;

// The numbers run from 0 without a gap, so an array does for the way back.
const NAMES = Object.keys(Status) as StatusName[];

/**
 * Names a status as the specification writes it.
 *
 * @param status The status to name.
 * @returns The name of the status, such as `"NOT_FOUND"`.
 *
 * @example Usage
 * ```ts
 * import { Status, statusName } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(statusName(Status.NOT_FOUND), "NOT_FOUND");
 * ```
 */
export function statusName(status: Status): StatusName {
  return NAMES[status]!;
}

/**
 * Tells whether a value is one of the seventeen statuses.
 *
 * @param value The value to check.
 * @returns Whether the value is an integer from 0 to 16.
 *
 * @example Usage
 * ```ts
 * import { isStatus } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(isStatus(16), true);
 * assertEquals(isStatus(17), false);
 * assertEquals(isStatus("OK"), false);
 * ```
 */
export function isStatus(value: unknown): value is Status {
  return typeof value === "number" && NAMES[value] !== undefined;
}
