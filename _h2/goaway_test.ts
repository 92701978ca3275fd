import { assertEquals } from "@std/assert";
import { connectedEnds, EngineEnd, exchange } from "../_testdata/engine_end.ts";
import {
  CLIENT_HELLO,
  data,
  goaway,
  headers,
  ping,
  REQUEST,
  REQUEST_WORDS,
} from "../_testdata/frame_words.ts";
import { Flag, frame, FrameType } from "../_testdata/raw_frames.ts";
import { ErrorCode } from "./mod.ts";

const HEAD = REQUEST.flat();
const OK = [":status", "200"];

Deno.test("Http2Connection.shutdownNotice() tells when the peer knows, and goaway() the last stream", () => {
  const { client, server } = connectedEnds();
  const first = client.request(HEAD);
  exchange(client, server);
  server.connection.shutdownNotice();
  server.connection.ping(new Uint8Array(8));
  const crossing = client.request(HEAD);
  const notice = server.take();
  client.receive(notice);
  assertEquals(client.told(), ["goaway 2147483647 NO_ERROR", "ping", "ping"]);
  assertEquals(client.connection.canOpen, false);
  assertEquals(client.connection.isGoawayReceived, true);
  exchange(client, server);
  assertEquals(server.told().slice(-3), [
    `request 3 ${REQUEST_WORDS}`,
    "notice ack",
    "ping ack",
  ]);
  server.connection.goaway(ErrorCode.NO_ERROR, "bye");
  for (const id of [1, 3]) server.streams.get(id)!.sendHeaders(OK, [], true);
  exchange(client, server);
  assertEquals(client.told(), [
    "goaway 3 NO_ERROR bye",
    "headers 1 :status=200 end",
    "headers 3 :status=200 end",
  ]);
  assertEquals([first.isClosed, crossing.isClosed], [false, false]);
  assertEquals(client.connection.streamCount, 2);
});

Deno.test("Http2Connection.goaway() never names a larger stream than before", () => {
  const end = new EngineEnd({ role: "server" });
  end.receive(...CLIENT_HELLO, headers(1, REQUEST));
  end.connection.goaway(ErrorCode.NO_ERROR, "");
  end.connection.shutdownNotice();
  end.frames();
  end.receive(headers(5, REQUEST));
  end.connection.closeError(ErrorCode.INTERNAL_ERROR, "");
  assertEquals(end.frames(), ["GOAWAY 1 INTERNAL_ERROR"]);
});

Deno.test("Http2Connection.goaway() ignores later streams, but for what they change", () => {
  const end = new EngineEnd({ role: "server" });
  end.receive(...CLIENT_HELLO, headers(1, REQUEST));
  end.connection.goaway(ErrorCode.NO_ERROR, "");
  end.frames();
  end.told();
  // A field that enters the table, on a stream that is ignored.
  const indexed = [0x40, 1, 0x61, 1, 0x62];
  end.receive(
    frame(
      FrameType.HEADERS,
      { flags: Flag.END_HEADERS, streamId: 3 },
      Uint8Array.from(indexed),
    ),
  );
  for (let i = 0; i < 80; i++) end.receive(data(3, new Uint8Array(1000)));
  end.receive(data(3, "", { end: true }));
  // The trailers of the first are the field of the table.
  end.receive(
    frame(
      FrameType.HEADERS,
      { flags: Flag.END_HEADERS | Flag.END_STREAM, streamId: 1 },
      Uint8Array.of(0x80 | 62),
    ),
  );
  assertEquals(end.told(), ["end 1 a=b"]);
  assertEquals(end.frames().slice(0, 1), ["WINDOW_UPDATE 17000"]);
  assertEquals(end.connection.isOver, false);
});

Deno.test("Http2Connection() tells streams that a GOAWAY leaves out that they are unprocessed", () => {
  const { client, server } = connectedEnds();
  for (let i = 0; i < 4; i++) client.request(HEAD);
  // This one has not even been sent.
  client.request(HEAD).sendData(new Uint8Array(500_000), true);
  client.request(HEAD);
  client.connection.takeOutput();
  client.receive(goaway(3, 0, "bye"));
  assertEquals(client.told(), [
    "goaway 3 NO_ERROR bye",
    "close 5 goaway NO_ERROR unprocessed",
    "close 7 goaway NO_ERROR unprocessed",
    "close 9 goaway NO_ERROR unprocessed",
    "close 11 goaway NO_ERROR unprocessed",
  ]);
  client.receive(goaway(1));
  assertEquals(client.told(), [
    "goaway 1 NO_ERROR",
    "close 3 goaway NO_ERROR unprocessed",
  ]);
  assertEquals(client.connection.streamCount, 1);
  assertEquals(server.told(), []);
});

Deno.test("Http2Connection.closeError() ends all streams", () => {
  const { client, server } = connectedEnds();
  client.request(HEAD);
  exchange(client, server);
  server.connection.closeError(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings");
  server.connection.closeError(ErrorCode.INTERNAL_ERROR, "");
  assertEquals(server.told().slice(1), [
    "close 1 connection ENHANCE_YOUR_CALM",
  ]);
  assertEquals(server.connection.isOver, true);
  server.connection.ping(new Uint8Array(8));
  server.receive(ping());
  client.receive(server.take());
  assertEquals(client.told(), ["goaway 1 ENHANCE_YOUR_CALM too_many_pings"]);
});

Deno.test("Http2Connection.lose() ends all streams, and sends nothing", () => {
  const { client } = connectedEnds();
  client.request(HEAD);
  client.frames();
  const stream = client.request(HEAD);
  stream.sendData(new Uint8Array(200_000), true);
  client.connection.takeOutput();
  client.connection.lose("reset");
  client.connection.lose("closed");
  assertEquals(client.told(), [
    "close 1 connection NO_ERROR",
    "close 3 connection NO_ERROR",
  ]);
  assertEquals(client.connection.streamCount, 0);
  assertEquals(client.connection.queuedBytes, 0);
  client.connection.outputWritten();
  assertEquals(client.connection.takeOutput(), []);
});
