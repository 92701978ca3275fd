/**
 * The service that shows channels, servers and connections.
 *
 * @module
 */

import { Channel, hostOf } from "../_channel.ts";
import { serverFigures } from "../_server_figures.ts";
import { noteTimes } from "../core/_figures.ts";
import { describe } from "../core/_describe.ts";
import { GRPCError } from "../core/errors.ts";
import type { ClientEvent, Listenable, ServerEvent } from "../core/events.ts";
import { Status } from "../core/status.ts";
import {
  attach,
  type Handler,
  mapping,
  type ServerContext,
  type Service,
} from "../_call/server/handler.ts";
import { createService } from "../_call/server/service.ts";
import {
  channelMessage,
  connectionMessage,
  connectionRef,
  listenerMessage,
  serverMessage,
  subchannelMessage,
} from "./_messages.ts";
import { type Identified, idOf, Registry } from "./_registry.ts";
import { Channelz as ChannelzV1 } from "./gen/grpc/channelz/v1/channelz_pb.ts";

/** How many results are on a page, if the client does not say. */
const PAGE_SIZE = 100;

/** How many there are at most. */
const MAX_PAGE_SIZE = 1000;

/**
 * The service `grpc.channelz.v1.Channelz`: shows channels, servers and their
 * connections, with states, counts and addresses, to tools such as grpcdebug.
 *
 * It shows the servers that serve it, and what it is given. Nothing that it shows
 * lives longer for it: a channel or server is gone from it when it is closed, or
 * nobody else has it. What it tells is for those who run the program: serve it
 * where they alone can reach it, such as on a port of the loopback interface or
 * on a unix socket.
 *
 * From the first that is made in a program on it is noted when calls, streams and
 * messages were last.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A14-channelz.md}
 *
 * @example Usage
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { Channelz, ChannelzService } from "@grpclib/grpclib/admin";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new Server([
 *   createService(Greeter, { sayHello: ({ name }) => ({ message: `Hello, ${name}!` }) }),
 * ]);
 * await server.start("127.0.0.1");
 * // For those who run the program alone.
 * await using admin = new Server([new Channelz([server])]);
 * await admin.start("127.0.0.1");
 *
 * await using channel = new Channel("127.0.0.1", server.port!);
 * await createStub(Greeter, channel).sayHello({ name: "Ada" });
 *
 * await using toAdmin = new Channel("127.0.0.1", admin.port!);
 * const reply = await createStub(ChannelzService, toAdmin).getServers({});
 * assertEquals(reply.server[0]!.data!.callsSucceeded, 1n);
 * ```
 */
export class Channelz implements Service {
  readonly #registry = new Registry();
  readonly #service: Service = serviceOf(this.#registry);

  /**
   * Creates the service.
   *
   * @param targets Channels and servers that it shows, besides the servers that
   *   serve it.
   * @throws {TypeError} If one of them is neither.
   */
  constructor(targets: Iterable<Listenable<ClientEvent | ServerEvent>> = []) {
    noteTimes();
    for (const target of targets) this.add(target);
  }

  /**
   * Shows a channel or a server, from now on until it is closed.
   *
   * @param target The channel or server.
   * @returns What ends that earlier: `using` does by itself.
   * @throws {TypeError} If it is neither.
   *
   * @example Usage
   * ```ts
   * import { Channel } from "@grpclib/grpclib";
   * import { Channelz } from "@grpclib/grpclib/admin";
   *
   * const channelz = new Channelz();
   * await using channel = new Channel("127.0.0.1", 50051);
   * using _shown = channelz.add(channel);
   * ```
   */
  add(target: Listenable<ClientEvent | ServerEvent>): Disposable {
    if (target instanceof Channel) return this.#registry.addChannel(target);
    const figures = Object(target) === target
      ? serverFigures(target)
      : undefined;
    if (figures !== undefined) return this.#registry.addServer(figures);
    throw new TypeError(
      `Cannot show by channelz: it has to be a Channel or a Server, received ${
        describe(target)
      }`,
    );
  }

  /**
   * Tells the handlers of the service.
   *
   * @returns The handlers by the path of their method.
   */
  [mapping](): Readonly<Record<string, Handler>> {
    return this.#service[mapping]();
  }

  /**
   * Gets to know a server, and shows it.
   *
   * @param server What a service may know of it.
   */
  [attach](server: ServerContext): void {
    const figures = serverFigures(server);
    if (figures !== undefined) this.#registry.addServer(figures);
  }
}

function serviceOf(registry: Registry): Service {
  return createService(ChannelzV1, {
    getTopChannels({ startChannelId, maxResults }) {
      const { items, end } = pageOf(
        registry.channels,
        startChannelId,
        maxResults,
      );
      return { channel: items.map(channelMessage), end };
    },

    getServers({ startServerId, maxResults }) {
      const { items, end } = pageOf(
        registry.servers,
        startServerId,
        maxResults,
      );
      return { server: items.map(serverMessage), end };
    },

    getServer({ serverId }) {
      return {
        server: serverMessage(found("server", serverId, registry.servers)),
      };
    },

    getServerSockets({ serverId, startSocketId, maxResults }) {
      const { connections } = found("server", serverId, registry.servers);
      const { items, end } = pageOf(connections, startSocketId, maxResults);
      return { socketRef: items.map(connectionRef), end };
    },

    getChannel({ channelId }) {
      const channel = found("channel", channelId, registry.channels);
      return { channel: channelMessage(channel) };
    },

    getSubchannel({ subchannelId }) {
      const all = registry.channels.flatMap((it) =>
        hostOf(it).source.subchannels
      );
      const subchannel = found("subchannel", subchannelId, all);
      return { subchannel: subchannelMessage(subchannel) };
    },

    getSocket({ socketId }) {
      const { servers } = registry;
      const listener = servers.find(({ address }) =>
        address !== null && idOf(address) === socketId
      );
      const socket = listener !== undefined
        ? listenerMessage(listener)
        : connectionMessage(found("socket", socketId, registry.connections()));
      return { socket };
    },
  });
}

/** Finds what has an id, or fails the call. */
function found<T extends Identified>(
  what: string,
  id: bigint,
  items: Iterable<T>,
): T {
  for (const item of items) if (idOf(item) === id) return item;
  throw new GRPCError(
    Status.NOT_FOUND,
    `There is no ${what} with the id ${id}`,
  );
}

/** The part of a list that was asked for, in the order of ids. */
function pageOf<T extends Identified>(
  all: Iterable<T>,
  startId: bigint,
  maxResults: bigint,
): { readonly items: readonly T[]; readonly end: boolean } {
  if (maxResults < 0n) {
    throw new GRPCError(
      Status.INVALID_ARGUMENT,
      `max_results must not be negative, received ${maxResults}`,
    );
  }
  const rest = [...all].filter((it) => idOf(it) >= startId)
    .sort((a, b) => idOf(a) < idOf(b) ? -1 : 1);
  const size = maxResults === 0n
    ? PAGE_SIZE
    : Math.min(Number(maxResults), MAX_PAGE_SIZE);
  return { items: rest.slice(0, size), end: rest.length <= size };
}
