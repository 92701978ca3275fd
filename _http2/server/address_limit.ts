/**
 * How many connections one address may have.
 *
 * @module
 */

import type { Duplex } from "node:stream";

/** Counts connections by the address they come from. */
export class AddressLimit {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  /** @param most How many one address may have; Infinity for any number. */
  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Takes a connection in, until it closes. One without an address, such as that
   * of a unix socket, is not counted.
   *
   * @returns Whether there was room for it.
   */
  admit(socket: Duplex): boolean {
    if (this.#most === Infinity) return true;
    const { remoteAddress } = socket as { readonly remoteAddress?: unknown };
    if (typeof remoteAddress !== "string") return true;
    const network = networkOf(remoteAddress);
    const count = this.#counts.get(network) ?? 0;
    if (count >= this.#most) return false;
    this.#counts.set(network, count + 1);
    socket.once("close", () => {
      const left = (this.#counts.get(network) ?? 1) - 1;
      if (left > 0) this.#counts.set(network, left);
      else this.#counts.delete(network);
    });
    return true;
  }
}

/**
 * Gives what counts as one address: an IPv4 address, also one that is written as
 * IPv6, or the first 64 bits of an IPv6 address. One host has all the others of
 * these: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.1
 *
 * @param address The address, without brackets.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!address.includes(":")) return address;
  const [head = "", tail] = address.replace(/%.*$/, "").split("::");
  const first = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  const groups = [...first, ...Array<string>(zeros).fill("0"), ...last];
  return groups.slice(0, 4).map((it) => Number.parseInt(it, 16).toString(16))
    .join(":") + "::/64";
}
