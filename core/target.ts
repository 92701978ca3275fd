/**
 * The names of servers.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/naming.md}
 * @module
 */

import { describe, show } from "./_describe.ts";

/** The port of a target that names none, as in grpclib. */
export const DEFAULT_PORT = 50051;

/** A server: a host and port, or the path of a unix socket. */
export type Target = HostTarget | PathTarget;

/** A server that is reached by TCP. */
export interface HostTarget {
  /** Tells a host from a path. */
  readonly kind: "host";
  /** A host name or an address; IPv6 without brackets. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** Both, as `:authority` has them: `127.0.0.1:50051` or `[::1]:50051`. */
  readonly authority: string;
}

/** A server that is reached by a unix socket. */
export interface PathTarget {
  /** Tells a path from a host. */
  readonly kind: "path";
  /** The path of the socket; one in the abstract namespace begins with NUL. */
  readonly path: string;
  /** What `:authority` has for want of a host. */
  readonly authority: "localhost";
}

/** Reads what follows a scheme; `text` is the whole, for errors. */
type Reader = (rest: string, text: string) => Target;

const SCHEMES: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["dns", (rest, text) => {
    if (/^\/\/[^/]/.test(rest)) {
      throw wrongTarget(
        'a DNS server cannot be chosen, a name is "dns:///host:port"',
        text,
      );
    }
    return readHost(withoutSlashes(rest), text);
  }],
  ["ipv4", (rest, text) => {
    const target = readHost(withoutSlashes(rest), text);
    if (isIPv4(target.hostname)) return target;
    throw wrongTarget('one IPv4 address is "ipv4:127.0.0.1:50051"', text);
  }],
  ["ipv6", (rest, text) => {
    const target = readHost(withoutSlashes(rest), text);
    if (isIPv6(target.hostname)) return target;
    throw wrongTarget('one IPv6 address is "ipv6:[::1]:50051"', text);
  }],
  ["unix", (rest, text) => {
    const path = rest.startsWith("//") ? rest.slice(2) : rest;
    if (path !== rest && !path.startsWith("/")) {
      throw wrongTarget('an absolute path is "unix:///run/x.sock"', text);
    }
    return pathTargetOf(path);
  }],
  ["unix-abstract", (rest) => pathTargetOf(`\0${rest}`)],
]);

/**
 * Makes a target of a host and a port.
 *
 * @param hostname A host name or an address; IPv6 with or without brackets.
 * @param port The port, from 1 to 65535.
 * @returns The target.
 * @throws {TypeError} If the host is empty or has characters that no host has,
 *   or the port is no number.
 * @throws {RangeError} If the port is not from 1 to 65535.
 */
export function targetOf(hostname: string, port: number): HostTarget {
  if (typeof hostname !== "string") {
    throw new TypeError(
      `Cannot create channel: the host must be a string, received ${
        describe(hostname)
      }`,
    );
  }
  const bare = /^\[.*\]$/.test(hostname) ? hostname.slice(1, -1) : hostname;
  // An address in brackets is one of IPv6, and what has a colon is as well. A
  // name of digits alone is a port whose host was forgotten; the system would
  // take it for an IPv4 address.
  const isHost = bare !== hostname || bare.includes(":")
    ? isIPv6(bare)
    : /^[0-9A-Za-z._-]+$/.test(bare) && !/^[0-9]+$/.test(bare);
  if (!isHost) {
    throw new TypeError(
      `Cannot create channel: a host name or address is needed, received "${hostname}"`,
    );
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    const ErrorClass = typeof port === "number" ? RangeError : TypeError;
    throw new ErrorClass(
      `Cannot create channel: port must be an integer from 1 to 65535, received ${
        show(port)
      }`,
    );
  }
  // The zone of an address means something on this machine only, and the dot
  // behind a name to the one who looks it up.
  // https://www.rfc-editor.org/rfc/rfc6874#section-4
  const authority = bare.includes(":")
    ? `[${bare.replace(/%.*/, "")}]:${port}`
    : `${bare.replace(/\.$/, "")}:${port}`;
  return { kind: "host", hostname: bare, port, authority };
}

/**
 * Makes a target of the path of a unix socket.
 *
 * @param path The path, absolute or relative to the working directory; one that
 * begins with NUL is a name in the abstract namespace of Linux.
 * @returns The target.
 * @throws {TypeError} If the path is empty or has a NUL in it.
 */
export function pathTargetOf(path: string): PathTarget {
  if (typeof path !== "string") {
    throw new TypeError(
      `Cannot create channel: path must be a string, received ${
        describe(path)
      }`,
    );
  }
  if (!/^\0?[^\0]+$/.test(path)) {
    throw new TypeError(
      `Cannot create channel: the path of a unix socket is needed, received ${
        JSON.stringify(path)
      }`,
    );
  }
  return { kind: "path", path, authority: "localhost" };
}

/**
 * Reads a target string.
 *
 * | form | meaning |
 * | --- | --- |
 * | `host:port`, `host`, `[::1]:50051`, `::1` | a host name or address |
 * | `dns:host:port`, `dns:///host:port` | the same |
 * | `ipv4:127.0.0.1:50051`, `ipv6:[::1]:50051` | an address |
 * | `unix:path`, `unix:///absolute/path` | a unix socket |
 * | `unix-abstract:name` | a unix socket in the abstract namespace of Linux |
 *
 * @param text The target.
 * @returns The target, with {@linkcode DEFAULT_PORT} where it names no port.
 * @throws {TypeError} If it is of no such form.
 * @throws {RangeError} If the port is not from 1 to 65535.
 */
export function parseTarget(text: string): Target {
  if (typeof text !== "string") {
    throw new TypeError(
      `Cannot create channel: the target must be a string, received ${
        describe(text)
      }`,
    );
  }
  const [, scheme = "", rest = ""] =
    /^([A-Za-z][0-9A-Za-z+.-]*):([^]*)$/.exec(text) ?? [];
  const read = SCHEMES.get(scheme.toLowerCase());
  if (read !== undefined) return read(rest, text);
  // A scheme looks like a host, and a host and port like a scheme and a path.
  // What has colons further on may still be an address: "fe80::1".
  if (scheme !== "" && !/^[0-9]+$/.test(rest) && !isIPv6(text)) {
    throw wrongTarget(
      `there is no scheme "${scheme}", only ${[...SCHEMES.keys()].join(", ")}`,
      text,
    );
  }
  return readHost(text, text);
}

/**
 * Reads the target string of a server that may have several addresses, or a list
 * of such strings. Beside what {@linkcode parseTarget} reads there are
 * `ipv4:1.2.3.4:50051,1.2.3.5:50051` and `ipv6:` with such a list.
 *
 * @param target The target, or several.
 * @returns The targets, at least one, and each but once.
 * @throws {TypeError} If one is of no such form, or there is none.
 * @throws {RangeError} If a port is not from 1 to 65535.
 */
export function parseTargets(target: string | readonly string[]): Target[] {
  if (Array.isArray(target) && target.length === 0) {
    throw new TypeError(
      "Cannot create channel: the list of targets is empty",
    );
  }
  const texts: readonly string[] = Array.isArray(target) ? target : [target];
  const targets = texts.flatMap(splitAddresses).map(parseTarget);
  return [...new Map(targets.map((it) => [formatTarget(it), it])).values()];
}

/** Makes several target strings of one with a list of addresses. */
function splitAddresses(text: string): string[] {
  if (typeof text !== "string") return [text];
  const [, scheme, list] = /^(ipv[46]:)(.*,.*)$/i.exec(text) ?? [];
  if (list === undefined) return [text];
  return list.split(",").map((address) => `${scheme}${address}`);
}

/**
 * Writes a target for people to read.
 *
 * @param target The target.
 * @returns The target string, such as `127.0.0.1:50051` or `unix:/run/x.sock`.
 */
export function formatTarget(target: Target): string {
  if (target.kind === "path") {
    const { path } = target;
    if (path.startsWith("\0")) return `unix-abstract:${path.slice(1)}`;
    // What has two slashes would be read as a URI with an authority.
    return path.startsWith("//") ? `unix://${path}` : `unix:${path}`;
  }
  const { hostname, port } = target;
  if (hostname.includes(":")) return `[${hostname}]:${port}`;
  // A host may be named as a scheme is.
  const scheme = SCHEMES.has(hostname.toLowerCase()) ? "dns:///" : "";
  return `${scheme}${hostname}:${port}`;
}

/** Reads a host with or without a port. */
function readHost(name: string, text: string): HostTarget {
  if (isIPv6(name)) return targetOf(name, DEFAULT_PORT);
  const match = /^(\[[^\]]+\]|[^:[\]/]+)(?::([0-9]+))?$/.exec(name);
  if (match === null) {
    throw wrongTarget(
      'a server is "host:port", "dns:///host:port" or "unix:path"',
      text,
    );
  }
  const [, hostname = "", port] = match;
  return targetOf(hostname, port === undefined ? DEFAULT_PORT : Number(port));
}

/** A name may be the path of a URI: `dns:///host`. */
function withoutSlashes(rest: string): string {
  return rest.startsWith("///") ? rest.slice(3) : rest;
}

function isIPv4(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && +part <= 255);
}

/** Tells whether a text is an IPv6 address, with or without a zone. */
function isIPv6(text: string): boolean {
  const [, address = ""] = /^([^%]*)(?:%[0-9A-Za-z._-]+)?$/.exec(text) ?? [];
  // The last two groups may be written as an IPv4 address.
  const [, head = address, tail] = /^(.*:)([0-9]+\..*)$/.exec(address) ?? [];
  if (tail !== undefined && !isIPv4(tail)) return false;
  const halves = (tail === undefined ? address : `${head}0:0`).split("::");
  const groups = halves.flatMap((half) => half === "" ? [] : half.split(":"));
  if (!groups.every((group) => /^[0-9A-Fa-f]{1,4}$/.test(group))) return false;
  // "::" stands for at least one group, and can do so once.
  return halves.length === 1
    ? groups.length === 8
    : halves.length === 2 && groups.length < 8;
}

function wrongTarget(need: string, text: string): TypeError {
  return new TypeError(
    `Cannot create channel: ${need}, received ${JSON.stringify(text)}`,
  );
}
