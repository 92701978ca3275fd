import { assert, assertEquals } from "@std/assert";
import { connectedEnds, EngineEnd, exchange } from "../_testdata/engine_end.ts";
import {
  CLIENT_HELLO,
  data,
  headers,
  ping,
  REQUEST,
  REQUEST_WORDS,
  rst,
  SETTINGS_ACK,
} from "../_testdata/frame_words.ts";
import { PREFACE } from "../_testdata/raw_frames.ts";
import { creditDue, ReceivePool } from "./flow_control.ts";
import { ErrorCode } from "./mod.ts";

const HEAD = REQUEST.flat();
const KB = new Uint8Array(1024);

/** A server that consumes nothing by itself. */
function server(
  windows: { stream?: number; connection?: number; held?: number } = {},
): EngineEnd {
  const { stream, connection, held } = windows;
  const end = new EngineEnd({
    role: "server",
    settings: stream === undefined ? {} : { initialWindowSize: stream },
    ...connection === undefined ? {} : { connectionWindowSize: connection },
    limits: held === undefined ? {} : { maxHeldBytes: held },
  });
  end.consumes = false;
  end.receive(...CLIENT_HELLO);
  end.frames();
  end.told();
  return end;
}

Deno.test("creditDue() gives nothing before it is worth a frame", () => {
  assertEquals(creditDue(100, 76, 25), 0);
  assertEquals(creditDue(100, 75, 25), 25);
  assertEquals(creditDue(100, -20, 25), 120);
  assertEquals(creditDue(0, 0, 0), 0);
  assertEquals(creditDue(1, 0, 0), 1);
  assertEquals(creditDue(10, 20, 0), 0);
});

Deno.test("ReceivePool.grant() keeps to the window while the pool has room", () => {
  const pool = new ReceivePool(100_000, 300_000);
  assertEquals(pool.grant(), 100_000 - 65_535);
  for (let i = 0; i < 3; i++) {
    assert(pool.receive(100_000));
    pool.hold(100_000);
    assertEquals(pool.grant(), i < 2 ? 100_000 : 0, `chunk ${i}`);
  }
  assertEquals(pool.left, 0);
  assertEquals(pool.receive(1), false);
  pool.release(20_000);
  assertEquals(pool.grant(), 0, "not worth a frame");
  pool.release(10_000);
  assertEquals(pool.grant(), 30_001);
});

Deno.test("Http2Stream.consume() gives credit back when a quarter is due", () => {
  const end = server();
  end.receive(headers(1, REQUEST));
  const stream = end.streams.get(1)!;
  for (let i = 0; i < 32; i++) end.receive(data(1, KB));
  // The pool has room for more than a window.
  assertEquals(end.frames(), ["WINDOW_UPDATE 16384", "WINDOW_UPDATE 16384"]);
  assertEquals(stream.heldBytes, 32 * 1024);
  stream.consume(16_383);
  assertEquals(end.frames(), ["WINDOW_UPDATE 1 16383"]);
  stream.consume(16_385);
  assertEquals(end.frames(), ["WINDOW_UPDATE 1 16385"]);
  assertEquals(end.connection.heldBytes, 0);
});

Deno.test("Http2Stream.consume() gives no credit on the stream after its end", () => {
  const end = server();
  end.receive(headers(1, REQUEST));
  for (let i = 0; i < 63; i++) end.receive(data(1, KB));
  end.frames();
  end.receive(data(1, KB.subarray(2), { end: true }));
  end.frames();
  end.streams.get(1)!.consume(1 << 20);
  assertEquals(end.frames(), []);
  assertEquals(end.connection.heldBytes, 0);
});

Deno.test("Http2Connection() takes all that a window allows, and not a byte more", () => {
  const end = server({ stream: 2048, connection: 1 << 20 });
  end.receive(headers(1, REQUEST), headers(3, REQUEST));
  end.receive(data(1, KB), data(1, KB), data(3, KB), data(1, ""));
  assertEquals(end.frames(), []);
  end.receive(data(1, "x"), data(3, "x"));
  assertEquals(end.frames(), ["RST_STREAM 1 FLOW_CONTROL_ERROR"]);
});

Deno.test("Http2Connection() counts padding, and gives it back at once", () => {
  const end = server({ stream: 1024, connection: 1 << 20 });
  end.receive(headers(1, REQUEST));
  end.receive(data(1, "x", { padding: 253 }));
  assertEquals(end.frames(), []);
  end.receive(data(1, "x", { padding: 253 }));
  assertEquals(end.frames(), ["WINDOW_UPDATE 1 508"]);
  assertEquals(end.streams.get(1)!.heldBytes, 2);
});

Deno.test("Http2Connection() ends when the peer sends beyond the window of the connection", () => {
  const end = server({ stream: 1 << 20, held: 65_535 });
  end.receive(headers(1, REQUEST));
  for (let i = 0; i < 63; i++) end.receive(data(1, KB));
  end.receive(data(1, KB.subarray(1)));
  assertEquals(end.connection.isOver, false);
  end.receive(data(1, "x"));
  assertEquals(end.frames(), ["GOAWAY 1 FLOW_CONTROL_ERROR"]);
});

Deno.test("Http2Connection() lets a peer use the default window until it knows the settings", () => {
  const end = new EngineEnd({
    role: "server",
    settings: { initialWindowSize: 100 },
  });
  end.consumes = false;
  const [, settings] = CLIENT_HELLO;
  end.receive(PREFACE, settings!, headers(1, REQUEST), data(1, KB));
  assertEquals(end.frames().at(-1), "SETTINGS ACK");
  end.receive(SETTINGS_ACK, headers(3, REQUEST), data(3, KB.subarray(0, 100)));
  assertEquals(end.frames(), [], "1 stays, 3 keeps to it");
  end.receive(data(3, "x"), data(1, "x"));
  assertEquals(end.frames(), [
    "RST_STREAM 3 FLOW_CONTROL_ERROR",
    "RST_STREAM 1 FLOW_CONTROL_ERROR",
  ]);
});

Deno.test("Http2Connection() gives credit back for what is dropped", () => {
  const end = server();
  const { connection } = end;
  end.receive(headers(1, REQUEST), headers(3, REQUEST), headers(5, REQUEST));
  for (const id of [1, 3, 5]) {
    for (let i = 0; i < 8; i++) end.receive(data(id, KB));
  }
  assertEquals(connection.heldBytes, 24 * 1024);
  end.streams.get(1)!.reset(ErrorCode.CANCEL);
  assertEquals(connection.heldBytes, 16 * 1024);
  end.receive(rst(3, 8));
  assertEquals(connection.heldBytes, 8 * 1024);
  end.streams.get(3)!.consume(5000);
  assertEquals(connection.heldBytes, 8 * 1024, "it is gone already");
  end.frames();
  // On the stream that was reset.
  for (let i = 0; i < 300; i++) end.receive(data(1, KB));
  assertEquals(connection.heldBytes, 8 * 1024);
  assertEquals(connection.isOver, false);
  assertEquals(end.frames()[0], "WINDOW_UPDATE 16384");
});

Deno.test("Http2Connection() drops the rest of a DATA frame when its stream is reset in it", () => {
  const end = server();
  end.receive(headers(1, REQUEST));
  end.on.data = (stream) => stream.reset(ErrorCode.CANCEL);
  const frame = data(1, "abcdefgh", { end: true });
  end.receive(frame.slice(0, 12), frame.slice(12), ping());
  assertEquals(end.told(), [
    `request 1 ${REQUEST_WORDS}`,
    "data 1 abc",
    "ping",
  ]);
  assertEquals(end.connection.heldBytes, 0);
});

Deno.test("Http2Connection() feeds other streams when some are stalled", () => {
  // Four streams hold their whole windows, which are as large as that of the
  // connection; a fifth goes on all the same.
  const { client, server } = connectedEnds({
    server: {
      settings: { initialWindowSize: 65_535, maxConcurrentStreams: 10 },
      limits: { maxHeldBytes: 8 * 65_535 },
    },
  });
  server.consumes = false;
  for (let i = 0; i < 4; i++) {
    client.request(HEAD).sendData(new Uint8Array(100_000), true);
  }
  exchange(client, server);
  assertEquals(server.connection.heldBytes, 4 * 65_535);
  const lively = client.request(HEAD);
  server.on.data = (stream) => {
    if (stream.id === lively.id) stream.consume(1 << 20);
  };
  for (let i = 0; i < 50; i++) {
    lively.sendData(new Uint8Array(30_000), i === 49);
    exchange(client, server);
  }
  assertEquals(lively.queuedBytes, 0);
  assertEquals(server.told().filter((line) => line.startsWith("end")), [
    `end ${lively.id}`,
  ]);
  assertEquals(client.connection.queuedBytes, 4 * (100_000 - 65_535));
});

Deno.test("Http2Connection() stops all streams when those that are stalled fill the pool", () => {
  const { client, server } = connectedEnds({
    server: {
      settings: { initialWindowSize: 1 << 20, maxConcurrentStreams: 10 },
      limits: { maxHeldBytes: 200_000 },
    },
  });
  server.consumes = false;
  const streams = [1, 2, 3].map(() => client.request(HEAD));
  for (const stream of streams) stream.sendData(new Uint8Array(150_000), true);
  exchange(client, server);
  const { heldBytes } = server.connection;
  assert(heldBytes <= 200_000 && heldBytes > 150_000, `${heldBytes} bytes`);
  for (let i = 0; i < 20; i++) {
    for (const { id } of streams) server.streams.get(id)!.consume(50_000);
    exchange(client, server);
    assert(server.connection.heldBytes <= 200_000);
  }
  assertEquals(client.connection.queuedBytes, 0);
  assertEquals(server.told().filter((x) => x.startsWith("end")).length, 3);
});

Deno.test("Http2Connection.holdCredit() gives no credit until it is taken back, and then all that is due", () => {
  const end = server();
  const { connection } = end;
  end.receive(headers(1, REQUEST), headers(3, REQUEST));
  connection.holdCredit(true);
  for (const id of [1, 3]) {
    for (let i = 0; i < 24; i++) end.receive(data(id, KB));
    end.streams.get(id)!.consume(24 * 1024);
  }
  assertEquals([connection.heldBytes, end.frames()], [0, []]);
  connection.holdCredit(false);
  assertEquals(end.frames(), [
    "WINDOW_UPDATE 49152",
    "WINDOW_UPDATE 1 24576",
    "WINDOW_UPDATE 3 24576",
  ]);
  end.receive(data(1, KB, { end: true }));
  connection.holdCredit(true);
  connection.holdCredit(false);
  assertEquals(end.frames(), []);
});
