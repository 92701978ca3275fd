/**
 * From the targets of a channel to the addresses that are tried.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/naming.md}
 * @module
 */

import dns from "node:dns";
import { isIP } from "node:net";
import { formatTarget, type Target, targetOf } from "../../core/target.ts";
import type { SocketSource } from "./connect.ts";
import { explainPermission, isPermitted } from "../permission.ts";

/** One way to a server. */
export interface Address {
  /** What it is called in errors, such as `10.0.0.1:50051`. */
  readonly name: string;
  /** The path of the unix socket, if it is one. */
  readonly path: string | undefined;
  /** Connects a socket. */
  readonly connect: SocketSource;
}

/** Why something that has a name could not be connected to. */
export interface ConnectFailure {
  readonly name: string;
  readonly cause: unknown;
}

/** Takes the addresses that were found, and the names that none were found of. */
export type AddressesFound = (
  addresses: readonly Address[],
  failures: readonly ConnectFailure[],
) => void;

/**
 * Finds addresses, and tells of them once: at once where there is nothing to
 * look up.
 */
export type AddressSource = (onFound: AddressesFound) => void;

/** What the system knows of names. */
export interface NameSystem {
  /** Looks up a name, and gives the error, or its addresses. */
  lookUp(
    hostname: string,
    port: number,
    onFound: (error: Error | null, addresses: readonly string[]) => void,
  ): void;
  /** Tells whether an address may be connected to. */
  isPermitted(address: string, port: number): boolean;
}

/** Says how to connect to an address; or to a name, where that has to do. */
export type Connector = (target: Target) => SocketSource;

/** An address that is known, and nothing to look up. */
export function fixedAddresses(
  addresses: readonly Address[],
): AddressSource {
  return (onFound) => onFound(addresses, []);
}

/**
 * The addresses of a target: its own, or those that its name has at the moment.
 *
 * @param target The target.
 * @param connect Says how to connect to them.
 * @param names Knows the addresses of names.
 */
export function addressesOf(
  target: Target,
  connect: Connector,
  names: NameSystem = { lookUp, isPermitted },
): AddressSource {
  if (target.kind === "path" || isAddress(target.hostname)) {
    return fixedAddresses([addressOf(target, connect)]);
  }
  const { hostname, port } = target;
  return (onFound) =>
    names.lookUp(hostname, port, (error, found) => {
      if (error !== null) {
        const cause = explainPermission(error, target);
        return onFound([], [{ name: formatTarget(target), cause }]);
      }
      // The permission for a name is not one for its addresses, but to connect
      // by the name, where the runtime has to try one address after the other.
      const addresses = found.every((address) =>
          names.isPermitted(address, port)
        )
        ? found.map((address) => targetOf(address, port))
        : [target];
      onFound(addresses.map((address) => addressOf(address, connect)), []);
    });
}

/** The addresses of several targets, which are looked up side by side. */
export function joinedAddresses(
  sources: readonly AddressSource[],
): AddressSource {
  if (sources.length === 0) return fixedAddresses([]);
  if (sources.length === 1) return sources[0]!;
  return (onFound) => {
    const found: (readonly Address[])[] = [];
    const failed: (readonly ConnectFailure[])[] = [];
    let missing = sources.length;
    sources.forEach((source, i) =>
      source((addresses, failures) => {
        found[i] = addresses;
        failed[i] = failures;
        if (--missing === 0) onFound(found.flat(), failed.flat());
      })
    );
  };
}

/** Addresses by name, each but once: those of one server, by one connector. */
export function distinct(source: AddressSource): AddressSource {
  return (onFound) =>
    source((addresses, failures) => {
      const byName = new Map(addresses.map((it) => [it.name, it]));
      onFound([...byName.values()], failures);
    });
}

/** Addresses in random order, another each time. */
export function shuffled(source: AddressSource): AddressSource {
  return (onFound) =>
    source((addresses, failures) => {
      const order = addresses.map((address) => ({
        address,
        at: Math.random(),
      }));
      order.sort((a, b) => a.at - b.at);
      onFound(order.map(({ address }) => address), failures);
    });
}

/**
 * Puts addresses in the order in which they are tried: the families take turns,
 * beginning with that of the first, so that a family that does not work here
 * costs one attempt.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8305#section-4}
 */
export function interleaved(addresses: readonly Address[]): Address[] {
  const families = [...Map.groupBy(addresses, familyOf).values()];
  const longest = Math.max(0, ...families.map(({ length }) => length));
  return Array.from(
    { length: longest },
    (_, i) => families.flatMap((family) => family.slice(i, i + 1)),
  ).flat();
}

function familyOf({ name, path }: Address): string {
  return path !== undefined ? "unix" : name.startsWith("[") ? "IPv6" : "IPv4";
}

/** The way to a target as it is, with nothing to look up. */
export function addressOf(target: Target, connect: Connector): Address {
  return {
    name: formatTarget(target),
    path: target.kind === "path" ? target.path : undefined,
    connect: connect(target),
  };
}

/** Tells an address from a name; only the former can have colons. */
export function isAddress(hostname: string): boolean {
  return hostname.includes(":") || isIP(hostname) !== 0;
}

/**
 * Asks the system for the addresses of a name, in its order of preference: the
 * file of hosts counts, and search domains do.
 */
function lookUp(
  hostname: string,
  port: number,
  onFound: (error: Error | null, addresses: readonly string[]) => void,
): void {
  // Deno checks the permission for the name and port, if there is one.
  const options = { all: true, order: "verbatim", port } as const;
  dns.lookup(hostname, options, (error, found) => {
    const addresses = found?.map(({ address }) => address) ?? [];
    if (error === null && addresses.length === 0) {
      return onFound(new Error(`"${hostname}" has no address`), []);
    }
    onFound(error, addresses);
  });
}
