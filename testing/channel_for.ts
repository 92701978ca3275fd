/**
 * A channel and a server, wired in memory.
 *
 * @module
 */

import { Channel, type ChannelOptions } from "../client.ts";
import type { Clock } from "../core/clock.ts";
import type { Codec } from "../core/codec.ts";
import type { Configuration, ConfigurationOptions } from "../core/config.ts";
import type { StatusDetailsCodec } from "../core/status_details.ts";
import {
  type HandlerErrorInfo,
  Server,
  type ServerOptions,
  type Service,
} from "../server.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";
import { systemClock } from "../_http2/system_clock.ts";
import { attachFaults, checkConnect, type Faults, guardFor } from "./faults.ts";
import { MemoryWires } from "./_memory_wire.ts";

/** Options for {@linkcode ChannelFor}. */
export interface ChannelForOptions {
  /**
   * Makes bytes of messages and messages of bytes, on both sides.
   *
   * @default {new ProtoCodec()}
   */
  readonly codec?: Codec;
  /**
   * Makes bytes of the details of a status, and details of bytes, on both sides;
   * `null` for none.
   *
   * @default {new ProtoStatusDetailsCodec()}
   */
  readonly statusDetailsCodec?: StatusDetailsCodec | null;
  /**
   * Window sizes, message limits and the like, of both sides.
   *
   * @default {new Configuration()}
   */
  readonly config?: Configuration | ConfigurationOptions;
  /**
   * The implementation of HTTP/2 on both sides: `"node"` is `node:http2` of the
   * runtime, `"native"` the library's own.
   *
   * @default {"node"}
   */
  readonly http2?: HTTP2Engine;
  /**
   * Told what a handler threw that is no `GRPCError`.
   *
   * @default writes it to the console
   */
  readonly onError?: (error: unknown, info: HandlerErrorInfo) => void;
  /**
   * What goes wrong between the two, when it says so.
   *
   * @default {undefined} nothing
   */
  readonly faults?: Faults;
  /**
   * What both sides know the time by, such as a `VirtualClock`.
   *
   * @default {undefined} the clock of the system
   */
  readonly clock?: Clock;
  /**
   * Options of the channel alone; they count more than those above.
   *
   * @default {{}}
   */
  readonly channel?: Omit<
    ChannelOptions,
    "clock" | "connect" | "path" | "tls"
  >;
  /**
   * Options of the server alone; they count more than those above.
   *
   * @default {{}}
   */
  readonly server?: Omit<ServerOptions, "clock">;
}

/**
 * A channel that is wired in memory to a server of its own: a real client and a
 * real server, with real HTTP/2 between them, but no port. It needs no
 * permission, and leaves nothing behind when it is closed.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub } from "@grpclib/grpclib";
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * await using channel = new ChannelFor([greeter]);
 * const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 * assertEquals(reply.message, "Hello, Ada!");
 * ```
 */
export class ChannelFor extends Channel {
  /** The server, such as for `listen()`, or to see what its `close()` does. */
  readonly server: Server;
  readonly #wires: MemoryWires;

  /**
   * Makes a server of the services, and a channel to it.
   *
   * @param services The services.
   * @param options How the two speak with each other.
   * @throws {TypeError} If a service is none, or an option is of a wrong type.
   * @throws {RangeError} If an option is out of range.
   */
  constructor(services: Iterable<Service>, options: ChannelForOptions = {}) {
    const { faults, clock, channel, onError, server: alone } = options;
    const { codec, statusDetailsCodec, config, http2 } = options;
    const both = {
      ...(codec === undefined ? {} : { codec }),
      ...(statusDetailsCodec === undefined ? {} : { statusDetailsCodec }),
      ...(config === undefined ? {} : { config }),
      ...(http2 === undefined ? {} : { http2 }),
      ...(clock === undefined ? {} : { clock }),
    };
    const server = new Server(services, {
      ...both,
      ...(onError === undefined ? {} : { onError }),
      ...alone,
    });
    const guard = faults === undefined ? null : guardFor(faults);
    const wires = new MemoryWires(clock ?? systemClock, guard);
    super("in-memory", {
      ...both,
      ...channel,
      connect: () => {
        if (faults !== undefined) checkConnect(faults);
        const wire = wires.make();
        try {
          server.accept(wire.server);
        } catch (error) {
          wire.close();
          throw error;
        }
        return wire.client;
      },
    });
    if (faults !== undefined) attachFaults(faults, wires);
    this.server = server;
    this.#wires = wires;
  }

  /**
   * Closes the channel and its server, whatever faults there are.
   *
   * @returns When the connections are gone and the handlers are through.
   */
  override async close(): Promise<void> {
    const closed = super.close();
    this.server.close();
    await Promise.all([closed, this.#wires.close()]);
    await this.server.waitClosed();
  }

  /** Closes the channel and its server. */
  override [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
