// What a client makes of answers that are none, sent frame by frame: each has to
// end the call with the status that the documents give it, at once, and leave a
// channel on which the next call goes well.

import { create, toBinary } from "@bufbuild/protobuf";
import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Channel, createStub, type Stub } from "../client.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { deadlines } from "../_call/scope.ts";
import { Echo, EchoReplySchema } from "../_testdata/gen/echo_pb.ts";
import {
  type Field,
  Flag,
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  uint32,
  uint32At,
} from "../_testdata/raw_h2.ts";
import { soon } from "../_testdata/waiting.ts";

const REPLY = toBinary(
  EchoReplySchema,
  create(EchoReplySchema, { text: "hello" }),
);
const GOOD = grpcMessage(REPLY);

const CANCEL = 8;
const ENHANCE_YOUR_CALM = 11;

type Answering = (connection: RawConnection, streamId: number) => Promise<void>;

async function answerWell(
  connection: RawConnection,
  streamId: number,
): Promise<void> {
  await connection.headers(streamId, RESPONSE_HEAD);
  await connection.data(streamId, GOOD);
  await connection.headers(streamId, OK_TRAILERS, { end: true });
}

/** A server that gives one bad answer, and good ones to all other requests. */
function serveBadly(answering: Answering): RawServer {
  let isFirst = true;
  return new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings();
    for (;;) {
      const { streamId } = await connection.request();
      const answer = isFirst ? answering : answerWell;
      isFirst = false;
      await answer(connection, streamId);
    }
  });
}

/** Calls in two ways, each on a server and a channel of its own. */
const CALLS: Readonly<
  Record<string, (stub: Stub<typeof Echo>) => Promise<string[]>>
> = {
  "a unary reply": async (stub) => [(await stub.unary({ text: "a" })).text],
  "a stream of replies": async (stub) => {
    const texts: string[] = [];
    for await (const { text } of stub.serverStream({ text: "a" })) {
      texts.push(text);
    }
    return texts;
  },
};

/** Sends a head, and DATA if there is any, and trailers if there are any. */
function answer(
  head: readonly Field[],
  body?: Uint8Array,
  trailers?: readonly Field[],
): Answering {
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

function statusHead(status: string, ...more: Field[]): Field[] {
  return [[":status", status], ...more];
}

function trailersOnly(...trailers: Field[]): Answering {
  return answer([...RESPONSE_HEAD, ...trailers]);
}

interface BadAnswer {
  readonly what: string;
  readonly answering: Answering;
  readonly status: Status;
  readonly message: RegExp;
  /** What kind of call it is bad for, if not for each. */
  readonly only?: string;
}

const HTML: Field = ["content-type", "text/html"];
const PAGE = new TextEncoder().encode("<html>".padEnd(3000, "Sorry! "));

// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
const STATUS_OF_HTTP: Readonly<Record<string, Status>> = {
  204: Status.UNKNOWN,
  302: Status.UNKNOWN,
  400: Status.INTERNAL,
  401: Status.UNAUTHENTICATED,
  403: Status.PERMISSION_DENIED,
  404: Status.UNIMPLEMENTED,
  415: Status.UNKNOWN,
  429: Status.UNAVAILABLE,
  431: Status.INTERNAL,
  500: Status.UNKNOWN,
  502: Status.UNAVAILABLE,
  503: Status.UNAVAILABLE,
  504: Status.UNAVAILABLE,
};

const HEADS: readonly BadAnswer[] = [
  ...Object.entries(STATUS_OF_HTTP).map(([http, status]) => ({
    what: `has the HTTP status ${http}`,
    answering: answer(statusHead(http)),
    status,
    message: new RegExp(`:status = '${http}'`),
  })),
  {
    what: "is an HTML page with the HTTP status 503",
    answering: answer(statusHead("503", HTML), PAGE),
    status: Status.UNAVAILABLE,
    message: /503/,
  },
  {
    what: "is an HTML page with the HTTP status 503 that does not end",
    answering: async (connection, streamId) => {
      await connection.headers(streamId, statusHead("503", HTML));
      await connection.data(streamId, PAGE);
    },
    status: Status.UNAVAILABLE,
    message: /503/,
  },
  {
    what: "is an HTML page with the HTTP status 200",
    answering: answer(statusHead("200", HTML), PAGE),
    status: Status.UNKNOWN,
    message: /content-type: 'text\/html'/,
  },
  {
    what: "has no content-type",
    answering: answer(statusHead("200"), GOOD, OK_TRAILERS),
    status: Status.UNKNOWN,
    message: /Missing content-type/,
  },
  {
    what: "has the content-type of another codec",
    answering: answer(
      statusHead("200", ["content-type", "application/grpc+json"]),
      GOOD,
      OK_TRAILERS,
    ),
    status: Status.UNKNOWN,
    message: /grpc\+json/,
  },
];

const BODIES: readonly BadAnswer[] = [
  {
    what: "has a message cut off by its trailers",
    answering: answer(RESPONSE_HEAD, GOOD.subarray(0, 9), OK_TRAILERS),
    status: Status.INTERNAL,
    message: /middle of a message/,
  },
  {
    what: "announces a message of 4 GiB",
    answering: async (connection, streamId) => {
      await connection.headers(streamId, RESPONSE_HEAD);
      const message = grpcMessage(REPLY, { length: 0xffff_ffff });
      await connection.data(streamId, message);
    },
    status: Status.RESOURCE_EXHAUSTED,
    message: /4294967295 bytes .* 4194304/,
  },
  {
    what: "has a message over the limit",
    answering: answer(
      RESPONSE_HEAD,
      grpcMessage(REPLY, { length: 4 * 1024 * 1024 + 1 }),
      OK_TRAILERS,
    ),
    status: Status.RESOURCE_EXHAUSTED,
    message: /4194305 bytes/,
  },
  ...[0, 1].map((more) => ({
    what: `has a compressed message ${more ? "of" : "without"} an encoding`,
    answering: answer(
      more ? [...RESPONSE_HEAD, ["grpc-encoding", "gzip"]] : RESPONSE_HEAD,
      grpcMessage(REPLY, { flag: 1 }),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /compressed/,
  })),
  {
    what: "has a message with the flag byte 2",
    answering: answer(
      RESPONSE_HEAD,
      grpcMessage(REPLY, { flag: 2 }),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /flag/,
  },
  {
    what: "has a message that is not of the reply's type",
    answering: answer(
      RESPONSE_HEAD,
      grpcMessage(Uint8Array.of(0x0a, 0x7f)),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /decode/,
  },
  {
    what: "has two messages",
    answering: answer(
      RESPONSE_HEAD,
      Uint8Array.of(...GOOD, ...GOOD),
      OK_TRAILERS,
    ),
    status: Status.UNIMPLEMENTED,
    message: /more than one message/,
    only: "a unary reply",
  },
  {
    what: "has no message",
    answering: answer(RESPONSE_HEAD, undefined, OK_TRAILERS),
    status: Status.UNIMPLEMENTED,
    message: /no message/,
    only: "a unary reply",
  },
  {
    what: "is trailers with OK alone",
    answering: trailersOnly(...OK_TRAILERS),
    status: Status.UNIMPLEMENTED,
    message: /no message/,
    only: "a unary reply",
  },
];

const BAD_STATUSES = ["abc", "-1", "17", "1.5", "", "0x5", "99999999999", "OK"];

const TRAILERS: readonly BadAnswer[] = [
  {
    what: "ends without trailers",
    answering: answer(RESPONSE_HEAD, GOOD),
    status: Status.INTERNAL,
    message: /without a status/,
  },
  {
    what: "ends with its head",
    answering: answer(RESPONSE_HEAD),
    status: Status.UNKNOWN,
    message: /Missing grpc-status/,
  },
  {
    what: "has trailers without grpc-status",
    answering: answer(RESPONSE_HEAD, GOOD, [["trace", "a"]]),
    status: Status.UNKNOWN,
    message: /Missing grpc-status/,
  },
  ...BAD_STATUSES.flatMap((status) => [
    {
      what: `has the grpc-status "${status}"`,
      answering: answer(RESPONSE_HEAD, GOOD, [["grpc-status", status]]),
      status: Status.UNKNOWN,
      message: /Invalid grpc-status/,
    },
    {
      what: `is trailers with the grpc-status "${status}" alone`,
      answering: trailersOnly(["grpc-status", status]),
      status: Status.UNKNOWN,
      message: /Invalid grpc-status/,
    },
  ]),
  {
    what: "has two grpc-status fields",
    answering: answer(RESPONSE_HEAD, GOOD, [...OK_TRAILERS, ...OK_TRAILERS]),
    status: Status.UNKNOWN,
    message: /Invalid grpc-status: '0, 0'/,
  },
  {
    what: "is trailers with an error alone",
    answering: trailersOnly(
      ["grpc-status", "5"],
      ["grpc-message", "nicht gefunden: %F0%9F%94%8D %zz %"],
    ),
    status: Status.NOT_FOUND,
    message: /^nicht gefunden: 🔍 %zz %$/,
  },
  {
    what: "is trailers with an error alone, and the HTTP status 400",
    answering: answer([
      ...statusHead("400", RESPONSE_HEAD[1]!),
      ["grpc-status", "3"],
      ["grpc-message", "no"],
    ]),
    status: Status.INVALID_ARGUMENT,
    message: /^no$/,
  },
];

for (
  const { what, answering, status, message, only } of [
    ...HEADS,
    ...BODIES,
    ...TRAILERS,
  ]
) {
  for (const [kind, call] of Object.entries(CALLS)) {
    if (only !== undefined && only !== kind) continue;
    Deno.test(`Channel fails the call when the answer to a call for ${kind} ${what}`, async () => {
      await using server = serveBadly(answering);
      await using channel = new Channel("127.0.0.1", server.port);
      const stub = createStub(Echo, channel);
      const error = await assertRejects(() => soon(call(stub)), GRPCError);
      assertEquals(error.status, status);
      assertMatch(error.message, message);
      assertEquals(deadlines.size, 0);

      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(server.accepted, 1);
    });
  }
}

/** Good answers, if in odd ways. */
const ODDITIES: Readonly<Record<string, Answering>> = {
  "comes after informational heads": async (connection, streamId) => {
    await connection.headers(streamId, [[":status", "100"]]);
    await connection.headers(streamId, [[":status", "103"], ["link", "a"]]);
    await answerWell(connection, streamId);
  },
  "has an error in its head that its trailers do not repeat": answer(
    [...RESPONSE_HEAD, ["grpc-status", "5"]],
    GOOD,
    OK_TRAILERS,
  ),
  "has padding and frames of unknown types": async (connection, streamId) => {
    await connection.write(frame(99, { streamId }, uint32(1)));
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.write(frame(0xf0, {}, uint32(1)));
    for (const byte of GOOD) {
      await connection.data(streamId, Uint8Array.of(byte), { padding: 200 });
      await connection.data(streamId, new Uint8Array());
    }
    await connection.headers(streamId, OK_TRAILERS, { end: true });
  },
  "is reset with NO_ERROR behind its trailers": async (
    connection,
    streamId,
  ) => {
    await answerWell(connection, streamId);
    await connection.rstStream(streamId, 0);
  },
  "is followed by PING, PRIORITY and SETTINGS": async (
    connection,
    streamId,
  ) => {
    await answerWell(connection, streamId);
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
    await answerWell(connection, streamId);
    connection.write = write;
  },
  "has metadata that is not text and no base64": answer(
    [...RESPONSE_HEAD, ["trace", "\xfc\xff"], ["trace-bin", "!!!"]],
    GOOD,
    [...OK_TRAILERS, ["grpc-status-details-bin", "!!!"], ["date", "today"]],
  ),
};

for (const [what, answering] of Object.entries(ODDITIES)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel completes the call when the answer to a call for ${kind} ${what}`, async () => {
      await using server = serveBadly(answering);
      await using channel = new Channel("127.0.0.1", server.port);
      const stub = createStub(Echo, channel);
      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(server.accepted, 1);
    });
  }
}

/** Faults that the server has to be told of, as it is still sending. */
const RESETS: readonly (readonly [string, number, Answering])[] = [
  ["an HTML page", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, statusHead("200", HTML));
  }],
  ["a message over the limit", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    const message = grpcMessage(REPLY, { length: 0xffff_ffff });
    await connection.data(streamId, message);
  }],
  ["a second message", CANCEL, async (connection, streamId) => {
    await connection.headers(streamId, RESPONSE_HEAD);
    await connection.data(streamId, Uint8Array.of(...GOOD, ...GOOD));
  }],
  ["a large head", ENHANCE_YOUR_CALM, async (connection, streamId) => {
    const fields = Array.from({ length: 300 }, (): Field => ["trace", "a"]);
    await connection.headers(streamId, [...RESPONSE_HEAD, ...fields]);
  }],
];

for (const [what, code, answering] of RESETS) {
  Deno.test(`Channel resets the stream when the answer begins with ${what}`, async () => {
    const reset = Promise.withResolvers<number>();
    await using server = serveBadly(async (connection, streamId) => {
      await answering(connection, streamId);
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
const LARGE_ANSWERS: Readonly<Record<string, Answering>> = {
  "a head": answer([...RESPONSE_HEAD, ...LARGE], GOOD, OK_TRAILERS),
  "trailers": answer(RESPONSE_HEAD, GOOD, [...OK_TRAILERS, ...LARGE]),
};

for (const [what, answering] of Object.entries(LARGE_ANSWERS)) {
  for (const [kind, call] of Object.entries(CALLS)) {
    Deno.test(`Channel fails the call when the answer to a call for ${kind} has ${what} over the limit`, async () => {
      let count = 0;
      await using server = new RawServer(async (connection) => {
        await connection.acceptPreface();
        await connection.settings();
        for (;;) {
          const { streamId } = await connection.request();
          const answer = count++ === 1 ? answering : answerWell;
          await answer(connection, streamId);
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

Deno.test("Channel keeps the connection going when the answers are padding for the most part", async () => {
  const count = 20_000;
  const padding = 255;
  const part = Uint8Array.of(0);
  const body = grpcMessage(new Uint8Array(count - 5));
  // All that padding is more than the windows allow at once.
  const frameBytes = part.length + padding + 1;
  await using server = serveBadly(async (connection, streamId) => {
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
