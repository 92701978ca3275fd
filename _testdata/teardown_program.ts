/**
 * Ends connections in every way, after as many calls as asked for:
 * `teardown_program.ts calls`. It writes "alive" when it has survived.
 *
 * On Deno 2.9.6 a session that is torn down inside a callback of nghttp2 kills
 * the process, which is why this is a program of its own.
 *
 * @see {@link https://github.com/denoland/deno/issues/36788}
 */

// deno-lint-ignore-file no-console

import { Channel, createStub } from "../client.ts";
import { startEcho } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import {
  FrameType,
  grpcMessage,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
} from "./raw_h2.ts";
import { turns, until } from "./waiting.ts";
import { hostOf } from "../_channel.ts";

const count = Number(Deno.args[0]);
const PATH = "/grpclib.test.Echo/Unary";
const EMPTY = grpcMessage(new Uint8Array());

/** Makes the calls, all at once. */
async function callAll(unary: (request: object) => Promise<unknown>) {
  await Promise.all(Array.from({ length: count }, () => unary({})));
}

/** The channel is closed: the server hears GOAWAY. */
async function channelCloses(): Promise<void> {
  await using echo = await startEcho();
  await callAll(echo.stub.unary);
  await echo.channel.close();
  await turns(5);
}

/** The server is closed: the channel hears GOAWAY. */
async function serverCloses(): Promise<void> {
  await using echo = await startEcho();
  await callAll(echo.stub.unary);
  echo.server.close();
  await echo.server.waitClosed();
  await turns(5);
}

/** Both are closed with calls under way. */
async function bothClose(): Promise<void> {
  await using echo = await startEcho();
  await callAll(echo.stub.unary);
  const calls = Array.from(
    { length: 20 },
    () => echo.stub.clientStream(new ReadableStream()).catch(() => {}),
  );
  await turns(3);
  echo.server.close();
  await Promise.all([echo.channel.close(), ...calls]);
  await echo.server.waitClosed();
}

/** The server shuts down gracefully while calls are made. */
async function serverShutsDown(): Promise<void> {
  await using echo = await startEcho();
  await callAll(echo.stub.unary);
  const calls = callAll(echo.stub.unary).catch(() => {});
  await turns(1);
  echo.server.close({ graceMs: 5_000 });
  await calls;
  await echo.server.waitClosed();
}

/** Connections come to their maximum age while calls are made. */
async function connectionsGrowOld(): Promise<void> {
  await using echo = await startEcho({
    server: { config: { maxConnectionAgeMs: 5 } },
  });
  for (let i = 0; i < 5; i++) {
    await callAll(echo.stub.unary);
    await turns(2);
  }
}

/** More calls are cancelled than a connection bears. */
async function callsAreCancelled(): Promise<void> {
  await using echo = await startEcho({
    server: { config: { maxResetStreamsPerSecond: Infinity } },
  });
  for (let i = 0; i < 4; i++) {
    const controller = new AbortController();
    const calls = Array.from(
      { length: count },
      () =>
        echo.stub.unary({ delayMs: 60_000 }, { signal: controller.signal })
          .catch(() => {}),
    );
    await turns(3);
    controller.abort();
    await Promise.all(calls);
  }
}

/** A client sends GOAWAY and stays. */
async function clientSaysGoaway(code: number): Promise<void> {
  await using echo = await startEcho();
  using client = await RawConnection.open(echo.port);
  let streamId = 1;
  for (let i = 0; i < count; i++, streamId += 2) {
    await client.headers(streamId, requestFields(PATH));
    await client.data(streamId, EMPTY, { end: true });
    await client.reply(streamId);
  }
  // And one call that is under way.
  await client.headers(streamId, requestFields(PATH));
  await turns(2);
  await client.goaway(0, code);
  await turns(10);
}

/** A server sends GOAWAY and stays. */
async function serverSaysGoaway(code: number): Promise<void> {
  const done = Promise.withResolvers<void>();
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    for (let i = 0; i < count; i++) {
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      await connection.headers(streamId, [
        ...RESPONSE_HEAD,
        ["grpc-status", "5"],
      ], { end: true });
    }
    await done.promise;
    await connection.goaway(2 ** 31 - 1, code);
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const { unary } = createStub(Echo, channel);
  await callAll((request) => unary(request).catch(() => {}));
  const call = unary({}).catch(() => {});
  await turns(3);
  done.resolve();
  if (code !== 0) await call;
  await turns(10);
  await channel.close();
  await call;
  const { source } = hostOf(channel);
  await until(() => source.counts.connections === 0, "all is closed");
}

const scenarios = [
  channelCloses,
  serverCloses,
  bothClose,
  serverShutsDown,
  connectionsGrowOld,
  callsAreCancelled,
  () => clientSaysGoaway(0),
  () => clientSaysGoaway(2),
  () => serverSaysGoaway(0),
  () => serverSaysGoaway(11),
];
await Promise.all(scenarios.map((scenario) => scenario()));
console.log("alive");
