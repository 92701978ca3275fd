/**
 * The names of servers.
 *
 * @module
 */

/** The port of a target that names none, as in grpclib. */
export const DEFAULT_PORT = 50051;

/** A server's host and port, and both in one as `:authority` has them. */
export interface Target {
  /** A host name or an address; IPv6 without brackets. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** Both, such as `127.0.0.1:50051` or `[::1]:50051`. */
  readonly authority: string;
}

/**
 * Makes a target of a host and a port.
 *
 * @param hostname A host name or an address; IPv6 with or without brackets.
 * @param port The port, from 1 to 65535.
 * @returns The target.
 * @throws {TypeError} If the host is empty or has characters that no host has.
 * @throws {RangeError} If the port is not from 1 to 65535.
 */
export function targetOf(hostname: string, port: number): Target {
  const bare = /^\[.*\]$/.test(hostname) ? hostname.slice(1, -1) : hostname;
  if (typeof hostname !== "string" || !/^[0-9A-Za-z._:%-]+$/.test(bare)) {
    throw new TypeError(
      `Cannot create channel: a host name or address is needed, received "${hostname}"`,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RangeError(
      `Cannot create channel: port must be an integer from 1 to 65535, received ${port}`,
    );
  }
  return {
    hostname: bare,
    port,
    authority: bare.includes(":") ? `[${bare}]:${port}` : `${bare}:${port}`,
  };
}

/**
 * Reads a target string: `host:port`, `host`, `[::1]:50051`, or one of those
 * behind `dns:` or `dns:///`.
 *
 * @param text The target.
 * @returns The target, with {@linkcode DEFAULT_PORT} where it names no port.
 * @throws {TypeError} If it is of no such form.
 * @throws {RangeError} If the port is not from 1 to 65535.
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/naming.md}
 */
export function parseTarget(text: string): Target {
  const name = text.replace(/^dns:(\/\/\/)?/, "");
  const match = /^(\[[^\]]+\]|[^:[\]/]+)(?::([0-9]+))?$/.exec(name);
  if (match !== null) {
    const [, hostname, port] = match;
    return targetOf(
      hostname!,
      port === undefined ? DEFAULT_PORT : Number(port),
    );
  }
  if (/^[0-9A-Fa-f:.]+(%[0-9A-Za-z]+)?$/.test(name) && name.includes("::")) {
    return targetOf(name, DEFAULT_PORT);
  }
  throw new TypeError(
    `Cannot create channel: a target is "host:port" or "dns:///host:port", received "${text}"`,
  );
}
