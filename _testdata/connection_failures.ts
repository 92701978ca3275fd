/**
 * Connections that fail, for tests of what is told of them: by the error of a
 * call, by the hook of the server, and by `inspect()` on either side.
 *
 * @module
 */

import net from "node:net";
import { assert, assertEquals, assertMatch } from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  createStub,
  Server,
  type ServerOptions,
  type ServerTLSOptions,
  Status,
} from "../mod.ts";
import { echo } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { assertStatus } from "./waiters.ts";
import { until } from "./waiting.ts";

/** A server of the test's own, of which it is known only what it does first. */
export interface RawPeer extends AsyncDisposable {
  readonly port: number;
}

/** Listens, and leaves it to the test what becomes of a socket. */
export async function rawServer(
  onSocket: (socket: net.Socket) => void,
): Promise<RawPeer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve())
  );
  return {
    port: (server.address() as net.AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Something that a channel cannot connect to, or loses. */
export interface ConnectionFailure {
  /** The options of a server of this library, if that is the other side. */
  readonly server?: ServerOptions & { readonly tls?: ServerTLSOptions };
  /** What else is at the other side. */
  readonly peer?: () => Promise<RawPeer>;
  /** The options of the channel, which may depend on the port of that. */
  readonly channel?: ChannelOptions | ((port: number) => ChannelOptions);
  /** Where the channel connects to, if not to any of these. */
  readonly target?: string;
  /** How many connections there are before. */
  readonly connectionsBefore?: number;
  /** Whether the connection was there, and is lost. */
  readonly isLost?: boolean;
  /** What the caller is told, and `inspect()` of the channel. */
  readonly reason: RegExp;
  /** What the server's hook is told, and `inspect()` of the server. */
  readonly atServer?: RegExp;
}

/** Has a connection fail, and looks at what is told of it, everywhere. */
export async function assertTold(failure: ConnectionFailure): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const told: string[] = [];
  let port = 1;
  let server: Server | undefined;
  if (failure.server !== undefined) {
    const { tls, ...options } = failure.server;
    server = stack.use(
      new Server([echo], {
        ...options,
        onConnectionError: (error) => told.push(error.message),
      }),
    );
    await server.start("127.0.0.1", 0, tls && { tls });
    port = server.port!;
  } else if (failure.peer !== undefined) {
    port = stack.use(await failure.peer()).port;
  }
  for (let i = 0; i < (failure.connectionsBefore ?? 0); i++) {
    const first = stack.use(new Channel("127.0.0.1", port));
    await createStub(Echo, first).unary({});
  }
  const target = failure.target ?? `127.0.0.1:${port}`;
  const options = typeof failure.channel === "function"
    ? failure.channel(port)
    : failure.channel;
  const channel = stack.use(new Channel(target, options ?? {}));
  const error = await assertStatus(
    Status.UNAVAILABLE,
    () => createStub(Echo, channel).unary({}),
  );
  assertMatch(error.message, failure.reason);

  const seen = channel.inspect();
  assert(["TRANSIENT_FAILURE", "CONNECTING", "IDLE"].includes(seen.state));
  assertMatch(seen.lastError!, failure.reason);
  assertEquals(seen.calls, { started: 1, succeeded: 0, failed: 1 });
  const states = seen.history.map(({ state }) => state);
  assertEquals(states[0], "CONNECTING");
  assert(states.includes(failure.isLost ? "READY" : "TRANSIENT_FAILURE"));
  const change = seen.history.find(({ reason }) => reason !== null);
  assertMatch(change!.reason!, failure.reason);
  if (seen.state === "TRANSIENT_FAILURE") {
    // Where no endpoint is known, there is none to connect to.
    assertEquals(seen.nextAttempt !== null, seen.endpoints.length > 0);
  }
  assertMatch(Deno.inspect(channel), failure.reason);
  assertMatch(Deno.inspect(channel), /^Channel \{/);

  const { atServer } = failure;
  if (server === undefined || atServer === undefined) return;
  await until(() => told.length > 0, "the hook is told");
  assertMatch(told[0]!, atServer);
  const [first] = server.inspect().failedConnections;
  assertEquals(first?.reason, told[0]);
  assertMatch(
    Deno.inspect(server, { depth: 9 }),
    /failedConnections: \[\s*\{/,
  );
}
