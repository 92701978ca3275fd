// What a client makes of servers that do not speak HTTP/2, or speak it wrongly:
// the call fails at once, with UNAVAILABLE or INTERNAL and what the matter was,
// and the next one gets a new connection.

import { assertEquals, assertMatch } from "@std/assert";
import { Status } from "../../core/status.ts";
import {
  assertFails,
  goOnWell,
  READY,
  REPLY_MESSAGE,
  serveBadly,
  shakeHands,
  withStub,
} from "../../_testdata/raw_replies.ts";
import { onEngine } from "../../_testdata/on_engine.ts";
import {
  type Field,
  Flag,
  frame,
  FrameType,
  OK_TRAILERS,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  Setting,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { soon } from "../../_testdata/waiting.ts";

const REFUSED_STREAM = 7;

/** Calls a server that does as it is told on its first connection. */
async function assertCallFails(
  status: Status,
  first: (connection: RawConnection) => Promise<void>,
): Promise<void> {
  const server = serveBadly(async (connection) => {
    await first(connection);
    await connection.end();
  });
  await withStub(server, async (stub) => {
    await assertFails(() => stub.unary({}), status);
    assertEquals((await soon(stub.unary({}, READY))).text, "hello");
    assertEquals(server.accepted, 2);
  });
}

const text = new TextEncoder();
const NO_HTTP2: Readonly<Record<string, Uint8Array>> = {
  "HTTP/1": text.encode(
    "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
  ),
  "an HTML page": text.encode("<html>".padEnd(100_000, "Sorry! ")),
  "SSH": text.encode("SSH-2.0-OpenSSH_9.6\r\n"),
  "TLS": Uint8Array.of(21, 3, 1, 0, 2, 2, 70, 21, 3, 1, 0, 2, 1, 0),
  "noise": Uint8Array.from({ length: 10_000 }, (_, i) => i * 167 % 251),
  "zeros": new Uint8Array(10_000),
};

for (const [what, bytes] of Object.entries(NO_HTTP2)) {
  Deno.test(`Channel fails the call with UNAVAILABLE when the server speaks ${what}`, async () => {
    await assertCallFails(Status.UNAVAILABLE, async (connection) => {
      await connection.write(bytes);
    });
  });
}

const GOAWAY = (code: number) => frame(FrameType.GOAWAY, {}, uint32(0, code));

for (const code of [0, 11]) {
  Deno.test(`Channel retries the call transparently when the server sends GOAWAY ${code} with its SETTINGS`, async () => {
    const server = serveBadly(async (connection) => {
      await connection.acceptPreface();
      await connection.write(frame(FrameType.SETTINGS), GOAWAY(code));
      await connection.end();
    });
    await withStub(server, async (stub) => {
      assertEquals((await soon(stub.unary({}))).text, "hello");
      assertEquals(server.accepted, 2);
    });
  });
}

Deno.test("Channel fails the call with UNAVAILABLE when the server sends GOAWAY before its SETTINGS", async () => {
  await assertCallFails(Status.UNAVAILABLE, async (connection) => {
    await connection.acceptPreface();
    await connection.write(GOAWAY(11));
  });
});

type Fault = (connection: RawConnection, streamId: number) => Promise<void>;

const bytesOf = (
  type: number,
  head: { flags?: number; streamId?: number },
  payload?: Uint8Array,
): Fault =>
(connection) => connection.write(frame(type, head, payload));

const badHead = (...fields: Field[]): Fault => (connection, streamId) =>
  connection.headers(streamId, fields);

const FAULTS: readonly (readonly [string, Status, Fault])[] = [
  [
    "DATA before its head",
    Status.UNAVAILABLE,
    (connection, streamId) => connection.data(streamId, REPLY_MESSAGE),
  ],
  [
    "DATA on stream 0",
    Status.UNAVAILABLE,
    (connection) => connection.data(0, REPLY_MESSAGE),
  ],
  [
    "DATA on an idle stream",
    Status.UNAVAILABLE,
    (connection) => connection.data(99, REPLY_MESSAGE),
  ],
  [
    "a head on an idle stream",
    Status.UNAVAILABLE,
    (connection) => connection.headers(99, RESPONSE_HEAD),
  ],
  ["a head without a status", Status.UNAVAILABLE, badHead(RESPONSE_HEAD[1]!)],
  [
    "a status that is no number",
    Status.UNAVAILABLE,
    badHead([":status", "abc"]),
  ],
  [
    "a field in capitals",
    Status.UNAVAILABLE,
    badHead(...RESPONSE_HEAD, ["Trace", "a"]),
  ],
  [
    "a field of HTTP/1",
    Status.UNAVAILABLE,
    badHead(...RESPONSE_HEAD, ["connection", "close"]),
  ],
  [
    "a field of a request",
    Status.UNAVAILABLE,
    badHead(...RESPONSE_HEAD, [":path", "/"]),
  ],
  [
    "a wrong content-length",
    Status.UNAVAILABLE,
    async (connection, streamId) => {
      await connection.headers(streamId, [...RESPONSE_HEAD, [
        "content-length",
        "3",
      ]]);
      await connection.data(streamId, REPLY_MESSAGE, { end: true });
    },
  ],
  [
    "trailers that do not end the stream",
    Status.UNAVAILABLE,
    async (connection, streamId) => {
      await connection.headers(streamId, RESPONSE_HEAD);
      await connection.data(streamId, REPLY_MESSAGE);
      await connection.headers(streamId, OK_TRAILERS);
    },
  ],
  [
    "informational heads that end the stream",
    Status.UNAVAILABLE,
    (connection, streamId) =>
      connection.headers(streamId, [[":status", "100"]], { end: true }),
  ],
  [
    "a promise",
    Status.UNAVAILABLE,
    (connection, streamId) =>
      connection.write(
        frame(
          FrameType.PUSH_PROMISE,
          { streamId, flags: Flag.END_HEADERS },
          uint32(2),
        ),
      ),
  ],
  [
    "a field of 70 KB",
    Status.UNAVAILABLE,
    badHead(...RESPONSE_HEAD, ["trace", "a".repeat(70_000)]),
  ],
  [
    "a header block that cannot be read",
    Status.UNAVAILABLE,
    (connection, streamId) =>
      connection.write(
        frame(
          FrameType.HEADERS,
          { streamId, flags: Flag.END_HEADERS },
          new Uint8Array(9).fill(0xff),
        ),
      ),
  ],
  [
    "a frame that is too large",
    Status.UNAVAILABLE,
    (connection, streamId) =>
      connection.write(
        frame(FrameType.DATA, { streamId }, new Uint8Array(16_385)),
      ),
  ],
  [
    "a window update of nothing",
    Status.UNAVAILABLE,
    (connection) => connection.windowUpdate(0, 0),
  ],
  [
    "a window update of too much",
    Status.UNAVAILABLE,
    (connection) => connection.windowUpdate(0, 2 ** 31 - 1),
  ],
  [
    "SETTINGS of a wrong value",
    Status.UNAVAILABLE,
    (connection) => connection.settings([Setting.MAX_FRAME_SIZE, 1]),
  ],
  [
    "SETTINGS of a wrong length",
    Status.UNAVAILABLE,
    bytesOf(FrameType.SETTINGS, {}, new Uint8Array(5)),
  ],
  [
    "RST_STREAM on an idle stream",
    Status.UNAVAILABLE,
    (connection) => connection.rstStream(99, REFUSED_STREAM),
  ],
  [
    "CONTINUATION of nothing",
    Status.UNAVAILABLE,
    (connection, streamId) =>
      connection.write(frame(FrameType.CONTINUATION, { streamId }, uint32(0))),
  ],
];

/**
 * Faults of one stream alone: "malformed requests or responses … MUST be treated
 * as a stream error". nghttp2 ends the connection for them.
 * https://www.rfc-editor.org/rfc/rfc9113#section-8.1.1
 */
const STREAM_FAULTS: ReadonlyMap<string, Status> = new Map(onEngine({
  node: [],
  native: [
    ["DATA before its head", Status.INTERNAL],
    ["a head without a status", Status.INTERNAL],
    ["a status that is no number", Status.INTERNAL],
    ["a field in capitals", Status.INTERNAL],
    ["a field of HTTP/1", Status.INTERNAL],
    ["a field of a request", Status.INTERNAL],
    ["a wrong content-length", Status.INTERNAL],
    ["trailers that do not end the stream", Status.INTERNAL],
    ["informational heads that end the stream", Status.INTERNAL],
    ["a field of 70 KB", Status.RESOURCE_EXHAUSTED],
  ],
}));

for (const [what, status, fault] of FAULTS) {
  const statusOfStream = STREAM_FAULTS.get(what);
  if (statusOfStream !== undefined) {
    Deno.test(`Channel fails the call and goes on when the server sends ${what}`, async () => {
      const server = new RawServer(async (connection) => {
        await shakeHands(connection);
        const { streamId } = await connection.request();
        await fault(connection, streamId);
        await goOnWell(connection);
      });
      await withStub(server, async (stub) => {
        const error = await assertFails(() => stub.unary({}), statusOfStream);
        assertMatch(error.message, /^Stream was reset with [A-Z_]+: \w+/);
        assertEquals((await soon(stub.unary({}))).text, "hello");
        assertEquals(server.accepted, 1);
      });
    });
    continue;
  }
  Deno.test(`Channel fails the call and reconnects when the server sends ${what}`, async () => {
    await assertCallFails(status, async (connection) => {
      await shakeHands(connection);
      const { streamId } = await connection.request();
      await fault(connection, streamId);
    });
  });
}
