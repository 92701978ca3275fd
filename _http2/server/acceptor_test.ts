import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { type ByteStream, NO_SINK } from "../../_call/byte_stream.ts";
import { HeaderBlock } from "../../_wire/header_block.ts";
import { Configuration } from "../../core/config.ts";
import {
  FrameType,
  RawConnection,
  requestFields,
} from "../../_testdata/raw_h2.ts";
import { anyBudget } from "../../_testdata/account.ts";
import { soon, turns, until } from "../../_testdata/waiting.ts";
import { Acceptor } from "./acceptor.ts";
import { nodeEngine } from "../node/engine.ts";
import { systemClock } from "../system_clock.ts";

const TRAILERS_ONLY = new HeaderBlock([
  ...[":status", "200", "grpc-status", "0"],
]);

/** An acceptor that keeps the streams that clients opened. */
function makeAcceptor() {
  const streams: ByteStream[] = [];
  const peers: string[] = [];
  const acceptor = new Acceptor({
    config: new Configuration().forServer(),
    clock: systemClock,
    engine: nodeEngine,
    budget: anyBudget(),
    onStream: (stream, _raw, peer) => {
      streams.push(stream);
      peers.push(`${peer}`);
      return NO_SINK;
    },
  });
  const listen = async (port = 0) => {
    const address = await acceptor.listen({ host: "127.0.0.1", port });
    assert("port" in address);
    return address;
  };
  return {
    acceptor,
    streams,
    peers,
    listen,
    async [Symbol.asyncDispose]() {
      acceptor.stop();
      acceptor.linger();
      await soon(acceptor.closed, "the acceptor to close");
    },
  };
}

Deno.test("Acceptor.listen() tells where it listens", async () => {
  await using made = makeAcceptor();
  const { hostname, port } = await made.listen();
  assertEquals(hostname, "127.0.0.1");
  using _client = await RawConnection.open(port);
});

Deno.test("Acceptor.listen() rejects when the port is in use, and can be called again", async () => {
  await using first = makeAcceptor();
  const { port } = await first.listen();
  await using second = makeAcceptor();
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(
      () => second.listen(port),
      Error,
      `Cannot listen on 127.0.0.1, port ${port}: `,
    );
    assertStringIncludes(error.message, "EADDRINUSE");
  }
  const other = await second.listen();
  using _client = await RawConnection.open(other.port);
});

Deno.test("Acceptor.counts tells of the connections and streams there are", async () => {
  await using made = makeAcceptor();
  const { acceptor, streams } = made;
  const { port } = await made.listen();
  assertEquals(acceptor.counts, { connections: 0, streams: 0, refused: 0 });
  using first = await RawConnection.open(port);
  using second = await RawConnection.open(port);
  for (const streamId of [1, 3]) {
    await first.headers(streamId, requestFields("/a/b"));
  }
  await until(() => streams.length === 2, "two streams are open");
  await second.headers(1, requestFields("/a/b"));
  await until(() => streams.length === 3, "all streams are open");
  assertEquals(acceptor.counts, { connections: 2, streams: 3, refused: 0 });
  assertEquals(new Set(made.peers).size, 2);
  // One is reset by the client, one with its connection, one is answered.
  await first.rstStream(1, 8);
  await until(() => acceptor.counts.streams === 2, "one stream is gone");
  second.close();
  await until(() => acceptor.counts.connections === 1, "one client is gone");
  assertEquals(acceptor.counts.streams, 1);
  streams[1]!.sendHead(TRAILERS_ONLY, true);
  await until(() => acceptor.counts.streams === 0, "the last stream is gone");
  assertEquals(acceptor.counts, { connections: 1, streams: 0, refused: 0 });
});

Deno.test("Acceptor.stop() is enough when it never listened", async () => {
  const { acceptor } = makeAcceptor();
  acceptor.stop();
  await soon(acceptor.closed);
});

Deno.test("Acceptor.stop() gives the port back when it is called while listening begins", async () => {
  const { acceptor, listen } = makeAcceptor();
  const listening = listen();
  acceptor.stop();
  const { port } = await listening;
  await soon(acceptor.closed);
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});

Deno.test("Acceptor.stop() is enough when listening then fails", async () => {
  await using first = makeAcceptor();
  const { port } = await first.listen();
  const { acceptor, listen } = makeAcceptor();
  const listening = listen(port);
  acceptor.stop();
  await assertRejects(() => listening);
  await soon(acceptor.closed);
});

Deno.test("Acceptor.stop() waits for streams, and refuses new connections", async () => {
  await using made = makeAcceptor();
  const { acceptor, streams } = made;
  const { port } = await made.listen();
  using client = await RawConnection.open(port);
  await client.headers(1, requestFields("/a/b"), { end: true });
  await until(() => streams.length === 1, "the stream is open");
  acceptor.stop();
  let closed = false;
  const closing = acceptor.closed.then(() => closed = true);
  await turns(20);
  assertEquals(closed, false);
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
  streams[0]!.sendHead(TRAILERS_ONLY, true);
  const { fields } = await client.nextOf(FrameType.HEADERS);
  assertEquals(fields, [[":status", "200"], ["grpc-status", "0"]]);
  client.close();
  await soon(closing);
  assertEquals(acceptor.counts, { connections: 0, streams: 0, refused: 0 });
});

Deno.test("Acceptor.linger() ends connections whose clients stay", async () => {
  const { acceptor, listen, streams } = makeAcceptor();
  const { port } = await listen();
  using client = await RawConnection.open(port);
  await client.headers(1, requestFields("/a/b"));
  await until(() => streams.length === 1, "the stream is open");
  acceptor.stop();
  acceptor.linger();
  await soon(acceptor.closed);
  await client.end();
});
