import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { connectedEnds, EngineEnd, exchange } from "../_testdata/engine_end.ts";
import {
  CLIENT_HELLO,
  data,
  goaway,
  headers,
  ping,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  rst,
  SERVER_HELLO,
  TRAILERS,
} from "../_testdata/frame_words.ts";
import { ErrorCode } from "./mod.ts";
import type { Http2Stream } from "./stream.ts";

const HEAD = REQUEST.flat();
const OK = RESPONSE.flat();
const OVER = TRAILERS.flat();
const TOLD_REQUEST = `request 1 ${REQUEST_WORDS}`;

Deno.test("Http2Connection() carries a call and forgets it", () => {
  const { client, server } = connectedEnds();
  server.on.end = (stream) => {
    stream.sendHeaders(OK, [], false);
    stream.sendData(new TextEncoder().encode("answer"), false);
    stream.sendTrailers(OVER, ["grpc-message", "fine"]);
  };
  const stream = client.request(HEAD);
  stream.sendData(new TextEncoder().encode("question"), true);
  exchange(client, server);
  assertEquals(server.told(), [
    ...[TOLD_REQUEST, "data 1 question", "end 1", "close 1 complete"],
  ]);
  assertEquals(client.told(), [
    ...["headers 1 :status=200", "data 1 answer"],
    ...["end 1 grpc-status=0 grpc-message=fine", "close 1 complete"],
  ]);
  for (const { connection } of [client, server]) {
    assertEquals(connection.streamCount, 0);
    assertEquals(connection.outputBytes, 0);
    assertEquals(connection.heldBytes, 0);
  }
});

Deno.test("Http2Connection() gives the same lists again when the same fields come again", () => {
  const { client, server } = connectedEnds();
  const lists = new Set<unknown>();
  const onStream = server.onStream.bind(server);
  server.onStream = (stream, fields, end) => {
    lists.add(fields);
    onStream(stream, fields, end);
  };
  for (let i = 0; i < 20; i++) {
    client.request(HEAD, true);
    exchange(client, server);
  }
  assert(lists.size < 5, `${lists.size} lists`);
});

Deno.test("Http2Connection() does not expect content when the request was HEAD", () => {
  const end = new EngineEnd({ role: "client" });
  end.receive(...SERVER_HELLO);
  const isAccepted = (method: string): boolean => {
    const stream = end.request([":method", method, ...HEAD.slice(2)], true);
    const fields = [...RESPONSE, ["content-length", "5"]] as const;
    end.receive(headers(stream.id, fields, { end: true }));
    return end.told().at(-1) === `close ${stream.id} complete`;
  };
  assertEquals(["HEAD", "GET", "HEAD"].map(isAccepted), [true, false, true]);
});

// Handlers may do anything.

/** A server with two streams, which hears more on the first of them. */
function twoStreams(): EngineEnd {
  const end = new EngineEnd({ role: "server" });
  end.receive(...CLIENT_HELLO, headers(1, REQUEST), headers(3, REQUEST));
  end.frames();
  end.told();
  return end;
}

/** What comes on the two streams, in one chunk. */
const CHUNK = Uint8Array.from([
  ...data(1, "ab"),
  ...data(3, "cd"),
  ...data(1, "ef"),
  ...headers(1, TRAILERS, { end: true }),
  ...data(3, "gh", { end: true }),
]);

Deno.test("Http2Stream.reset() is safe when it is called on data, for the stream or another", () => {
  for (const [victim, expected] of [[1, 3], [3, 1]] as const) {
    const end = twoStreams();
    end.on.data = () => end.streams.get(victim)!.reset(ErrorCode.CANCEL);
    end.receive(CHUNK);
    const told = end.told();
    assertEquals(
      told.filter((line) => !/^data/.test(line)),
      [expected === 1 ? "end 1 grpc-status=0" : "end 3"],
    );
    assertEquals(end.frames(), [`RST_STREAM ${victim} CANCEL`]);
    assertEquals(end.connection.heldBytes, 0);
  }
});

Deno.test("Http2Connection.closeError() is safe when it is called on any event", () => {
  for (const event of ["request", "data", "end", "close"]) {
    const end = twoStreams();
    end.on[event] = () =>
      end.connection.closeError(ErrorCode.INTERNAL_ERROR, "bug");
    end.receive(headers(5, REQUEST), CHUNK, rst(3, 8), ping());
    const told = end.told();
    const at = told.findIndex((line) => line.startsWith(event));
    assert(
      told.slice(at + 1).every((line) => line.startsWith("close")),
      told.join("\n"),
    );
    assertEquals(end.connection.isOver, true);
    assertEquals(end.connection.streamCount, 0);
    assert(end.frames().at(-1)!.startsWith("GOAWAY 5 INTERNAL_ERROR"));
  }
});

Deno.test("Http2Connection.lose() is safe when it is called on any event", () => {
  for (const event of ["request", "data", "end", "close"]) {
    const end = twoStreams();
    end.on[event] = () => end.connection.lose("gone");
    end.receive(headers(5, REQUEST), CHUNK, rst(3, 8), ping());
    assertEquals(end.connection.isOver, true);
    assertEquals(end.connection.streamCount, 0);
    const closes = end.told().filter((line) => line.startsWith("close"));
    assertEquals(closes.length, event === "request" ? 3 : closes.length);
    assertEquals(new Set(closes).size, closes.length, "each once");
  }
});

Deno.test("Http2Stream() can be answered within onStream, and is closed when that returns", () => {
  const end = new EngineEnd({ role: "server" });
  end.on.request = (stream) => {
    stream.sendHeaders(OK, [], false);
    stream.sendTrailers(OVER, []);
  };
  end.receive(...CLIENT_HELLO, headers(1, REQUEST, { end: true }));
  assertEquals(end.told().slice(1), [
    `${TOLD_REQUEST} end`,
    "close 1 complete",
  ]);
  assertEquals(end.connection.streamCount, 0);
});

Deno.test("Http2Stream.reset() within onStream refuses the stream", () => {
  const end = new EngineEnd({ role: "server" });
  end.on.request = (stream) => stream.reset(ErrorCode.REFUSED_STREAM);
  end.receive(...CLIENT_HELLO, headers(1, REQUEST), data(1, "x"));
  assertEquals(end.frames().at(-1), "RST_STREAM 1 REFUSED_STREAM");
  assertEquals(end.told().slice(1), [TOLD_REQUEST]);
});

Deno.test("Http2Stream.reset() within onEnd is the last of the stream, complete or not", () => {
  for (const answer of [true, false]) {
    const end = new EngineEnd({ role: "server" });
    end.on.end = (stream) => {
      if (answer) stream.sendHeaders(OK, [], true);
      end.told();
      stream.reset(ErrorCode.NO_ERROR);
    };
    end.receive(
      ...CLIENT_HELLO,
      headers(1, REQUEST),
      data(1, "x", { end: true }),
    );
    assertEquals(end.told(), []);
    assertEquals(end.connection.streamCount, 0);
  }
  const { client, server } = connectedEnds();
  server.on.request = (stream) => {
    stream.sendHeaders(OK, [], false);
    stream.sendTrailers(OVER, []);
  };
  client.on.end = (stream) => stream.reset(ErrorCode.CANCEL);
  client.request(HEAD, true);
  exchange(client, server);
  assertEquals(client.told(), ["headers 1 :status=200", "end 1 grpc-status=0"]);
});

Deno.test("Http2Connection.request() can be called when a stream ends, is closed, or is refused", () => {
  for (const event of ["end", "close", "headers"]) {
    const { client, server } = connectedEnds({
      server: { settings: { maxConcurrentStreams: 1 } },
    });
    server.on.request = (stream) => {
      stream.sendHeaders(OK, [], false);
      stream.sendTrailers(OVER, []);
    };
    let opened = 1;
    client.on[event] = () => {
      // What has ended does not count, though it is not told yet.
      assertEquals(client.connection.canOpen, event !== "headers");
      if (opened < 4 && client.connection.canOpen) {
        opened++;
        client.request(HEAD, true);
      }
    };
    client.request(HEAD, true);
    exchange(client, server);
    assertEquals(opened, event === "headers" ? 1 : 4);
    assertEquals(client.connection.streamCount, 0);
  }
});

Deno.test("Http2Connection() tells of streams that handlers open while others are ended by GOAWAY", () => {
  const { client } = connectedEnds();
  client.on.close = () => {
    assertEquals(client.connection.canOpen, false);
    for (const stream of client.streams.values()) stream.reset(8);
  };
  for (let i = 0; i < 3; i++) client.request(HEAD);
  client.receive(goaway(1));
  assertEquals(client.connection.streamCount, 0);
  assertEquals(client.told().filter((x) => x.startsWith("close")).length, 1);
});

Deno.test("Http2Stream.sendData() can be called when the stream drains", () => {
  const { client, server } = connectedEnds();
  const stream = client.request(HEAD);
  let rounds = 0;
  client.on.drain = () => {
    rounds++;
    while (rounds < 9 && stream.sendData(new Uint8Array(50_000), false));
    if (rounds === 9) stream.sendData(new Uint8Array(), true);
  };
  stream.sendData(new Uint8Array(200_000), false);
  exchange(client, server);
  assertEquals(rounds, 9);
  assertEquals(server.told().at(-1), "end 1");
});

Deno.test("Http2Connection.takeOutput() can be called when there is output, at any time", () => {
  const { client, server } = connectedEnds();
  const write = (from: EngineEnd, to: EngineEnd) => {
    let isWriting = false;
    return () => {
      // What comes of the pieces must not overtake them.
      if (isWriting) return;
      isWriting = true;
      for (;;) {
        const pieces = from.connection.takeOutput();
        if (pieces.length === 0) break;
        for (const piece of pieces.map((x) => x.slice())) to.receive(piece);
        from.connection.outputWritten();
      }
      isWriting = false;
    };
  };
  client.onOutput = write(client, server);
  server.onOutput = write(server, client);
  server.on.data = (stream) =>
    stream.isEnding || stream.sendHeaders(OK, [], true);
  for (let i = 0; i < 5; i++) {
    client.request(HEAD).sendData(new Uint8Array(100_000), true);
  }
  assertEquals(
    client.told().filter((x) => x.includes(":status=200 end")).length,
    5,
  );
  assertEquals(server.connection.streamCount, 0);
});

Deno.test("Http2Connection.receive() keeps the order when it is called within itself", () => {
  const end = twoStreams();
  let times = 0;
  end.on.data = () => {
    if (times++ === 0) end.receive(data(1, "later"));
  };
  end.receive(Uint8Array.from([...data(1, "first"), ...data(3, "second")]));
  assertEquals(end.told(), ["data 1 first", "data 3 second", "data 1 later"]);
});

Deno.test("Http2Connection.receive() throws what a handler throws, and ends the connection", () => {
  const end = twoStreams();
  end.on.data = () => {
    throw new Error("bug");
  };
  assertThrows(() => end.receive(CHUNK), Error, "bug");
  assertEquals(end.connection.isOver, true);
  assertEquals(end.frames(), ["GOAWAY 3 INTERNAL_ERROR"]);
  assertEquals(end.told().slice(-2).sort(), [
    "close 1 connection INTERNAL_ERROR",
    "close 3 connection INTERNAL_ERROR",
  ]);
});

Deno.test("Http2Connection() keeps no stream that is over", async () => {
  const { client, server } = connectedEnds();
  server.on.end = (stream) => {
    stream.sendHeaders(OK, [], false);
    stream.sendTrailers(OVER, []);
  };
  const gone: WeakRef<Http2Stream>[] = [];
  const call = (): void => {
    const stream = client.request(HEAD);
    stream.sendData(new Uint8Array(10), true);
    exchange(client, server);
    gone.push(new WeakRef(stream), new WeakRef(server.streams.get(stream.id)!));
  };
  for (let i = 0; i < 100; i++) call();
  client.streams.clear();
  server.streams.clear();
  // A weak reference holds its target until the end of the job.
  await new Promise((resolve) => setTimeout(resolve));
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  const alive = gone.filter((ref) => ref.deref() !== undefined).length;
  assertEquals(alive, 0);
  assertEquals(client.connection.isOver, false);
});
