/**
 * What a server made of raw frames has to say to calls of the echo service.
 *
 * @module
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { assertEquals, assertRejects } from "@std/assert";
import { type CallOptions, Channel, createStub, type Stub } from "../client.ts";
import type { Clock } from "../core/clock.ts";
import type { ConfigurationOptions } from "../core/config.ts";
import { GRPCError } from "../core/errors.ts";
import type { Status } from "../core/status.ts";
import { deadlinesOn } from "../_call/cancellation.ts";
import { Echo, EchoReplySchema } from "./gen/echo_pb.ts";
import {
  type Field,
  grpcMessage,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
} from "./raw_h2.ts";
import { soon } from "./waiting.ts";

export type EchoStub = Stub<typeof Echo>;

/** A reply with the text "hello". */
export const REPLY: Uint8Array = toBinary(
  EchoReplySchema,
  create(EchoReplySchema, { text: "hello" }),
);

/** The reply with its prefix. */
export const REPLY_MESSAGE: Uint8Array = grpcMessage(REPLY);

/** Answers the request on a stream. */
export type Replying = (
  connection: RawConnection,
  streamId: number,
) => Promise<void>;

/** Makes a reply of a head, DATA if there is any, trailers if there are any. */
export function replyWith(
  head: readonly Field[],
  body?: Uint8Array,
  trailers?: readonly Field[],
): Replying {
  return async (connection, streamId) => {
    const isBare = body === undefined && trailers === undefined;
    await connection.headers(streamId, head, { end: isBare });
    if (body !== undefined) {
      await connection.data(streamId, body, { end: trailers === undefined });
    }
    if (trailers !== undefined) {
      await connection.headers(streamId, trailers, { end: true });
    }
  };
}

/** Replies to a request as it should. */
export const replyWell: Replying = replyWith(
  RESPONSE_HEAD,
  REPLY_MESSAGE,
  OK_TRAILERS,
);

/** Begins a connection as a server should. */
export async function shakeHands(connection: RawConnection): Promise<void> {
  await connection.acceptPreface();
  await connection.settings();
}

/** Replies to all requests that come as it should. */
export async function goOnWell(connection: RawConnection): Promise<void> {
  for (;;) {
    const { streamId } = await connection.request();
    await replyWell(connection, streamId);
  }
}

/** A server that gives one reply to its first request, and good ones to others. */
export function serveFirst(replying: Replying): RawServer {
  let isFirst = true;
  return new RawServer(async (connection) => {
    await shakeHands(connection);
    for (;;) {
      const { streamId } = await connection.request();
      const reply = isFirst ? replying : replyWell;
      isFirst = false;
      await reply(connection, streamId);
    }
  });
}

/** Calls for one reply and for a stream of them; both give the texts. */
export const CALLS: Readonly<
  Record<string, (stub: EchoStub, options?: CallOptions) => Promise<string[]>>
> = {
  "a unary reply": async (stub, options) => {
    return [(await stub.unary({ text: "a" }, options)).text];
  },
  "a stream of replies": async (stub, options) => {
    const replies = stub.serverStream({ text: "a" }, options);
    return (await Array.fromAsync(replies)).map(({ text }) => text);
  },
};

/** A server that does as it is told on its first connection, and well on others. */
export function serveBadly(
  first: (connection: RawConnection) => Promise<void>,
): RawServer {
  return new RawServer(async (connection, index) => {
    if (index === 0) return await first(connection);
    await shakeHands(connection);
    await goOnWell(connection);
  });
}

/** The same, from the first request on. */
export function replyBadly(
  reply: (connection: RawConnection, streamId: number) => Promise<void>,
): RawServer {
  return serveBadly(async (connection) => {
    await shakeHands(connection);
    const { streamId } = await connection.request();
    await reply(connection, streamId);
  });
}

/** Reconnects almost at once. */
const QUICK: ConfigurationOptions = {
  initialReconnectBackoffMs: 1,
  maxReconnectBackoffMs: 1,
};

/** For a call that waits until the channel has reconnected. */
export const READY: CallOptions = { waitForReady: true };

/** Runs a test with a stub for a server, and expects nothing to be left. */
export async function withStub(
  server: RawServer,
  test: (stub: EchoStub) => Promise<void>,
  config: ConfigurationOptions = {},
  clock: Clock | null = null,
): Promise<void> {
  await using _server = server;
  await using channel = new Channel("127.0.0.1", server.port, {
    config: { ...QUICK, ...config },
    ...(clock && { clock }),
  });
  await test(createStub(Echo, channel));
  assertEquals(deadlinesOn(clock ?? undefined).size, 0);
}

export async function assertFails(
  call: () => Promise<unknown>,
  status: Status,
): Promise<GRPCError> {
  const error = await assertRejects(() => soon(call()), GRPCError);
  assertEquals(error.status, status, error.message);
  return error;
}

/** What a server may have said of a reply before it goes no further. */
export const BEGINNINGS: Readonly<Record<string, Replying>> = {
  "nothing": () => Promise.resolve(),
  "its head": (connection, streamId) =>
    connection.headers(streamId, RESPONSE_HEAD),
  "its message": async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.data(streamId, REPLY_MESSAGE);
  },
};
