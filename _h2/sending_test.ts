import { assert, assertEquals, assertThrows } from "@std/assert";
import { connectedEnds, EngineEnd, exchange } from "../_testdata/engine_end.ts";
import {
  CLIENT_HELLO,
  headers,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  SERVER_HELLO,
  settings,
  windowUpdate,
} from "../_testdata/frame_words.ts";
import { ConnectionState } from "./connection_state.ts";
import { ErrorCode } from "./mod.ts";

const HEAD = REQUEST.flat();
const OK = RESPONSE.flat();
const HEADERS = `HEADERS 1 ${REQUEST_WORDS}`;

/** A client whose peer has other settings than the default ones. */
function client(
  ...pairs: readonly (readonly [id: number, value: number])[]
): EngineEnd {
  const end = new EngineEnd({ role: "client" });
  end.receive(settings(...pairs), ...SERVER_HELLO.slice(1));
  end.frames();
  end.told();
  return end;
}

/** A server with a stream 1. */
function server(): EngineEnd {
  const end = new EngineEnd({ role: "server" });
  end.receive(...CLIENT_HELLO, headers(1, REQUEST));
  end.frames();
  end.told();
  return end;
}

function bytes(length: number, text = "x"): Uint8Array {
  return new TextEncoder().encode(text.repeat(length));
}

/** Frames, with the length of DATA instead of it. */
function sizes(frames: readonly string[]): string[] {
  return frames.map((line) =>
    line.replace(
      /^(DATA \d+) (\w+)/,
      (_, head, text) =>
        text === "END" ? `${head} 0 END` : `${head} ${text.length}`,
    )
  );
}

Deno.test("Http2Connection() begins with the preface and SETTINGS when it is a client", () => {
  const end = new EngineEnd({
    role: "client",
    settings: { initialWindowSize: 1 << 20, maxHeaderListSize: 8192 },
    connectionWindowSize: 100_000,
  });
  const { length } = new TextEncoder().encode(
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  );
  const all = end.take();
  assertEquals(
    new TextDecoder().decode(all.subarray(0, length)),
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  );
  assertEquals(all.length, length + 9 + 18 + 13);
  const other = new EngineEnd({ role: "server" });
  other.receive(all);
  assertEquals(other.connection.peerSettings.initialWindowSize, 1 << 20);
  assertEquals(other.connection.peerSettings.maxHeaderListSize, 8192);
});

Deno.test("Http2Stream.sendData() puts small pieces into one frame, with the end", () => {
  const end = client();
  const stream = end.request(HEAD);
  stream.sendData(bytes(2, "a"), false);
  stream.sendData(bytes(2, "b"), false);
  stream.sendData(new Uint8Array(), true);
  assertEquals(end.frames(), [HEADERS, "DATA 1 aabb END"]);
});

Deno.test("Http2Stream.sendData() sends nothing when there is nothing and no end", () => {
  const end = client();
  const stream = end.request(HEAD);
  assertEquals(stream.sendData(new Uint8Array(), false), true);
  assertEquals(end.frames(), [HEADERS]);
});

Deno.test("Http2Stream.sendHeaders() ends the half when it is asked to", () => {
  const end = client();
  end.request(HEAD, true, ["x-own", "1"]);
  assertEquals(end.frames(), [`${HEADERS} x-own=1 END`]);
});

Deno.test("Http2Stream.sendTrailers() ends the half, after all DATA", () => {
  const end = server();
  const stream = end.streams.get(1)!;
  stream.sendHeaders(OK, [], false);
  stream.sendData(bytes(70_000), false);
  stream.sendTrailers(["grpc-status", "0"], ["x-own", "1"]);
  assertEquals(sizes(end.frames()), [
    "HEADERS 1 :status=200",
    ...["DATA 1 16384", "DATA 1 16384", "DATA 1 16384", "DATA 1 16383"],
  ]);
  assertEquals(stream.queuedBytes, 70_000 - 65_535);
  assertEquals(end.connection.queuedBytes, 70_000 - 65_535);
  end.receive(windowUpdate(0, 100_000), windowUpdate(1, 4_000));
  assertEquals(sizes(end.frames()), ["DATA 1 4000"]);
  end.receive(windowUpdate(1, 100_000));
  assertEquals(sizes(end.frames()), [
    "DATA 1 465",
    "HEADERS 1 grpc-status=0 x-own=1 END",
  ]);
});

Deno.test("Http2Connection.keptBytes counts a chunk until the last byte of it is sent", () => {
  const end = server();
  const { connection } = end;
  const stream = end.streams.get(1)!;
  stream.sendHeaders(OK, [], false);
  stream.sendData(bytes(65_537), false);
  stream.sendData(bytes(10), false);
  end.frames();
  assertEquals(connection.queuedBytes, 12);
  assertEquals(connection.keptBytes, 65_547);
  end.receive(windowUpdate(0, 100_000), windowUpdate(1, 3));
  assertEquals(connection.keptBytes, 10);
  end.receive(windowUpdate(1, 9));
  assertEquals(connection.keptBytes, 0);
  stream.sendData(bytes(100_000), false);
  assertEquals(connection.keptBytes, 100_000);
  stream.reset(ErrorCode.CANCEL);
  assertEquals(connection.keptBytes, 0);
});

Deno.test("Http2Stream.sendData() does not copy what is large", () => {
  const end = client();
  const payload = bytes(10_000);
  end.request(HEAD).sendData(payload, true);
  const pieces = end.connection.takeOutput();
  assertEquals(pieces.map(({ buffer }) => buffer === payload.buffer), [
    false,
    true,
  ]);
});

Deno.test("Http2Stream.sendData() copies what is small, so that it may change", () => {
  const end = client();
  const payload = bytes(100);
  const stream = end.request(HEAD);
  stream.sendData(payload, false);
  payload.fill(0);
  assertEquals(end.frames()[1], `DATA 1 ${"x".repeat(100)}`);
});

Deno.test("Http2Stream.sendData() waits for the output to be written, and tells when it goes on", () => {
  const end = client([4, 1 << 24]);
  end.receive(windowUpdate(0, 1 << 24));
  const stream = end.request(HEAD);
  assertEquals(stream.sendData(bytes(100_000), false), true);
  assertEquals(stream.sendData(bytes(300_000), false), false);
  const { connection } = end;
  const waiting = stream.queuedBytes;
  assert(connection.outputBytes > 100_000);
  assert(connection.outputBytes < 128 * 1024 + 17_000);
  connection.takeOutput();
  assertEquals(stream.queuedBytes, waiting, "what is being written counts");
  assertEquals(connection.takeOutput(), []);
  connection.outputWritten();
  assert(stream.queuedBytes < waiting);
  assertEquals(end.told(), []);
  while (stream.queuedBytes > 0) end.take();
  assertEquals(end.told(), ["drain 1"]);
  assertEquals(stream.sendData(bytes(5), false), true);
});

Deno.test("Http2Connection() lets streams send in turn", () => {
  const end = client([4, 1 << 24]);
  const streams = [1, 2, 3].map(() => end.request(HEAD));
  end.frames();
  // The window of the connection is used up.
  end.request(HEAD).sendData(bytes(65_535), false);
  end.frames();
  streams.forEach((stream) => stream.sendData(bytes(40_000), true));
  assertEquals(end.frames(), []);
  end.receive(windowUpdate(0, 1 << 24));
  assertEquals(sizes(end.frames()), [
    ...["DATA 1 16384", "DATA 3 16384", "DATA 5 16384"],
    ...["DATA 1 16384", "DATA 3 16384", "DATA 5 16384"],
    ...["DATA 1 7232 END", "DATA 3 7232 END", "DATA 5 7232 END"],
  ]);
});

Deno.test("Http2Connection() sends HEADERS and ends when only the window of the connection is used up", () => {
  const end = client();
  end.request(HEAD).sendData(bytes(70_000), true);
  end.frames();
  const second = end.request(HEAD);
  second.sendData(new Uint8Array(), true);
  const third = end.request(HEAD);
  third.sendTrailers(["a", "b"], []);
  assertEquals(end.frames(), [
    `HEADERS 3 ${REQUEST_WORDS}`,
    "DATA 3 END",
    `HEADERS 5 ${REQUEST_WORDS}`,
    "HEADERS 5 a=b END",
  ]);
});

Deno.test("Http2Connection.request() waits with HEADERS when the output is full", () => {
  const end = client([4, 1 << 24]);
  end.receive(windowUpdate(0, 1 << 24));
  const first = end.request(HEAD);
  first.sendData(bytes(200_000), true);
  const dropped = end.request(HEAD);
  const second = end.request(HEAD);
  second.sendData(bytes(3), true);
  assertEquals([dropped.id, second.id], [0, 0]);
  assertEquals(end.connection.streamCount, 3);
  dropped.reset(ErrorCode.CANCEL);
  assertEquals(dropped.list, null);
  assertEquals(end.connection.streamCount, 2);
  const frames = sizes(end.frames());
  assertEquals(frames.at(-1), "DATA 1 3392 END");
  assertEquals(frames.filter((line) => !line.startsWith("DATA 1")), [
    HEADERS,
    `HEADERS 3 ${REQUEST_WORDS}`,
    "DATA 3 3 END",
  ]);
  assertEquals(second.id, 3);
});

Deno.test("Http2Stream.reset() drops what is queued", () => {
  const end = client();
  const stream = end.request(HEAD);
  stream.sendData(bytes(70_000), true);
  assertEquals(end.frames().length, 5);
  stream.reset(ErrorCode.CANCEL);
  stream.reset(ErrorCode.CANCEL);
  stream.sendData(bytes(9), false);
  assertEquals(end.frames(), ["RST_STREAM 1 CANCEL"]);
  assertEquals(end.connection.queuedBytes, 0);
  assertEquals(end.connection.streamCount, 0);
  end.receive(windowUpdate(1, 100_000), headers(1, RESPONSE));
  assertEquals([end.frames(), end.told()], [[], []]);
});

Deno.test("Http2Stream.reset() sends HEADERS and RST_STREAM when both are in the output", () => {
  const end = client();
  end.request(HEAD).reset(ErrorCode.CANCEL);
  assertEquals(end.frames(), [HEADERS, "RST_STREAM 1 CANCEL"]);
});

Deno.test("Http2Stream.reset() with NO_ERROR sends the whole reply first", () => {
  const end = server();
  const stream = end.streams.get(1)!;
  stream.sendHeaders(OK, [], false);
  stream.sendData(bytes(70_000), false);
  stream.sendTrailers(["grpc-status", "0"], []);
  stream.reset(ErrorCode.NO_ERROR);
  assertEquals(end.frames().length, 5);
  end.receive(windowUpdate(0, 100_000), windowUpdate(1, 100_000));
  assertEquals(sizes(end.frames()), [
    "DATA 1 4465",
    "HEADERS 1 grpc-status=0 END",
    "RST_STREAM 1 NO_ERROR",
  ]);
  assertEquals(end.told(), [], "nothing is told any more");
});

Deno.test("Http2Stream.reset() with NO_ERROR follows a reply that is sent already", () => {
  const end = server();
  const stream = end.streams.get(1)!;
  stream.sendHeaders(OK, [], true);
  stream.reset(ErrorCode.NO_ERROR);
  assertEquals(end.frames(), [
    "HEADERS 1 :status=200 END",
    "RST_STREAM 1 NO_ERROR",
  ]);
});

Deno.test("Http2Stream.sendData() resets the stream when too many bytes wait", () => {
  const { client } = connectedEnds({
    client: { limits: { maxQueuedBytes: 100_000 } },
  });
  const first = client.request(HEAD);
  first.sendData(bytes(500_000), false);
  const second = client.request(HEAD);
  client.take();
  second.sendData(bytes(1), false);
  assertEquals(client.told(), ["close 3 violation ENHANCE_YOUR_CALM"]);
  assertEquals(client.frames(), ["RST_STREAM 3 ENHANCE_YOUR_CALM"]);
  assertEquals(first.isClosed, false);
});

Deno.test("Http2Stream.sendData() throws when it is out of order", () => {
  const end = server();
  const stream = end.streams.get(1)!;
  const data = (): boolean => stream.sendData(bytes(1), false);
  assertThrows(data, Error, "Cannot send on stream");
  assertThrows(() => stream.sendTrailers([], []), Error, "Cannot send");
  stream.sendHeaders(OK, [], false);
  assertThrows(() => stream.sendHeaders(OK, [], false), Error, "Cannot send");
  stream.sendTrailers(OK.slice(0, 0), []);
  assertThrows(data, Error, "Cannot send on stream");
});

Deno.test("Http2Stream.sendHeaders() uses CONTINUATION when the fields are long", () => {
  const end = client();
  const value = "x".repeat(50_000);
  end.request(HEAD, true, ["x-long", value]);
  assertEquals(end.frames(), [
    "HEADERS 1 END",
    "CONTINUATION 1",
    "CONTINUATION 1",
    `CONTINUATION 1 ${REQUEST_WORDS} x-long=${value}`,
  ]);
  // Larger frames, if the peer takes them.
  end.receive(settings([5, 100_000]));
  end.request(HEAD, true, ["x-long", value]);
  assertEquals(
    end.frames().at(-1),
    `${HEADERS.replace("1", "3")} x-long=${value} END`,
  );
});

Deno.test("Http2Stream.sendHeaders() ends the stream when the fields cannot be encoded", () => {
  const end = client();
  end.request(HEAD, false, ["x", "\u{1f600}"]);
  assertEquals(end.told(), ["close 0 violation INTERNAL_ERROR unprocessed"]);
  assertEquals(end.frames(), []);
  const next = end.request(HEAD);
  assertEquals(next.id, 1);
  next.sendTrailers(["x", "\u{1f600}"], []);
  assertEquals(end.told(), ["close 1 violation INTERNAL_ERROR"]);
  assertEquals(end.frames(), [HEADERS, "RST_STREAM 1 INTERNAL_ERROR"]);
});

Deno.test("Http2Connection.canOpen keeps to MAX_CONCURRENT_STREAMS", () => {
  const end = client([3, 2]);
  const { connection } = end;
  assertEquals(connection.streamsLeft, 2);
  end.request(HEAD).reset(ErrorCode.CANCEL);
  const stream = end.request(HEAD);
  end.request(HEAD);
  assertEquals(connection.canOpen, false);
  assertThrows(() => end.request(HEAD), Error, "Cannot open stream");
  end.receive(settings([3, 0]));
  stream.reset(ErrorCode.CANCEL);
  assertEquals(connection.streamsLeft, 0);
  end.receive(settings([3, 10]));
  assertEquals(connection.streamsLeft, 9);
});

Deno.test("Http2Connection.canOpen is false when there are no identifiers left", () => {
  const end = client();
  const state = new ConnectionState({ role: "client" }, end);
  state.nextId = 0x7fff_ffff - 2;
  assertEquals(state.idsLeft, 2);
  state.openCount++;
  assertEquals(state.idsLeft, 1, "one waits for its identifier");
  state.nextId = 0x7fff_ffff + 2;
  state.openCount = 0;
  assertEquals(state.idsLeft, 0);
});

Deno.test("Http2Connection() stops and goes on when INITIAL_WINDOW_SIZE changes", () => {
  const end = client();
  const stream = end.request(HEAD);
  stream.sendData(bytes(60_000), false);
  end.frames();
  // https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2-5
  end.receive(settings([4, 16_384]), windowUpdate(0, 1 << 20));
  stream.sendData(bytes(10, "y"), true);
  assertEquals(end.frames(), ["SETTINGS ACK"]);
  end.receive(windowUpdate(1, 60_000 - 16_384));
  assertEquals(end.frames(), []);
  end.receive(windowUpdate(1, 3));
  assertEquals(end.frames(), ["DATA 1 yyy"]);
  end.receive(settings([4, 16_385]));
  assertEquals(end.frames(), ["SETTINGS ACK", "DATA 1 y"]);
  end.receive(settings([4, 65_535]));
  assertEquals(end.frames(), ["SETTINGS ACK", "DATA 1 yyyyyy END"]);
});

Deno.test("Http2Connection() announces output once, until it is taken", () => {
  const { client, server } = connectedEnds();
  assertEquals(client.announced, 0);
  const stream = client.request(HEAD);
  stream.sendData(bytes(3), false);
  client.connection.ping(bytes(8));
  assertEquals(client.announced, 1);
  for (let batches = 1; batches <= 3; batches++) {
    client.connection.takeOutput();
    client.connection.ping(bytes(8));
    assertEquals(client.announced, batches + 1);
  }
  client.connection.takeOutput();
  client.connection.ping(bytes(8));
  assertEquals(client.announced, 4, "enough batches are being written");
  assertEquals(client.connection.takeOutput(), []);
  client.connection.outputWritten();
  assertEquals(client.announced, 5);
  exchange(client, server);
});
