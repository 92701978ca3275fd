// What a server does with a client that does not speak HTTP/2, or speaks it
// wrongly, or too much of it: such a connection is ended or the fault tolerated,
// no handler runs, and everybody else is served as before.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { assertEquals, assertLess } from "@std/assert";
import type { ConfigurationOptions } from "../../server.ts";
import {
  type EchoPair,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { onEngine } from "../../_testdata/on_engine.ts";
import {
  type Field,
  Flag,
  frame,
  FrameType,
  grpcMessage,
  PREFACE,
  RawConnection,
  type Reply,
  requestFields,
  Setting,
  uint32,
  uint32At,
} from "../../_testdata/raw_h2.ts";

const GOOD = grpcMessage(
  toBinary(EchoRequestSchema, create(EchoRequestSchema, { text: "hello" })),
);

// https://www.rfc-editor.org/rfc/rfc9113#section-7
const PROTOCOL_ERROR = 1;
const INTERNAL_ERROR = 2;
const FLOW_CONTROL_ERROR = 3;
const FRAME_SIZE_ERROR = 6;
const COMPRESSION_ERROR = 9;
const ENHANCE_YOUR_CALM = 11;

/** A server whose handlers count, with a channel that is served in between. */
async function startCounting(
  config: ConfigurationOptions = {},
): Promise<{ pair: EchoPair; started: () => number } & AsyncDisposable> {
  let started = 0;
  const count = () => void started++;
  const pair = await startEcho({
    server: { config },
    handlers: { serverStream: count, clientStream: count, bidi: count },
  });
  return {
    pair,
    started: () => started,
    async [Symbol.asyncDispose]() {
      assertEquals((await pair.stub.unary({ text: "hi" })).text, "hi");
      await pair[Symbol.asyncDispose]();
    },
  };
}

/** The error code that the peer ends the connection with; null without one. */
async function goawayCode(connection: RawConnection): Promise<number | null> {
  let code: number | null = null;
  for (;;) {
    const found = await connection.next();
    if (found === null) return code;
    if (found.type === FrameType.GOAWAY) code ??= uint32At(found.payload, 4);
  }
}

async function callUnary(
  connection: RawConnection,
  streamId: number,
): Promise<Reply> {
  await connection.headers(streamId, requestFields(PATHS.unary));
  await connection.data(streamId, GOOD, { end: true });
  return await connection.reply(streamId);
}

function assertGood(reply: Reply): void {
  assertEquals(reply.trailers["grpc-status"], "0");
  const { text } = fromBinary(EchoReplySchema, reply.data.subarray(5));
  assertEquals(text, "hello");
}

// What comes in place of HTTP/2

const text = new TextEncoder();
const NO_HTTP2: Readonly<Record<string, Uint8Array>> = {
  "a request of HTTP/1": text.encode("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
  "an upgrade from HTTP/1": text.encode(
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
      "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
  ),
  "the hello of TLS": Uint8Array.of(22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 7),
  "zeros": new Uint8Array(10_000),
  "noise": Uint8Array.from({ length: 10_000 }, (_, i) => i * 167 % 251),
};

for (const [what, bytes] of Object.entries(NO_HTTP2)) {
  Deno.test(`Server ends the connection when ${what} comes`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.connect(server.pair.port);
    await connection.write(bytes);
    const expected = onEngine({ node: INTERNAL_ERROR, native: PROTOCOL_ERROR });
    assertEquals(await goawayCode(connection), expected);
    assertEquals(server.started(), 0);
  });
}

Deno.test("Server serves others when clients connect and leave, or say nothing", async () => {
  await using server = await startCounting();
  const { port } = server.pair;
  using _silent = await RawConnection.connect(port);
  using half = await RawConnection.connect(port);
  await half.write(PREFACE.subarray(0, 10));
  for (let i = 0; i < 50; i++) {
    using connection = await RawConnection.connect(port);
    if (i % 2 === 1) await connection.write(PREFACE.subarray(0, i % 24));
  }
  assertEquals((await server.pair.stub.unary({ text: "a" })).text, "a");
});

// HTTP/2 with a fault

type Fault = (connection: RawConnection) => Promise<void>;

function badFrame(
  type: number,
  head: { flags?: number; streamId?: number },
  payload: Uint8Array,
): Fault {
  return (connection) => connection.write(frame(type, head, payload));
}

function badHead(changes: Record<string, string | null>): Fault {
  return async (connection) => {
    await connection.headers(1, requestFields(PATHS.bidi, changes));
  };
}

const GOOD_HEAD = requestFields(PATHS.unary);
const FAULTS: readonly (readonly [string, number, Fault])[] = [
  // "A client … MAY" leave it out; nghttp2 does not take that.
  ...onEngine({
    node: [
      ["no :authority", PROTOCOL_ERROR, badHead({ ":authority": null })],
    ] as const,
    native: [],
  }),
  ["no :path", PROTOCOL_ERROR, badHead({ ":path": null })],
  ["an empty :path", PROTOCOL_ERROR, badHead({ ":path": "" })],
  ["a te other than trailers", PROTOCOL_ERROR, badHead({ te: "gzip" })],
  ["a field in capitals", PROTOCOL_ERROR, badHead({ "Trace": "a" })],
  ["a field of HTTP/1", PROTOCOL_ERROR, badHead({ connection: "close" })],
  ["a wrong content-length", PROTOCOL_ERROR, async (connection) => {
    const fields = requestFields(PATHS.unary, { "content-length": "3" });
    await connection.headers(1, fields);
    await connection.data(1, GOOD, { end: true });
  }],
  ["a second head", PROTOCOL_ERROR, async (connection) => {
    await connection.headers(1, GOOD_HEAD);
    await connection.headers(1, GOOD_HEAD);
  }],
  [
    "a stream of the server's",
    PROTOCOL_ERROR,
    (connection) => connection.headers(2, GOOD_HEAD),
  ],
  [
    "DATA on stream 0",
    PROTOCOL_ERROR,
    (connection) => connection.data(0, GOOD),
  ],
  [
    "DATA on an idle stream",
    PROTOCOL_ERROR,
    (connection) => connection.data(5, GOOD),
  ],
  [
    "RST_STREAM on an idle stream",
    PROTOCOL_ERROR,
    (connection) => connection.rstStream(5, 8),
  ],
  [
    "a frame that is too large",
    FRAME_SIZE_ERROR,
    badFrame(FrameType.DATA, { streamId: 1 }, new Uint8Array(16_385)),
  ],
  [
    "a window update of nothing",
    PROTOCOL_ERROR,
    (connection) => connection.windowUpdate(0, 0),
  ],
  [
    "a window update of too much",
    FLOW_CONTROL_ERROR,
    (connection) => connection.windowUpdate(0, 2 ** 31 - 1),
  ],
  [
    "SETTINGS of a wrong length",
    FRAME_SIZE_ERROR,
    badFrame(FrameType.SETTINGS, {}, new Uint8Array(5)),
  ],
  [
    "SETTINGS of a wrong value",
    FLOW_CONTROL_ERROR,
    (connection) => connection.settings([Setting.INITIAL_WINDOW_SIZE, 2 ** 31]),
  ],
  [
    "a PING of a wrong length",
    FRAME_SIZE_ERROR,
    badFrame(FrameType.PING, {}, new Uint8Array(3)),
  ],
  [
    "a header block that cannot be read",
    COMPRESSION_ERROR,
    badFrame(
      FrameType.HEADERS,
      { streamId: 1, flags: Flag.END_HEADERS },
      new Uint8Array(20).fill(0xff),
    ),
  ],
  [
    "a field of 70 KB",
    onEngine({ node: COMPRESSION_ERROR, native: ENHANCE_YOUR_CALM }),
    badHead({ trace: "a".repeat(70_000) }),
  ],
  [
    "CONTINUATION of nothing",
    PROTOCOL_ERROR,
    badFrame(FrameType.CONTINUATION, { streamId: 1 }, uint32(0)),
  ],
  [
    "a promise",
    PROTOCOL_ERROR,
    badFrame(FrameType.PUSH_PROMISE, { streamId: 1 }, uint32(2)),
  ],
];

/**
 * Faults of one stream alone: "malformed requests or responses … MUST be treated
 * as a stream error". nghttp2 ends the connection for them.
 * https://www.rfc-editor.org/rfc/rfc9113#section-8.1.1
 */
const STREAM_FAULTS: ReadonlySet<string> = new Set(onEngine({
  node: [],
  native: [
    ...["no :path", "an empty :path", "a second head"],
    ...["a te other than trailers", "a field in capitals"],
    ...["a field of HTTP/1", "a wrong content-length", "a field of 70 KB"],
  ],
}));

for (const [what, code, fault] of FAULTS) {
  const ends = STREAM_FAULTS.has(what)
    ? "resets the stream"
    : "ends the connection";
  Deno.test(`Server ${ends} when a client sends ${what}`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.pair.port);
    await fault(connection);
    if (STREAM_FAULTS.has(what)) {
      assertEquals((await connection.reply(1)).code, code);
      assertGood(await callUnary(connection, 3));
    } else {
      assertEquals(await goawayCode(connection), code);
    }
    assertEquals(server.started(), 0);
  });
}

// HTTP/2 with something unusual

const ODDITIES: Readonly<Record<string, Fault>> = {
  "a frame of an unknown type": badFrame(99, { streamId: 7 }, uint32(1, 2)),
  "a PRIORITY": badFrame(
    FrameType.PRIORITY,
    { streamId: 5 },
    Uint8Array.of(0, 0, 0, 0, 1),
  ),
  "SETTINGS with an unknown identifier": (connection) =>
    connection.settings([0x99, 7]),
  "a call with padded DATA": async (connection) => {
    await connection.headers(1, GOOD_HEAD);
    await connection.data(1, GOOD, { end: true, padding: 255 });
    assertGood(await connection.reply(1));
  },
  "a call with trailers": async (connection) => {
    await connection.headers(1, GOOD_HEAD);
    await connection.data(1, GOOD);
    await connection.headers(1, [["trace", "a"]], { end: true });
    assertGood(await connection.reply(1));
  },
  "a call with empty DATA": async (connection) => {
    await connection.headers(1, GOOD_HEAD);
    for (const byte of GOOD) {
      await connection.data(1, new Uint8Array());
      await connection.data(1, Uint8Array.of(byte));
    }
    await connection.data(1, new Uint8Array(), { end: true });
    assertGood(await connection.reply(1));
  },
};

for (const [what, oddity] of Object.entries(ODDITIES)) {
  Deno.test(`Server goes on when a client sends ${what}`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.pair.port);
    await oddity(connection);
    assertGood(await callUnary(connection, 3));
  });
}

const LARGE_HEADS: Readonly<Record<string, Field[]>> = {
  "70 KB of fields": [
    ["trace", "a".repeat(35_000)],
    ["trace", "a".repeat(35_000)],
  ],
  // node:http2 takes 128 fields, and both as many as fit in 64 KiB.
  "2000 fields": Array.from({ length: 2000 }, (): Field => ["trace", "a"]),
};

for (const [what, fields] of Object.entries(LARGE_HEADS)) {
  Deno.test(`Server resets the stream when a client sends ${what}`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.pair.port);
    // A limit holds for those who have acknowledged it.
    const isAck = { seen: false };
    while (!isAck.seen) {
      const { flags } = await connection.nextOf(FrameType.SETTINGS);
      isAck.seen = flags === Flag.ACK;
    }
    const head = [...requestFields(PATHS.bidi), ...fields];
    await connection.headers(1, head, { end: true });
    assertEquals((await connection.reply(1)).code, ENHANCE_YOUR_CALM);
    assertEquals(server.started(), 0);
    assertGood(await callUnary(connection, 3));
  });
}

// Too much of it

/** Sends until the peer has had enough, and says how often that was. */
async function flood(
  connection: RawConnection,
  bytes: Uint8Array,
  most: number,
): Promise<number> {
  const perWrite = 1000;
  const batch = new Uint8Array(bytes.length * perWrite);
  for (let i = 0; i < perWrite; i++) batch.set(bytes, i * bytes.length);
  for (let sent = 0; sent < most; sent += perWrite) {
    try {
      await connection.write(batch);
    } catch {
      return sent;
    }
  }
  return most;
}

const FLOODS: Readonly<Record<string, Uint8Array>> = {
  "PING": frame(FrameType.PING, {}, new Uint8Array(8)),
  "SETTINGS": frame(FrameType.SETTINGS, {}, new Uint8Array(6)),
};

for (const [what, bytes] of Object.entries(FLOODS)) {
  Deno.test(`Server ends the connection when a client floods it with ${what} and reads nothing`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.pair.port);
    assertLess(await flood(connection, bytes, 2_000_000), 2_000_000);
  });
}

Deno.test("Server answers each PING when a client reads the replies", async () => {
  await using server = await startCounting({ http2MaxPingStrikes: 0 });
  using connection = await RawConnection.open(server.pair.port);
  for (let i = 0; i < 100; i++) {
    const payload = uint32(i, 0);
    await connection.write(frame(FrameType.PING, {}, payload));
    const answer = await connection.nextOf(FrameType.PING);
    assertEquals(answer.flags, Flag.ACK);
    assertEquals(answer.payload, payload);
  }
});

Deno.test("Server ends the connection when a client opens and resets streams rapidly", async () => {
  await using server = await startCounting();
  using connection = await RawConnection.open(server.pair.port);
  let wasCut = false;
  try {
    for (let opened = 0; opened < 20_000; opened++) {
      const streamId = 1 + 2 * opened;
      await connection.headers(streamId, GOOD_HEAD);
      await connection.rstStream(streamId, 8);
    }
  } catch {
    // The server has had enough.
    wasCut = true;
  }
  // Or what was sent waits in the system's buffers, where nobody reads it.
  if (!wasCut) assertEquals(await goawayCode(connection), ENHANCE_YOUR_CALM);
});
