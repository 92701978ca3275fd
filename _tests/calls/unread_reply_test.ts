// Replies that wait to be read when their stream ends: what their caller still
// gets of them, by how it ended, and what is left behind.

import { create, toBinary } from "@bufbuild/protobuf";
import { assertEquals, assertRejects } from "@std/assert";
import { deadlinesOn } from "../../_call/cancellation.ts";
import { hostOf } from "../../_channel.ts";
import {
  type CallOptions,
  Channel,
  createStub,
  GRPCError,
  Status,
  StreamTerminatedError,
} from "../../client.ts";
import { listen, RecvMessage } from "../../mod.ts";
import { Echo, EchoReplySchema } from "../../_testdata/gen/echo_pb.ts";
import {
  type Field,
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
} from "../../_testdata/raw_h2.ts";
import { goOnWell, shakeHands } from "../../_testdata/raw_replies.ts";
import { soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

/** How many messages come of a reply, more than a call takes unread. */
const COUNT = 60;

/** How large each of them is, about, in bytes. */
const MESSAGE_BYTES = 8 * 1024;

const FAILED: readonly Field[] = [["grpc-status", "15"]];

const CANCEL = 8;

/** What a server does on its first connection after it has replied. */
type Ending = (connection: RawConnection, streamId: number) => Promise<void>;

interface UnreadOptions {
  /** The trailers of the replies; none, if they break off. */
  readonly trailers: readonly Field[] | null;
  /** How many calls are made. */
  readonly calls?: number;
  /** What the server does when the replies have come; nothing, if not given. */
  readonly ending?: Ending;
  readonly options?: CallOptions;
  readonly clock?: VirtualClock;
  readonly listens?: boolean;
  /** The kind of the calls: those for `bidi` have not sent all. */
  readonly kind?: "serverStream" | "bidi";
}

/** Calls whose replies have come, and of which nobody has read anything. */
async function unread({ trailers, calls = 1, ...more }: UnreadOptions) {
  const { ending = () => Promise.resolve(), options, clock } = more;
  const { kind = "serverStream" } = more;
  const arrived = Promise.withResolvers<void>();
  const over = Promise.withResolvers<void>();
  const server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index > 0) return await goOnWell(connection);
    const ids: number[] = [];
    for (let i = 0; i < calls; i++) {
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      ids.push(streamId);
      await connection.headers(streamId, RESPONSE_HEAD);
      for (let i = 0; i < COUNT; i++) {
        await connection.data(streamId, messageOf(i));
      }
      if (trailers !== null) {
        await connection.headers(streamId, trailers, { end: true });
      }
    }
    // The client has seen all of it when it replies to this.
    await exchangePing(connection);
    arrived.resolve();
    for (const id of ids) await ending(connection, id);
    over.resolve();
    await connection.end();
  });
  const channel = new Channel("127.0.0.1", server.port, {
    ...(clock && { clock }),
  });
  let heard = 0;
  if (more.listens) listen(channel, RecvMessage, () => void heard++);
  const stub = createStub(Echo, channel);
  const streams = Array.from(
    { length: calls },
    () => stub[kind].open(options),
  );
  for (const stream of streams) await stream.sendMessage({});
  await soon(arrived.promise);
  return {
    channel,
    stub,
    streams,
    /** The last of what the server does is done. */
    over: () => soon(over.promise),
    async [Symbol.asyncDispose](): Promise<void> {
      await channel.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

type Unread = Awaited<ReturnType<typeof unread>>;

function messageOf(index: number): Uint8Array {
  const payload = new Uint8Array(MESSAGE_BYTES);
  const reply = create(EchoReplySchema, { index, payload });
  return grpcMessage(toBinary(EchoReplySchema, reply));
}

async function exchangePing(connection: RawConnection): Promise<void> {
  await connection.write(frame(FrameType.PING, {}, new Uint8Array(8)));
  await connection.nextOf(FrameType.PING);
}

function reset(code: number): Ending {
  return async (connection, streamId) => {
    await connection.rstStream(streamId, code);
    await exchangePing(connection);
  };
}

// deno-lint-ignore require-await
const lose: Ending = async (connection) => connection.close();

async function untilLost({ channel }: Unread): Promise<void> {
  await until(() => channel.state !== "READY", "the connection is lost");
}

/** Reads a reply: the indices of its messages, and what it ended with. */
async function read(
  stream: Unread["streams"][number],
): Promise<{ indices: number[]; error: unknown }> {
  const indices: number[] = [];
  try {
    for await (const { index } of stream) indices.push(index);
  } catch (error) {
    return { indices, error };
  }
  return { indices, error: null };
}

const ALL = Array.from({ length: COUNT }, (_, i) => i);

/** How the stream of a reply can end, and what is waited for then. */
const ENDINGS: Readonly<
  Record<string, [Ending | undefined, (unread: Unread) => Promise<void>]>
> = {
  "goes on": [undefined, () => Promise.resolve()],
  "is reset with NO_ERROR": [reset(0), (unread) => unread.over()],
  "is reset with CANCEL": [reset(CANCEL), (unread) => unread.over()],
  "is lost with its connection": [lose, untilLost],
  "ends with its channel": [undefined, ({ channel }) => channel.close()],
};

for (const [how, [ending, wait]] of Object.entries(ENDINGS)) {
  for (const listens of [false, true]) {
    const who = listens ? "with a listener" : "without listeners";
    for (
      const [status, trailers] of [[0, OK_TRAILERS], [15, FAILED]] as const
    ) {
      Deno.test(`ClientStream gives all of a whole reply with status ${status} that waits to be read when the stream ${how}, ${who}`, async () => {
        await using setup = await unread({
          trailers,
          calls: 3,
          ...(ending && { ending }),
          listens,
        });
        await wait(setup);
        for (const stream of setup.streams) {
          const { indices, error } = await soon(read(stream));
          assertEquals(indices, ALL);
          if (status === 0) assertEquals(error, null);
          else assertEquals((error as GRPCError).status, status);
        }
        const { source } = hostOf(setup.channel);
        await until(() => source.counts.streams === 0, "no stream is left");
      });
    }
  }
}

/** What a reply that breaks off ends with. */
const BROKEN_OFF = {
  "is reset with CANCEL": Status.CANCELLED,
  "is lost with its connection": Status.UNAVAILABLE,
  "ends with its channel": Status.CANCELLED,
} as const;

for (const [how, status] of Object.entries(BROKEN_OFF)) {
  for (const listens of [false, true]) {
    const who = listens ? "with a listener" : "without listeners";
    Deno.test(`ClientStream gives all that came of a reply that breaks off unread when the stream ${how}, ${who}`, async () => {
      const [ending, wait] = ENDINGS[how]!;
      await using setup = await unread({
        trailers: null,
        calls: 3,
        ...(ending && { ending }),
        listens,
      });
      await wait(setup);
      for (const stream of setup.streams) {
        const { indices, error } = await soon(read(stream));
        assertEquals(indices, ALL);
        assertEquals((error as GRPCError).status, status);
      }
      const { source } = hostOf(setup.channel);
      await until(() => source.counts.streams === 0, "no stream is left");
    });
  }
}

for (const how of ["goes on", "is lost with its connection"] as const) {
  const [ending, wait] = ENDINGS[how]!;
  const begin = async (clock: VirtualClock, options?: CallOptions) => {
    const setup = await unread({
      trailers: OK_TRAILERS,
      clock,
      ...(ending && { ending }),
      ...(options && { options }),
    });
    await wait(setup);
    return setup;
  };

  Deno.test(`ClientStream.cancel() drops a whole reply that waits to be read when the stream ${how}`, async () => {
    const clock = new VirtualClock();
    await using setup = await begin(clock);
    const stream = setup.streams[0]!;
    stream.cancel();
    const error = await assertRejects(() => stream.recvMessage(), GRPCError);
    assertEquals(error.status, Status.CANCELLED);
    const { source } = hostOf(setup.channel);
    await until(() => source.counts.streams === 0, "no stream is left");
  });

  Deno.test(`ClientStream drops a whole reply that waits to be read at the deadline when the stream ${how}`, async () => {
    const clock = new VirtualClock();
    await using setup = await begin(clock, { timeoutMs: 5_000 });
    const stream = setup.streams[0]!;
    await clock.advance(5_000);
    const error = await assertRejects(() => stream.recvMessage(), GRPCError);
    assertEquals(error.status, Status.DEADLINE_EXCEEDED);
    // Nor is anything waited for that could still come on it.
    assertEquals(deadlinesOn(clock).size, 0);
  });

  Deno.test(`ClientStream can be left in the middle of a whole reply when the stream ${how}`, async () => {
    const clock = new VirtualClock();
    await using setup = await begin(clock);
    const stream = setup.streams[0]!;
    const indices: number[] = [];
    for await (const { index } of stream) {
      indices.push(index);
      if (indices.length === COUNT / 2) break;
    }
    assertEquals(indices, ALL.slice(0, COUNT / 2));
    const { source } = hostOf(setup.channel);
    await until(() => source.counts.streams === 0, "no stream is left");
  });
}

Deno.test("ClientStream.writable errors when the reply is whole and waits to be read, and the server has reset the stream", async () => {
  await using setup = await unread({
    trailers: OK_TRAILERS,
    ending: reset(0),
    kind: "bidi",
  });
  await setup.over();
  const stream = setup.streams[0]!;
  const writer = stream.writable.getWriter();
  await assertRejects(() => soon(writer.closed), StreamTerminatedError);
  const { indices, error } = await soon(read(stream));
  assertEquals(indices, ALL);
  assertEquals(error, null);
});
