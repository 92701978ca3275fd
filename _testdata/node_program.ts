/**
 * A client and a server on one HTTP/2 engine, for a runtime that is not Deno:
 * a call of each kind, over TCP and in memory, metadata, a failure, a cancel and
 * a graceful close. It prints a line for each, and fails with an exit code.
 *
 * @module
 */

// A program that is run by a test speaks on the console.
// deno-lint-ignore-file no-console

import process from "node:process";
import {
  Channel,
  createService,
  createStub,
  GRPCError,
  Server,
  Status,
} from "../mod.ts";
import { ChannelFor } from "../testing/mod.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";
import { Echo } from "./gen/echo_pb.ts";

const engine = process.argv[2] as HTTP2Engine;

const service = createService(Echo, {
  unary({ text, payload }, { metadata }) {
    if (text === "fail") throw new GRPCError(Status.NOT_FOUND, "Not here");
    return { text: metadata.get("greeting") ?? text, payload };
  },
  async *serverStream({ text, count }) {
    for (let index = 0; index < count; index++) yield { text, index };
  },
  async clientStream(requests) {
    let text = "";
    for await (const request of requests) text += request.text;
    return { text };
  },
  async *bidi(requests) {
    for await (const { text } of requests) yield { text };
  },
});

/** Fails unless two values are the same as JSON. */
function check(what: string, found: unknown, expected: unknown): void {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`${what}: ${left} is not ${right}`);
  console.log(`ok ${what}`);
}

async function talk(channel: Channel): Promise<void> {
  const stub = createStub(Echo, channel);
  check("unary", (await stub.unary({ text: "a" })).text, "a");
  const metadata = { greeting: "hello" };
  const greeted = await stub.unary({ text: "a" }, { metadata });
  check("metadata", greeted.text, "hello");
  const payload = new Uint8Array(3_000_000).fill(7);
  const large = await stub.unary({ payload });
  check("megabytes", large.payload.every((byte) => byte === 7), true);
  check("their size", large.payload.length, payload.length);
  const many = await Promise.all(
    Array.from({ length: 500 }, (_, i) => stub.unary({ text: `${i}` })),
  );
  check("many at once", many.every(({ text }, i) => text === `${i}`), true);
  let replies = 0;
  for await (const _ of stub.serverStream({ count: 1000 })) replies++;
  check("server stream", replies, 1000);
  const joined = await stub.clientStream([{ text: "a" }, { text: "b" }]);
  check("client stream", joined.text, "ab");
  const texts: string[] = [];
  for await (const { text } of stub.bidi([{ text: "x" }, { text: "y" }])) {
    texts.push(text);
  }
  check("bidi", texts, ["x", "y"]);
  const failure = await stub.unary({ text: "fail" }).catch((error) => error);
  check("failure", [failure.status, failure.message.includes("Not here")], [
    Status.NOT_FOUND,
    true,
  ]);
  const stream = stub.bidi.open();
  await stream.sendMessage({ text: "z" });
  check("open", (await stream.recvMessage())?.text, "z");
  stream.cancel();
  const end = await stream.recvMessage().catch((error) => error);
  check("cancel", end instanceof Error, true);
}

const server = new Server([service], { http2: engine });
await server.start("127.0.0.1", 0);
const channel = new Channel("127.0.0.1", server.port!, { http2: engine });
await talk(channel);
await channel.close();
server.close();
await server.waitClosed();
const inMemory = new ChannelFor([service], { http2: engine });
await talk(inMemory);
await inMemory.close();
console.log(`done on ${engine}`);
