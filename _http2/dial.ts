/**
 * From a target to a connected socket.
 *
 * A name may have several addresses, and some of them may not answer. They are
 * tried in order, each with a head start before the next, and the first that
 * connects wins.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8305}
 * @module
 */

import dns, { type LookupAddress } from "node:dns";
import net from "node:net";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { refer } from "./refer.ts";

/** How long an address is tried alone before the next is tried beside it. */
const HEAD_START_MS = 250;

/** Where to connect to: a host and port, or the path of a unix socket. */
export type Endpoint =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** The one who wants the socket. Exactly one of its methods is called, once. */
export interface DialListener {
  onSocket(socket: net.Socket): void;
  /** With the story of every attempt. */
  onFailure(error: Error): void;
}

/** What names are looked up with, and sockets made: the system's own. */
export interface System {
  lookup(
    hostname: string,
    callback: (error: Error | null, addresses: LookupAddress[]) => void,
  ): void;
  connect(options: net.NetConnectOpts): net.Socket;
}

const SYSTEM: System = {
  lookup: (hostname, callback) =>
    dns.lookup(hostname, { all: true, verbatim: true }, callback),
  connect: (options) => net.connect(options),
};

/** An attempt to connect, to one or several addresses. */
export class Dial {
  readonly #endpoint: Endpoint;
  readonly #listener: DialListener;
  readonly #system: System;
  readonly #running = new Set<net.Socket>();
  readonly #errors: Error[] = [];
  #waiting: net.NetConnectOpts[] = [];
  #timer: NodeJS.Timeout | undefined;
  #referred = true;
  #over = false;

  constructor(
    endpoint: Endpoint,
    listener: DialListener,
    system: System = SYSTEM,
  ) {
    this.#endpoint = endpoint;
    this.#listener = listener;
    this.#system = system;
    if ("path" in endpoint) {
      this.#start([{ path: endpoint.path }]);
    } else if (net.isIP(endpoint.hostname) !== 0) {
      const { hostname: host, port } = endpoint;
      this.#start([{ host, port }]);
    } else {
      this.#resolve(endpoint.hostname, endpoint.port);
    }
  }

  /** Gives up; the listener is told nothing. */
  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    for (const socket of this.#running) socket.destroy();
    this.#running.clear();
  }

  /** Says whether it keeps the process alive; looking up a name always does. */
  refer(needed: boolean): void {
    this.#referred = needed;
    for (const socket of this.#running) refer(socket, needed);
    if (needed) this.#timer?.ref();
    else this.#timer?.unref();
  }

  #resolve(hostname: string, port: number): void {
    this.#system.lookup(hostname, (error, addresses) => {
      if (this.#over) return;
      if (error) {
        this.#errors.push(error);
        return this.#fail();
      }
      this.#start(
        interleave(addresses).map(({ address: host }) => ({ host, port })),
      );
    });
  }

  #start(attempts: net.NetConnectOpts[]): void {
    this.#waiting = attempts;
    this.#next();
  }

  #next(): void {
    clearTimeout(this.#timer);
    const attempt = this.#waiting.shift();
    if (attempt === undefined) {
      if (this.#running.size === 0) this.#fail();
      return;
    }
    let socket: net.Socket;
    try {
      socket = this.#system.connect(attempt);
    } catch (error) {
      // Such as a missing permission. Told later, as other failures are.
      this.#errors.push(error as Error);
      process.nextTick(() => {
        if (!this.#over) this.#next();
      });
      return;
    }
    this.#running.add(socket);
    refer(socket, this.#referred);
    const onError = (error: Error): void => {
      this.#errors.push(error);
    };
    const onClose = (): void => {
      this.#running.delete(socket);
      if (!this.#over) this.#next();
    };
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("connect", () => {
      if (this.#over) return;
      socket.off("error", onError);
      socket.off("close", onClose);
      this.#running.delete(socket);
      this.cancel();
      this.#listener.onSocket(socket);
    });
    if (this.#waiting.length > 0) {
      this.#timer = setTimeout(() => this.#next(), HEAD_START_MS);
      if (!this.#referred) this.#timer.unref();
    }
  }

  #fail(): void {
    this.#over = true;
    const [first] = this.#errors;
    this.#listener.onFailure(
      this.#errors.length === 1 && first !== undefined
        ? first
        : new AggregateError(
          this.#errors,
          this.#errors.map(({ message }) => message).join("; ") ||
            `no address found for ${JSON.stringify(this.#endpoint)}`,
        ),
    );
  }
}

/** Sorts addresses so that the families alternate, the first one's first. */
export function interleave<T extends { readonly family: number }>(
  addresses: readonly T[],
): T[] {
  const family = addresses[0]?.family;
  const preferred = addresses.filter((address) => address.family === family);
  const others = addresses.filter((address) => address.family !== family);
  const sorted: T[] = [];
  for (let i = 0; i < Math.max(preferred.length, others.length); i++) {
    const [a, b] = [preferred[i], others[i]];
    if (a !== undefined) sorted.push(a);
    if (b !== undefined) sorted.push(b);
  }
  return sorted;
}
