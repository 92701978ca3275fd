/** Sessions of the library's own HTTP/2: what becomes of streams and sockets. */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { Socket } from "node:net";
import { ResetCode } from "../../_call/byte_stream.ts";
import { Status } from "../../core/status.ts";
import {
  connectedPair,
  LoggedOwner,
  LoggedSink,
  REQUEST,
  RESPONSE,
  TRAILERS,
} from "../../_testdata/native_pair.ts";
import { turns, until } from "../../_testdata/waiting.ts";
import type { Http2Connection } from "../../_h2/mod.ts";
import type { H2Stream } from "../engine.ts";
import { nativeEngine } from "./engine.ts";

type Pair = Awaited<ReturnType<typeof connectedPair>>;

/** A request, with its stream and call at both sides. */
async function open(pair: Pair, options: { readonly end?: boolean } = {}) {
  const { client, serverOwner } = pair;
  const caller = new LoggedSink();
  const handler = new LoggedSink();
  const accepted = Promise.withResolvers<H2Stream>();
  serverOwner.take = (stream) => {
    accepted.resolve(stream);
    return handler;
  };
  const request = client.open(caller);
  request.sendHead(REQUEST, options.end ?? false);
  const response = await accepted.promise;
  return { caller, handler, request, response };
}

async function close({ clientSocket, serverSocket }: Pair): Promise<void> {
  clientSocket.destroy();
  serverSocket.destroy();
  await turns(2);
}

Deno.test("NativeStream loses nothing of a reply that is complete before the request is, when its call reads late", async () => {
  const pair = await connectedPair();
  const { caller, request, response } = await open(pair);
  request.pause();
  response.sendHead(RESPONSE);
  response.send(new Uint8Array(10));
  response.send(new Uint8Array(20));
  response.sendTrailers(TRAILERS);
  await turns(5);
  // It wants no more of the request, which says so with RST_STREAM.
  assertEquals(caller.log, ["head", "stop", "stop over"]);
  assertEquals(request.account.heldBytes, 0);
  request.resume();
  assertEquals(caller.log.slice(3), ["data 30", "end grpc-status 0", "close"]);
  await close(pair);
});

Deno.test("NativeStream keeps a reply for a call that reads late, when the server does not reset the stream", async () => {
  const pair = await connectedPair();
  const { caller, request, response } = await open(pair);
  request.pause();
  response.sendHead(RESPONSE);
  response.send(new Uint8Array(10));
  response.send(new Uint8Array(0), true);
  await turns(5);
  assertEquals(caller.log.slice(0, 2), ["head", "stop"]);
  request.resume();
  assertEquals(caller.log.slice(2, 4), ["data 10", "end"]);
  await until(() => caller.isClosed, "the stream is closed");
  assertEquals(caller.why?.clean, true);
  await close(pair);
});

Deno.test("NativeStream does not tell a server's call that is broken off what it did not want yet", async () => {
  for (const how of ["reset", "loss"]) {
    const pair = await connectedPair();
    const { handler, request, response } = await open(pair);
    response.pause();
    request.send(new Uint8Array(10));
    request.send(new Uint8Array(20), true);
    await turns(5);
    if (how === "reset") request.reset(ResetCode.CANCEL);
    else pair.clientSocket.destroy();
    await until(() => handler.isClosed, "the stream is closed");
    assertEquals(handler.log.map((it) => it.split(" ")[0]), ["close"]);
    assertEquals(response.account.heldBytes, 0);
    await close(pair);
  }
});

Deno.test("NativeStream tells what waits in order and once when its call pauses and resumes while it is told", async () => {
  const pair = await connectedPair();
  const { caller, request, response } = await open(pair, { end: true });
  request.pause();
  response.sendHead(RESPONSE);
  for (let i = 1; i <= 5; i++) {
    response.send(new Uint8Array(i));
    await turns(1);
  }
  response.send(new Uint8Array(20_000));
  await turns(2);
  caller.on = (event) => {
    if (!event.startsWith("data")) return;
    request.pause();
    request.resume();
  };
  request.resume();
  response.sendTrailers(TRAILERS);
  await turns(2);
  assertEquals(caller.received, 20_015);
  assertEquals(caller.log.slice(-2), ["end grpc-status 0", "close"]);
  await close(pair);
});

Deno.test("NativeStream gives the connection its window back when nobody reads the replies, and they are complete", async () => {
  const size = 60_000;
  const pair = await connectedPair();
  // In all more than the connection may ever hold.
  const count = Math.ceil(80 * 1024 * 1024 / size);
  for (let i = 0; i < count; i++) {
    const { caller, request, response } = await open(pair, { end: true });
    request.pause();
    response.sendHead(RESPONSE);
    response.send(new Uint8Array(size));
    response.sendTrailers(TRAILERS);
    if (i % 50 !== 0) continue;
    const isOver = (): boolean => caller.log.at(-1) === "stop over";
    await until(isOver, `answer ${i} is complete`);
    request.resume();
    assertEquals(caller.received, size);
    assertEquals(caller.isClosed, true);
  }
  await close(pair);
});

Deno.test("NativeStream gives credit as its call takes what waits, not only for all of it", async () => {
  const pair = await connectedPair();
  const { caller, request, response } = await open(pair, { end: true });
  request.pause();
  response.sendHead(RESPONSE);
  const total = 500_000;
  response.send(new Uint8Array(total));
  await turns(5);
  assertEquals(caller.received, 0);
  // It takes one piece, and then no more for a while.
  caller.on = (event) => {
    if (event.startsWith("data")) request.pause();
  };
  const seen: number[] = [];
  while (caller.received < total) {
    request.resume();
    await turns(2);
    assertGreater(caller.received, seen.at(-1) ?? 0);
    seen.push(caller.received);
  }
  assertEquals(caller.received, total);
  await close(pair);
});

Deno.test("NativeServerSession ends after what its calls have sent is taken, however late", async () => {
  const pair = await connectedPair();
  const { caller, request, response } = await open(pair);
  const total = 200_000;
  request.pause();
  response.sendHead(RESPONSE);
  response.send(new Uint8Array(total));
  response.sendTrailers(TRAILERS);
  pair.server.close();
  await turns(10);
  assertEquals(pair.server.isOver, false);
  assertEquals(pair.server.streamCount, 1);
  caller.on = (event) => {
    if (event === "head") request.resume();
  };
  request.resume();
  await until(() => caller.isClosed, "the reply is complete");
  assertEquals(caller.received, total);
  assert(caller.log.includes("end grpc-status 0"));
  await until(() => pair.server.isOver, "the server's side ends");
  await close(pair);
});

Deno.test("NativeServerSession tells a call that was answered at once that it is over, once", async () => {
  const pair = await connectedPair();
  const handler = new LoggedSink();
  pair.serverOwner.take = (stream) => {
    stream.sendHead(RESPONSE, true);
    return handler;
  };
  const caller = new LoggedSink();
  pair.client.open(caller).sendHead(REQUEST, true);
  await until(() => caller.isClosed, "the reply is there");
  assertEquals(caller.log, ["head end", "close"]);
  assertEquals(handler.log, ["end", "close"]);
  await close(pair);
});

Deno.test("NativeSession tells each call its end once, and before its own, however it ends", async () => {
  for (const end of ["reset", "refused", "lost", "unsent", "idle"]) {
    const pair = await connectedPair();
    const { client, clientOwner, clientSocket, serverOwner } = pair;
    if (end === "refused") serverOwner.take = () => null;
    const caller = new LoggedSink();
    const stream = client.open(caller);
    if (end !== "idle") stream.sendHead(REQUEST);
    if (end !== "unsent") await turns(2);
    if (end === "reset") stream.reset(ResetCode.CANCEL);
    clientSocket.destroy();
    await until(() => clientOwner.log.includes("closed"), "it is closed");
    await turns(3);
    const { log } = clientOwner;
    assertEquals(
      [caller.log.filter((it) => it.startsWith("close")).length, log.at(-1)],
      [1, "closed"],
      end,
    );
    assertEquals(log.filter((it) => it === "stream closed").length, 1, end);
    const isUnsent = end === "unsent" || end === "idle";
    assertEquals(caller.why?.unsent ?? false, isUnsent, end);
    await close(pair);
  }
});

Deno.test("NativeClientSession does not send what it holds when the server has ended its side, and says that it was never sent", async () => {
  const pair = await connectedPair();
  const { client, clientSocket, serverSocket } = pair;
  const { written } = clientSocket;
  serverSocket.end();
  const caller = new LoggedSink();
  // In the turn in which it learns of the end, and before it does.
  clientSocket.prependListener("end", () => {
    client.open(caller).sendHead(REQUEST);
  });
  await turns(3);
  assertEquals(clientSocket.written, written);
  assertEquals(caller.why?.unprocessed, true);
  assertEquals(caller.why?.status, Status.UNAVAILABLE);
  await close(pair);
});

Deno.test("NativeSession.destroy() waits for what is being written, and not for the rest of the calls", async () => {
  const pair = await connectedPair();
  const { clientSocket, client, clientOwner, serverOwner } = pair;
  const { request, caller } = await open(pair);
  clientSocket.isHeld = true;
  request.send(new Uint8Array(1000));
  await turns(2);
  request.send(new Uint8Array(1000));
  client.destroy();
  assertEquals(caller.isClosed, true);
  assertEquals(client.isOver, true);
  await turns(2);
  assertEquals(clientSocket.writableEnded, false);
  clientSocket.release();
  await until(() => clientSocket.destroyed, "it is all written");
  await until(() => serverOwner.log.includes("goaway 0 0"), "GOAWAY is there");
  assertEquals(clientOwner.log.filter((it) => it === "stream closed"), [
    "stream closed",
  ]);
  await close(pair);
});

Deno.test("NativeSession gives up the connection, and not the process, when a call throws where it must not", async () => {
  const pair = await connectedPair();
  const { serverOwner } = pair;
  serverOwner.take = () => {
    throw new Error("That should not be");
  };
  const caller = new LoggedSink();
  pair.client.open(caller).sendHead(REQUEST, true);
  await until(() => caller.isClosed, "the call is over");
  assert(serverOwner.log.includes("error That should not be"));
  assert(pair.clientOwner.log.includes("goaway 1 2"));
  await close(pair);
});

Deno.test("NativeServerSession ends the connection of a client that makes it reset more streams a second than allowed", async () => {
  const pair = await connectedPair({ maxResetStreamsPerSecond: 20 });
  const { client, clientOwner, serverOwner } = pair;
  // Resets of its own are the policy's to count.
  for (let i = 0; i < 100; i++) {
    const stream = client.open(new LoggedSink());
    stream.sendHead(REQUEST);
    await turns(1);
    stream.reset(ResetCode.CANCEL);
  }
  await turns(2);
  assertEquals(clientOwner.log.some((it) => it.startsWith("goaway")), false);
  const malformed = REQUEST.shared.filter((_, i) => i > 1);
  const { HeaderBlock } = await import("../../_wire/headers.ts");
  for (let i = 0; i < 25; i++) {
    client.open(new LoggedSink()).sendHead(new HeaderBlock(malformed), true);
  }
  await until(() => client.isOver, "the connection is ended");
  assert(
    serverOwner.log.includes(
      "error HTTP/2 ENHANCE_YOUR_CALM: Peer sends too many resets",
    ),
    serverOwner.log.join(),
  );
  await close(pair);
});

Deno.test("NativeSession has its socket send at once what it is given", async () => {
  class Spied extends Socket {
    noDelay: boolean | undefined;
    override setNoDelay(noDelay?: boolean): this {
      this.noDelay = noDelay;
      return this;
    }
  }
  const socket = new Spied();
  nativeEngine.connect(socket, new LoggedOwner(), {
    ...{ streamWindowSize: 65_535, connectionWindowSize: 65_535 },
    ...{ maxHeaderListSize: 65_536, scheme: "http", authority: "test" },
  });
  socket.destroy();
  await turns(2);
  assertEquals(socket.noDelay, true);
});

Deno.test("NativeClientSession tells when it can open no more streams, and that nothing of the call was looked at", async () => {
  const pair = await connectedPair();
  const { client, clientOwner } = pair;
  const { h2 } = client as unknown as { h2: Http2Connection };
  // As if 2³⁰ streams had been before.
  Object.defineProperty(h2, "canOpen", { get: () => false });
  const caller = new LoggedSink();
  client.open(caller).sendHead(REQUEST);
  await until(() => caller.isClosed, "the call has no stream");
  assertEquals(caller.why?.unprocessed, true);
  assertEquals(clientOwner.log.filter((it) => it === "exhausted").length, 1);
  assertEquals(client.streamCount, 0);
  await close(pair);
});

Deno.test("NativeSession writes some of much output before the turn ends, in few writes and in order", async () => {
  const pair = await connectedPair();
  const { handler, request } = await open(pair);
  const received: number[] = [];
  handler.on = (_event, bytes) => received.push(...bytes ?? []);
  const { clientSocket } = pair;
  const writes: number[] = [];
  const write = clientSocket.write.bind(clientSocket);
  clientSocket.write = ((bytes: Uint8Array, ...rest: []) => {
    writes.push(bytes.length);
    return write(bytes, ...rest);
  }) as typeof clientSocket.write;
  const sent: number[] = [];
  for (let i = 0; i < 1000; i++) {
    const bytes = new Uint8Array(50).fill(i);
    sent.push(...bytes);
    request.send(bytes);
  }
  const early = writes.length;
  assert(early >= 1 && early <= 4, `${early} writes before the end`);
  assert(writes[0]! <= 4096, `${writes[0]} bytes before the peer has any`);
  await until(() => received.length === sent.length, "all has arrived");
  assertEquals(received, sent);
  assert(writes.length <= 12, `${writes.length} writes`);
  await close(pair);
});
