/**
 * What this library calls itself on the wire.
 *
 * @module
 */

/** The version of this package, as in deno.json; a test compares them. */
export const VERSION = "0.1.0";

/**
 * The user-agent of a client: `grpc-<language>-<variant>/<version> (…)`.
 *
 * The runtime's own name, such as `deno/2.9.6`, is read from `navigator`, which
 * needs no permission.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#user-agents}
 */
export const USER_AGENT: string =
  `grpc-deno-grpclib/${VERSION} (${runtimeName()})`;

function runtimeName(): string {
  const { userAgent } = (globalThis as { navigator?: { userAgent?: string } })
    .navigator ?? {};
  return userAgent?.toLowerCase() ?? "unknown";
}
