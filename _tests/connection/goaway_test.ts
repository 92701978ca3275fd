// GOAWAY, stream by stream: what the server has not looked at is retried transparently, what
// it has goes on, and nothing is sent twice.

import { fromBinary } from "@bufbuild/protobuf";
import { assertEquals, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import net from "node:net";
import { Duplex } from "node:stream";
import { setImmediate } from "node:timers";
import { turns as readTurns } from "../../_turns.ts";
import {
  Channel,
  type ChannelOptions,
  createStub,
  Status,
} from "../../client.ts";
import { Echo, EchoRequestSchema } from "../../_testdata/gen/echo_pb.ts";
import {
  assertFails,
  type EchoStub,
  replyWell,
  shakeHands,
} from "../../_testdata/raw_replies.ts";
import {
  Flag,
  frame,
  FrameType,
  type RawConnection,
  RawServer,
  RESPONSE_HEAD,
  uint32,
  uint32At,
} from "../../_testdata/raw_h2.ts";
import { assertCancelled } from "../../_testdata/waiters.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";
import { untilState } from "../../_testdata/watch_states.ts";
import { VirtualClock } from "../../testing/mod.ts";

const ALL = 2 ** 31 - 1;
const REFUSED_STREAM = 7;

/** Answers all requests well, however their frames are mixed. */
async function goOnWell(connection: RawConnection): Promise<void> {
  for (;;) {
    const [streamId] = await take(connection, 1);
    await replyWell(connection, streamId!);
  }
}

/** Plays the first connection as a test says, and the others well. */
function playFirst(
  first: (connection: RawConnection) => Promise<void>,
): RawServer {
  return new RawServer(async (connection, index) => {
    await shakeHands(connection);
    await (index === 0 ? first : goOnWell)(connection);
  });
}

function connect(port: number, options: ChannelOptions = {}) {
  const channel = new Channel("127.0.0.1", port, options);
  const stub = createStub(Echo, channel);
  return {
    channel,
    stub,
    calls: (count: number): Promise<string>[] =>
      Array.from({ length: count }, () => textOf(stub)),
    [Symbol.asyncDispose]: () => channel.close(),
  };
}

async function textOf(stub: EchoStub): Promise<string> {
  return (await stub.unary({})).text;
}

/** Takes whole requests until there are so many; gives their streams. */
async function take(
  connection: RawConnection,
  count: number,
): Promise<number[]> {
  const streamIds = [];
  while (streamIds.length < count) {
    const { flags, streamId } = await connection.nextOf(FrameType.DATA);
    if (flags & Flag.END_STREAM) streamIds.push(streamId);
  }
  return streamIds;
}

/** What ends a chunk of an `EndingSocket`. */
const MARK = new Uint8Array(8).fill(0xee);

/**
 * A socket as `net.Socket` on Deno is: its end is told though it is paused, if
 * nothing is left in its own buffer, a write after it is an error, and it closes
 * some time after its error. From `hold()` on it gives all as one chunk that comes before a PING of `MARK`, or
 * before the end.
 */
class EndingSocket extends Duplex {
  readonly #socket: net.Socket;
  #held: Buffer | null = null;

  constructor(port: number) {
    super({ allowHalfOpen: false, emitClose: false });
    this.once("end", () => {
      this.write = () => {
        const message = "This socket has been ended by the other party";
        this.destroy(Object.assign(new Error(message), { code: "EPIPE" }));
        return false;
      };
    });
    this.#socket = net.connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => {
      if (this.#held === null) return void this.push(chunk);
      this.#held = Buffer.concat([this.#held, chunk]);
      if (!this.#held.subarray(-MARK.length).equals(MARK)) return;
      this.push(this.#held);
      this.#held = null;
    });
    this.#socket.on("end", () => {
      // It is somebody else's turn: what comes now has to wait for its own.
      readTurns.wait({ party: {}, takeTurn() {} });
      this.push(this.#held);
      this.push(null);
      this.read(0);
    });
  }

  hold(): void {
    this.#held = Buffer.alloc(0);
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _: string, onDone: () => void): void {
    this.#socket.write(chunk, onDone);
  }

  override _final(onDone: () => void): void {
    this.#socket.end(onDone);
  }

  override _destroy(error: Error | null, onDone: (e: Error | null) => void) {
    this.#socket.destroy();
    onDone(error);
    setImmediate(() => this.emit("close", error !== null));
  }
}

Deno.test("Channel loses no reply that came with GOAWAY and the end of the socket", async () => {
  const COUNT = 100;
  const sockets: EndingSocket[] = [];
  await using server = playFirst(async (connection) => {
    const ping = frame(FrameType.PING, {}, MARK);
    for (const isLast of [false, true]) {
      const streamIds = await take(connection, COUNT);
      sockets[0]!.hold();
      // What replies to it is written when the socket has ended.
      if (isLast) await connection.write(ping);
      for (const streamId of streamIds) await replyWell(connection, streamId);
      if (!isLast) await connection.write(ping);
      else await connection.goaway(streamIds.at(-1)!, 0);
    }
    await connection.closeWrite();
    await connection.end();
  });
  await using channel = new Channel("127.0.0.1", server.port, {
    connect: () => {
      const socket = new EndingSocket(server.port);
      sockets.push(socket);
      return socket;
    },
  });
  const stub = createStub(Echo, channel);
  const callAll = () =>
    soon(Promise.all(Array.from({ length: COUNT }, () => textOf(stub))));
  // The first chunk takes long, so that the second is read in parts.
  const { now } = performance;
  let skewMs = 0;
  performance.now = () => now.call(performance) + (skewMs += 20);
  try {
    await callAll();
  } finally {
    performance.now = now;
  }
  await callAll();
  assertEquals(sockets.length, 1);
});

for (const code of [0, 2]) {
  Deno.test(`Channel retries transparently what is above the last stream of GOAWAY ${code}`, async () => {
    let above = 0;
    await using server = new RawServer(async (connection, index) => {
      await shakeHands(connection);
      if (index === 0) {
        const streamIds = await take(connection, 5);
        assertEquals(streamIds, [1, 3, 5, 7, 9]);
        await connection.goaway(3, code);
        if (code === 0) {
          await replyWell(connection, 1);
          await replyWell(connection, 3);
        }
        return await connection.end();
      }
      for (;;) {
        const [streamId] = await take(connection, 1);
        above++;
        await replyWell(connection, streamId!);
      }
    });
    await using client = connect(server.port);
    const calls = client.calls(5);
    const results = await soon(Promise.allSettled(calls));
    const [looked, not] = code === 0
      ? ["fulfilled", "fulfilled"]
      : ["rejected", "fulfilled"];
    assertEquals(
      results.map(({ status }) => status),
      [looked, looked, not, not, not],
    );
    assertEquals(above, 3);
    assertEquals(server.accepted, 2);
  });
}

Deno.test("Channel opens no stream on a connection from the instant that GOAWAY arrives", async () => {
  const answer = Promise.withResolvers<void>();
  let late = 0;
  await using server = playFirst(async (connection) => {
    const [streamId] = await take(connection, 1);
    await connection.goaway(ALL, 0);
    const more = (async () => {
      for (;;) {
        await connection.nextOf(FrameType.HEADERS);
        late++;
      }
    })();
    more.catch(() => {});
    await answer.promise;
    await replyWell(connection, streamId!);
    await more.catch(() => {});
  });
  await using client = connect(server.port);
  const [first] = client.calls(1);
  await untilState(client.channel, "READY");
  await untilState(client.channel, "IDLE");
  assertEquals(
    await soon(Promise.all(client.calls(20))),
    Array(20).fill("hello"),
  );
  assertEquals([late, server.accepted], [0, 2]);
  answer.resolve();
  assertEquals(await soon(first!), "hello");
  assertEquals(late, 0);
});

Deno.test("Channel retries transparently what is above the second GOAWAY of two", async () => {
  await using server = playFirst(async (connection) => {
    await take(connection, 3);
    await connection.goaway(ALL, 0);
    await connection.headers(1, RESPONSE_HEAD);
    await turns(5);
    await connection.goaway(1, 0);
    await turns(5);
    await replyWell(connection, 1).catch(() => {});
    await connection.end();
  });
  await using client = connect(server.port);
  const calls = client.calls(3);
  const settled = Promise.allSettled(calls); // whatever comes of the first
  assertEquals(await soon(Promise.all(calls.slice(1))), ["hello", "hello"]);
  assertEquals(server.accepted, 2);
  await soon(settled);
});

Deno.test("Channel retries transparently, once, what was not on its way when GOAWAY came", async () => {
  // The first connection sends a GOAWAY after one request.
  const count = 5;
  await using server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index > 0) return await goOnWell(connection);
    const { streamId } = await connection.request();
    await connection.goaway(streamId, 0);
    await replyWell(connection, streamId);
    await connection.end();
    connection.close();
  });
  await using client = connect(server.port);
  assertEquals(
    await soon(Promise.all(client.calls(count))),
    Array(count).fill("hello"),
  );
  assertEquals(server.accepted, 2);
});

Deno.test("Channel retries a call transparently as often as GOAWAY comes before its HEADERS leave", async () => {
  await using server = new RawServer(async (connection, index) => {
    await connection.acceptPreface();
    // In one piece: the requests that waited for the SETTINGS are made when the
    // GOAWAY is read, and nghttp2 does not send them any more. They could be
    // sent, and the native engine does so: this GOAWAY refuses none.
    await connection.write(
      frame(FrameType.SETTINGS, {}, new Uint8Array()),
      ...index < 4 ? [frame(FrameType.GOAWAY, {}, uint32(ALL, 0))] : [],
    );
    await goOnWell(connection);
  });
  await using client = connect(server.port);
  assertEquals(
    await soon(Promise.all(client.calls(3))),
    Array(3).fill("hello"),
  );
});

Deno.test("Channel retries a call transparently that began when the socket had ended", async () => {
  await using server = playFirst(async (connection) => {
    // No GOAWAY: only the client knows that nothing was sent.
    await connection.closeWrite();
    await connection.end();
  });
  const reply = Promise.withResolvers<string>();
  let count = 0;
  await using channel = new Channel("127.0.0.1", server.port, {
    connect: () => {
      const socket = net.connect(server.port, "127.0.0.1");
      // Before the channel knows of it.
      if (count++ === 0) socket.on("end", () => reply.resolve(textOf(stub)));
      return socket;
    },
  });
  const stub = createStub(Echo, channel);
  channel.connect();
  assertEquals(await soon(reply.promise), "hello");
  assertEquals(count, 2);
});

Deno.test("Channel retries a call with all its messages, and goes on with it", async () => {
  const texts: string[] = [];
  await using server = new RawServer(async (connection, index) => {
    await shakeHands(connection);
    if (index === 0) {
      const head = await connection.nextOf(FrameType.HEADERS);
      await connection.nextOf(FrameType.DATA);
      await connection.rstStream(head.streamId, REFUSED_STREAM);
    }
    const { streamId } = await connection.nextOf(FrameType.HEADERS);
    let bytes: number[] = [];
    for (let flags = 0; !(flags & Flag.END_STREAM);) {
      const data = await connection.nextOf(FrameType.DATA, streamId);
      flags = data.flags;
      bytes.push(...data.payload);
      while (bytes.length >= 5) {
        const end = 5 + uint32At(Uint8Array.from(bytes), 1);
        if (bytes.length < end) break;
        const message = Uint8Array.from(bytes.slice(5, end));
        texts.push(fromBinary(EchoRequestSchema, message).text);
        bytes = bytes.slice(end);
      }
    }
    await replyWell(connection, streamId);
    await connection.end();
  });
  await using client = connect(server.port);
  await using stream = client.stub.clientStream.open();
  await stream.sendMessage({ text: "a" });
  await stream.sendMessage({ text: "b" });
  await turns(20);
  await stream.sendMessage({ text: "c" }, { end: true });
  assertEquals((await soon(stream.recvMessage())).text, "hello");
  assertEquals(texts, ["a", "b", "c"]);
  assertEquals(server.accepted, 1);
});

Deno.test("Channel does not retry a call transparently whose head has come, or that has sent more than 1 MiB", async () => {
  let requests = 0;
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([4, ALL]);
    await connection.windowUpdate(0, ALL - 65_535);
    for (;;) {
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      requests++;
      if (requests === 1) {
        await connection.headers(streamId, RESPONSE_HEAD);
      } else {
        for (let got = 0; got < 3_000_000;) {
          const { payload } = await connection.nextOf(FrameType.DATA, streamId);
          got += payload.length;
        }
      }
      await connection.rstStream(streamId, REFUSED_STREAM);
    }
  });
  await using client = connect(server.port);
  await assertFails(() => client.stub.unary({}), Status.UNAVAILABLE);
  assertEquals(requests, 1);
  const send = async (): Promise<void> => {
    await using stream = client.stub.clientStream.open();
    const payload = new Uint8Array(500_000);
    for (let i = 0; i < 7; i++) await stream.sendMessage({ payload });
    await stream.end();
    await stream.recvMessage();
  };
  await assertFails(send, Status.UNAVAILABLE);
  assertEquals(requests, 2);
});

Deno.test("Channel ends a call that is to be retried transparently at its deadline, or when it is cancelled", async () => {
  let requests = 0;
  await using server = new RawServer(async (connection, index) => {
    await connection.acceptPreface();
    // Every other connection says nothing.
    if (index % 2 > 0) return;
    await connection.settings();
    await connection.request();
    requests++;
    await connection.goaway(0, 0);
    await connection.end();
  });
  {
    const clock = new VirtualClock();
    await using client = connect(server.port, { clock });
    const late = client.stub.unary({}, { timeoutMs: 100 });
    const failed = assertFails(() => late, Status.DEADLINE_EXCEEDED);
    await until(() => server.accepted === 2, "it is retried transparently");
    await clock.advance(100);
    await failed;
  }
  await using client = connect(server.port);
  const controller = new AbortController();
  const call = client.stub.unary({}, { signal: controller.signal });
  await until(() => server.accepted === 4, "it is retried transparently");
  controller.abort();
  await assertCancelled(() => call);
  assertEquals(requests, 2);
});

Deno.test("Channel tells of GOAWAY with an error to the calls that it ends", async () => {
  await using server = playFirst(async (connection) => {
    await take(connection, 1);
    await connection.goaway(1, 2);
    await connection.end();
  });
  await using client = connect(server.port);
  const [call] = client.calls(1);
  const { message } = await assertFails(() => call!, Status.UNAVAILABLE);
  assertMatch(message, /GOAWAY INTERNAL_ERROR/);
  assertEquals(await soon(textOf(client.stub)), "hello");
});

Deno.test("Channel retries a call transparently that was refused right before the connection ended", async () => {
  await using server = playFirst(async (connection) => {
    const [streamId] = await take(connection, 1);
    await connection.write(
      frame(
        FrameType.RST_STREAM,
        { streamId: streamId! },
        uint32(REFUSED_STREAM),
      ),
      frame(FrameType.GOAWAY, {}, uint32(streamId!, 0)),
    );
    connection.close();
  });
  await using client = connect(server.port);
  assertEquals(await soon(textOf(client.stub)), "hello");
  assertEquals(server.accepted, 2);
});
