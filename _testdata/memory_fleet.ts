/**
 * Servers in memory that have addresses, on a virtual clock.
 *
 * @module
 */

import {
  Channel,
  type ChannelOptions,
  type ConnectFunction,
  createStub,
} from "../client.ts";
import type { CallOptions } from "../client.ts";
import { Server, type Service } from "../server.ts";
import { VirtualClock } from "../testing/mod.ts";
import { MemoryWires } from "../testing/_memory_wire.ts";
import type { MemoryWire } from "../testing/_memory_wire.ts";
import { openConnections } from "../_http2/open_connections.ts";
import { assertEquals } from "@std/assert";
import { type EchoHandlers, echoWith } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { soon } from "./waiting.ts";

/** What is found at an address where no server is. */
export type Absence = "refuses" | "is silent" | "hangs up";

/** A client's view of the fleet. */
export interface FleetClient {
  readonly channel: Channel;
  /** Calls, and gives the address that answered. */
  call(options?: CallOptions): Promise<string>;
  /** Calls so many times, one after the other. */
  calls(count: number): Promise<string[]>;
}

/** Servers in memory. */
export class MemoryFleet implements AsyncDisposable {
  readonly clock = new VirtualClock();
  /** What was connected to, and with `-` what was given up, in order. */
  readonly log: string[] = [];
  readonly #wires = new MemoryWires(this.clock, null);
  readonly #places = new Map<string, Server | Absence>();
  readonly #servers: Server[] = [];
  readonly #channels: Channel[] = [];
  readonly #made = new Map<string, MemoryWire[]>();

  /** Makes connections to the fleet: the `connect` of a channel. */
  readonly connect: ConnectFunction = ({ address, signal }) => {
    this.log.push(address);
    signal.addEventListener("abort", () => this.log.push(`-${address}`));
    const place = this.#places.get(address) ?? "refuses";
    if (place === "refuses") throw new Error(`connect REFUSED ${address}`);
    if (place === "is silent") return new Promise(() => {});
    const wire = this.#wires.make();
    this.#made.set(address, [...this.#made.get(address) ?? [], wire]);
    if (place === "hangs up") wire.server.destroy();
    else place.accept(wire.server);
    return wire.client;
  };

  /** Has a server at an address, which answers unary calls with that. */
  serve(
    address: string,
    handlers: EchoHandlers = {},
    others: readonly Service[] = [],
    options: ConstructorParameters<typeof Server>[1] = {},
  ): Server {
    const server = new Server([
      echoWith({
        unary: (stream) => stream.sendMessage({ text: address }),
        ...handlers,
      }),
      ...others,
    ], { clock: this.clock, ...options });
    this.#servers.push(server);
    this.#places.set(address, server);
    return server;
  }

  /** Has no server at an address any more; those there are go on. */
  remove(address: string, absence: Absence = "refuses"): void {
    this.#places.set(address, absence);
  }

  /** Cuts all connections to an address. */
  cut(address: string): void {
    for (const wire of this.#made.get(address) ?? []) wire.close();
    this.#made.delete(address);
  }

  /** Makes a channel. */
  client(options: ChannelOptions): FleetClient {
    const channel = new Channel({
      connect: this.connect,
      clock: this.clock,
      ...options,
    });
    this.#channels.push(channel);
    const { unary } = createStub(Echo, channel);
    const call = async (options?: CallOptions) =>
      (await soon(unary({}, options), "a reply")).text;
    return {
      channel,
      call,
      async calls(count) {
        const texts = [];
        for (let i = 0; i < count; i++) texts.push(await call());
        return texts;
      },
    };
  }

  /** Closes all, and looks whether anything is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.close()));
    for (const server of this.#servers) server.close();
    await this.#wires.close();
    await Promise.all(this.#servers.map((server) => server.waitClosed()));
    assertEquals(this.clock.timers, 0, "timers are left");
    assertEquals([...openConnections].map(String), []);
  }
}

/** Counts how often each text is there, in the order of the texts. */
export function tally(texts: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const text of texts.toSorted()) counts[text] = (counts[text] ?? 0) + 1;
  return counts;
}
