/**
 * The channel: where the calls of a client meet HTTP/2.
 *
 * @module
 */

import { type Codec, ProtoCodec } from "./core/codec.ts";
import { Configuration, type ConfigurationOptions } from "./core/config.ts";
import { formatTarget, parseTarget, targetOf } from "./core/target.ts";
import { FrameWriter } from "./_wire/frame.ts";
import type { ClientHost } from "./_call/client_target.ts";
import { ClientSession } from "./_http2/client_session.ts";

/** Options for {@linkcode Channel}. */
export interface ChannelOptions {
  /**
   * Makes bytes of messages and messages of bytes.
   *
   * @default {new ProtoCodec()}
   */
  readonly codec?: Codec;
  /**
   * Window sizes, message limits and the like.
   *
   * @default {new Configuration()}
   */
  readonly config?: Configuration | ConfigurationOptions;
}

/** What the methods of a channel need of it. */
export interface ChannelHost extends ClientHost {
  readonly source: ClientSession;
  readonly authority: string;
}

let readHost: (channel: Channel) => ChannelHost;

/** What a method of the channel needs of it; not for users. */
export function hostOf(channel: Channel): ChannelHost {
  return readHost(channel);
}

/**
 * A connection to a server, made when the first call needs it and made anew
 * when it was lost. All stubs and calls to one server share one channel.
 *
 * @example Usage
 * ```ts
 * import { Channel } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * assertEquals(channel.target, "127.0.0.1:50051");
 *
 * await using same = new Channel("dns:///127.0.0.1:50051");
 * assertEquals(same.target, "127.0.0.1:50051");
 * ```
 */
export class Channel implements AsyncDisposable {
  readonly #host: ChannelHost;

  static {
    readHost = (channel) => channel.#host;
  }

  /**
   * Creates a channel. It does nothing on the network.
   *
   * @param host The server's host name or address.
   * @param port The server's port.
   * @param options How to talk to it.
   * @throws {TypeError} If the host is none, or an option is of a wrong type.
   * @throws {RangeError} If the port or an option is out of range.
   */
  constructor(host?: string, port?: number, options?: ChannelOptions);
  /**
   * Creates a channel. It does nothing on the network.
   *
   * @param target The server as `host:port` or `dns:///host:port`.
   * @param options How to talk to it.
   * @throws {TypeError} If the target is of no such form, or an option is of a
   *   wrong type.
   * @throws {RangeError} If the port or an option is out of range.
   */
  constructor(target: string, options: ChannelOptions);
  constructor(
    host?: string,
    portOrOptions?: number | ChannelOptions,
    lastOptions?: ChannelOptions,
  ) {
    const isTarget = portOrOptions === undefined ||
      typeof portOrOptions === "object";
    const target = isTarget
      ? parseTarget(host ?? "127.0.0.1")
      : targetOf(host ?? "127.0.0.1", portOrOptions);
    if (target.kind === "path") {
      throw new TypeError(
        `Cannot create channel: unix sockets are not connected to yet, received ${
          formatTarget(target)
        }`,
      );
    }
    const options =
      (typeof portOrOptions === "object" ? portOrOptions : lastOptions) ?? {};
    const config = Configuration.from(options.config);
    this.#host = {
      source: new ClientSession(target, config),
      codec: options.codec ?? new ProtoCodec(),
      config,
      writer: new FrameWriter(),
      authority: target.authority,
    };
  }

  /** The server, such as `127.0.0.1:50051`. */
  get target(): string {
    return this.#host.authority;
  }

  /**
   * Closes the channel for good: its calls fail with `CANCELLED`, and so does
   * any later one.
   *
   * @returns When its connections are gone, which takes a second at most.
   */
  close(): Promise<void> {
    return this.#host.source.close();
  }

  /** Closes the channel. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
