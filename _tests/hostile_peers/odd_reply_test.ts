// What a client makes of replies that are good, if in odd ways, and how it ends
// those that it has had enough of.

import { assertEquals, assertRejects } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  CALLS,
  REPLY,
  REPLY_MESSAGE,
  type Replying,
  replyWell,
  replyWith,
  serveFirst,
  shakeHands,
} from "../../_testdata/raw_replies.ts";
import {
  type Field,
  Flag,
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  RawServer,
  RESPONSE_HEAD,
  uint32,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { compressors } from "../../_zlib.ts";
import { soon } from "../../_testdata/waiting.ts";

const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

/** Good replies, if in odd ways. */
const ODDITIES: Readonly<Record<string, Replying>> = {
  "comes after informational heads": async (connection, streamId) => {
    await connection.headers(streamId, [[":status", "100"]]);
    await connection.headers(streamId, [[":status", "103"], ["link", "a"]]);
    await replyWell(connection, streamId);
  },
  ...Object.fromEntries(
    [...compressors.values()].flatMap((compressor) => {
      const { name } = compressor;
      const head: Field[] = [...RESPONSE_HEAD, ["grpc-encoding", name]];
      const compressed = grpcMessage(compressor.compress(REPLY), { flag: 1 });
      return [
        [`is compressed by ${name}`, replyWith(head, compressed, OK_TRAILERS)],
        [
          `names the encoding ${name} and does not use it`,
          replyWith(head, REPLY_MESSAGE, OK_TRAILERS),
        ],
      ];
    }),
  ),
  "has an error in its head that its trailers do not repeat": replyWith(
    [...RESPONSE_HEAD, ["grpc-status", "5"]],
    REPLY_MESSAGE,
    OK_TRAILERS,
  ),
  "has padding and frames of unknown types": async (connection, streamId) => {
    await connection.write(frame(99, { streamId }, uint32(1)));
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.write(frame(0xf0, {}, uint32(1)));
    for (const byte of REPLY_MESSAGE) {
      await connection.data(streamId, Uint8Array.of(byte), { padding: 200 });
      await connection.data(streamId, new Uint8Array());
    }
    await connection.headers(streamId, OK_TRAILERS, { end: true });
  },
  "is reset with NO_ERROR behind its trailers": async (
    connection,
    streamId,
  ) => {
    await replyWell(connection, streamId);
    await connection.rstStream(streamId, 0);
  },
  "is followed by PING, PRIORITY and SETTINGS": async (
    connection,
    streamId,
  ) => {
    await replyWell(connection, streamId);
    await connection.write(frame(FrameType.PING, {}, uint32(1, 2)));
    const payload = Uint8Array.of(0, 0, 0, 0, 1);
    await connection.write(frame(FrameType.PRIORITY, { streamId }, payload));
    await connection.settings([0x99, 1]);
  },
  "comes byte by byte": async (connection, streamId) => {
    const write = connection.write.bind(connection);
    connection.write = async (...chunks) => {
      for (const byte of chunks.flatMap((chunk) => [...chunk])) {
        await write(Uint8Array.of(byte));
      }
    };
    await replyWell(connection, streamId);
    connection.write = write;
  },
  "has metadata that is not text and no base64": replyWith(
    [...RESPONSE_HEAD, ["trace", "\xfc\xff"], ["trace-bin", "!!!"]],
    REPLY_MESSAGE,
    [...OK_TRAILERS, ["grpc-status-details-bin", "!!!"], ["date", "today"]],
  ),
};

for (const [what, replying] of Object.entries(ODDITIES)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel completes the call when the reply to a call for ${kind} ${what}`, async () => {
      await using server = serveFirst(replying);
      await using channel = new Channel("127.0.0.1", server.port);
      const stub = createStub(Echo, channel);
      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(server.accepted, 1);
    });
  }
}

/** Faults that the server has to be told of, as it is still sending. */
const RESETS: readonly (readonly [string, number, Replying])[] = [
  ["an HTML page", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, [[":status", "200"], [
      "content-type",
      "text/html",
    ]]);
  }],
  ["a message over the limit", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    const message = grpcMessage(REPLY, { length: 0xffff_ffff });
    await connection.data(streamId, message);
  }],
  ["a second message", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.data(
      streamId,
      Uint8Array.of(...REPLY_MESSAGE, ...REPLY_MESSAGE),
    );
  }],
  ["a large head", ENHANCE_YOUR_CALM, async (connection, streamId) => {
    // As many are taken as fit in 64 KiB: 32 bytes each, and their own.
    const fields = Array.from({ length: 2100 }, (): Field => ["trace", "a"]);
    await connection.headers(streamId, [...RESPONSE_HEAD, ...fields]);
  }],
];

for (const [what, code, replying] of RESETS) {
  Deno.test(`Channel resets the stream when the reply begins with ${what}`, async () => {
    const reset = Promise.withResolvers<number>();
    await using server = serveFirst(async (connection, streamId) => {
      await replying(connection, streamId);
      const { payload } = await connection.nextOf(
        FrameType.RST_STREAM,
        streamId,
      );
      reset.resolve(uint32At(payload, 0));
    });
    await using channel = new Channel("127.0.0.1", server.port);
    const stub = createStub(Echo, channel);
    await assertRejects(() => soon(stub.unary({})), GRPCError);
    assertEquals(await soon(reset.promise), code);
    assertEquals((await soon(stub.unary({}))).text, "hello");
  });
}

const LARGE: Field[] = [
  ["trace", "a".repeat(35_000)],
  ["trace", "a".repeat(35_000)],
];
const LARGE_ANSWERS: Readonly<Record<string, Replying>> = {
  "a head": replyWith([...RESPONSE_HEAD, ...LARGE], REPLY_MESSAGE, OK_TRAILERS),
  "trailers": replyWith(RESPONSE_HEAD, REPLY_MESSAGE, [
    ...OK_TRAILERS,
    ...LARGE,
  ]),
};

for (const [what, replying] of Object.entries(LARGE_ANSWERS)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel fails the call when the reply to a call for ${kind} has ${what} over the limit`, async () => {
      let count = 0;
      await using server = new RawServer(async (connection) => {
        await shakeHands(connection);
        for (;;) {
          const { streamId } = await connection.request();
          const reply = count++ === 1 ? replying : replyWell;
          await reply(connection, streamId);
        }
      });
      await using channel = new Channel("127.0.0.1", server.port);
      const stub = createStub(Echo, channel);
      // The limit holds once it is acknowledged: not for the first call.
      assertEquals(await soon(call(stub)), ["hello"]);
      const error = await assertRejects(() => soon(call(stub)), GRPCError);
      assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(server.accepted, 1);
    });
  }
}

Deno.test("Channel keeps the connection going when the replies are padding for the most part", async () => {
  const count = 20_000;
  const padding = 255;
  const part = Uint8Array.of(0);
  const body = grpcMessage(new Uint8Array(count - 5));
  // All that padding is more than the windows allow at once.
  const frameBytes = part.length + padding + 1;
  await using server = serveFirst(async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    let ofConnection = 4 * 1024 * 1024;
    let ofStream = 4 * 1024 * 1024;
    const take = async (least: number): Promise<void> => {
      while (Math.min(ofConnection, ofStream) < least) {
        const update = await connection.nextOf(FrameType.WINDOW_UPDATE);
        const increment = uint32At(update.payload, 0);
        if (update.streamId === 0) ofConnection += increment;
        else ofStream += increment;
      }
    };
    for (let i = 0; i < count; i += 100) {
      await take(100 * frameBytes);
      const padded = Uint8Array.of(padding, 0, ...new Uint8Array(padding));
      const frames = Array.from({ length: 100 }, (_, j) => {
        padded[1] = body[i + j]!;
        const flags = Flag.PADDED;
        return frame(FrameType.DATA, { flags, streamId }, padded);
      });
      ofConnection -= 100 * frameBytes;
      ofStream -= 100 * frameBytes;
      await connection.write(...frames);
    }
    await connection.headers(streamId, OK_TRAILERS, { end: true });
  });
  await using channel = new Channel("127.0.0.1", server.port);
  const stub = createStub(Echo, channel);
  await assertRejects(() => soon(stub.unary({})), GRPCError, "decode");
  assertEquals((await soon(stub.unary({}))).text, "hello");
});
