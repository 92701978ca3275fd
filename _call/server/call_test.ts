/** What a server call makes of the bytes of its requests. */

import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { type FakeHandlers, FakeServer } from "../../_testdata/fake_server.ts";
import {
  CLEAN,
  closed,
  type FakeStream,
  frameOf,
  textFrame,
} from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

const CONFIG = { config: { maxReceiveMessageSize: 1000 } };

interface Fault {
  readonly when: string;
  readonly send: (stream: FakeStream) => void;
  readonly status: Status;
  readonly message: string | RegExp;
}

/** What is wrong with the bytes, whatever the kind of the method. */
const BYTE_FAULTS: readonly Fault[] = [
  {
    when: "a message is larger than allowed",
    send: (stream) => stream.peerBytes(frameOf(new Uint8Array(1001))),
    status: Status.RESOURCE_EXHAUSTED,
    message: /^Received message is too large: 1001 bytes/,
  },
  {
    when: "a message says that it is larger than allowed",
    send: (stream) =>
      stream.peerBytes(new Uint8Array([0, 0xff, 0xff, 0xff, 0xff])),
    status: Status.RESOURCE_EXHAUSTED,
    message: /^Received message is too large: 4294967295 bytes/,
  },
  {
    when: "the flag of a message is neither 0 nor 1",
    send: (stream) => stream.peerBytes(frameOf(new Uint8Array(), 2)),
    status: Status.INTERNAL,
    message: /^Received message is malformed/,
  },
  {
    when: "the end comes in the middle of a message",
    send(stream) {
      stream.peerBytes(textFrame("Ada").subarray(0, 7));
      stream.peerEnds();
    },
    status: Status.INTERNAL,
    message: "The client ended the stream in the middle of a message",
  },
  {
    when: "the end comes in the middle of a prefix",
    send(stream) {
      stream.peerBytes(textFrame("Ada").subarray(0, 1));
      stream.peerEnds();
    },
    status: Status.INTERNAL,
    message: "The client ended the stream in the middle of a message",
  },
  {
    when: "a message is compressed",
    send(stream) {
      stream.peerBytes(frameOf(new Uint8Array(), 1));
      stream.peerEnds();
    },
    status: Status.INTERNAL,
    message: "Received a compressed message without a grpc-encoding header",
  },
  {
    when: "a message cannot be decoded",
    send(stream) {
      stream.peerBytes(frameOf(new Uint8Array([0xff])));
      stream.peerEnds();
    },
    status: Status.INTERNAL,
    message: "Cannot decode the request",
  },
];

/** What is wrong with the number of messages. */
const COUNT_FAULTS: readonly Fault[] = [
  {
    when: "there is no message",
    send: (stream) => stream.peerEnds(),
    status: Status.UNIMPLEMENTED,
    message: "Received no message for a method with a unary request",
  },
  {
    when: "there are two messages",
    send: (stream) => stream.peerSends("a", "b"),
    status: Status.UNIMPLEMENTED,
    message: "Received more than one message for a method with a unary request",
  },
];

function checkEnd(
  fields: FakeStream["head"],
  { status, message }: Fault,
): void {
  assertEquals(fields!["grpc-status"], `${status}`);
  const text = fields!["grpc-message"] as string;
  if (typeof message === "string") assertEquals(text, message);
  else assertMatch(text, message);
}

for (const fault of [...BYTE_FAULTS, ...COUNT_FAULTS]) {
  Deno.test(`ServerCall() refuses a unary request before its handler starts when ${fault.when}`, async () => {
    let called = false;
    const server = new FakeServer({ UNARY_UNARY: () => called = true }, CONFIG);
    const stream = server.open("UNARY_UNARY");
    fault.send(stream);
    await allTurns();
    assertEquals(stream.log, ["head end"]);
    checkEnd(stream.head, fault);
    assertFalse(called);
    assertEquals(server.counts, [1, 1]);
    // Whatever follows is not heard any more.
    stream.peerSends("c", "d");
    stream.peerBytes(frameOf(new Uint8Array(), 7));
    stream.peerEnds();
    stream.close(closed(Status.CANCELLED, "Stream was reset"));
    await allTurns();
    assertEquals(stream.log, ["head end"]);
    assertEquals(server.counts, [1, 1]);
    assertEquals(server.errors, []);
    assertFalse(called);
  });
}

for (const fault of BYTE_FAULTS) {
  Deno.test(`ServerCall() ends a streaming request while its handler runs when ${fault.when}`, async () => {
    const seen: unknown[] = [];
    const server = new FakeServer({
      async STREAM_STREAM(call) {
        call.signal.addEventListener("abort", () => {
          seen.push(call.signal.reason);
        });
        await call.sendInitialMetadata();
        try {
          for await (const { value } of call) seen.push(value);
        } catch (error) {
          seen.push(error);
          throw error;
        }
      },
    }, CONFIG);
    const stream = server.open("STREAM_STREAM");
    stream.peerSends("a");
    await allTurns();
    fault.send(stream);
    await allTurns();
    assertEquals(stream.log, ["head", "trailers"]);
    checkEnd(stream.trailers, fault);
    const [first, reason, thrown] = seen;
    assertEquals([first, seen.length], ["a", 3]);
    assertInstanceOf(thrown, GRPCError);
    assertStrictEquals(reason, thrown);
    assertEquals(thrown.status, fault.status);
    assertEquals(server.counts, [1, 1]);
    assertEquals(server.errors, []);
  });
}

Deno.test("ServerCall() drops what follows a bad message when all of it comes at once", async () => {
  const seen: unknown[] = [];
  const server = new FakeServer({
    async STREAM_STREAM(call) {
      for (let i = 0; i < 3; i++) {
        seen.push(await call.recvMessage().catch((error) => error));
      }
    },
  });
  const stream = server.open("STREAM_STREAM");
  await allTurns();
  const frames = [frameOf(new Uint8Array([0xff])), textFrame("b")];
  stream.peerBytes(new Uint8Array(frames.flatMap((frame) => [...frame])));
  await allTurns();
  assertInstanceOf(seen[0], GRPCError);
  assertEquals(seen, [seen[0], seen[0], seen[0]]);
  assertEquals(stream.log, ["head end"]);
});

Deno.test("ServerCall() keeps the error of the codec as the cause when a message cannot be decoded", async () => {
  let thrown: unknown;
  const server = new FakeServer({
    STREAM_STREAM: (call) => call.recvMessage().catch((e) => thrown = e),
  });
  const stream = server.open("STREAM_STREAM");
  stream.peerBytes(frameOf(new Uint8Array([0xff])));
  await allTurns();
  assertInstanceOf(thrown, GRPCError);
  assertInstanceOf(thrown.cause, Error);
  assertFalse(`${stream.head!["grpc-message"]}`.includes(thrown.cause.message));
});

// --- good requests

const KINDS = [
  "UNARY_UNARY",
  "UNARY_STREAM",
  "STREAM_UNARY",
  "STREAM_STREAM",
] as const;

for (const kind of KINDS) {
  Deno.test(`ServerCall() gives the messages when the kind is ${kind} and the bytes come one by one`, async () => {
    const seen: (string | null)[] = [];
    const handle = async (
      call: Parameters<FakeHandlers["STREAM_STREAM"]>[0],
    ) => {
      for (let i = 0; i < 3; i++) {
        seen.push((await call.recvMessage())?.value ?? null);
      }
      await call.sendMessage({ value: "x" });
    };
    const server = new FakeServer({ [kind]: handle });
    const stream = server.open(kind);
    const many = kind.startsWith("STREAM");
    for (const value of many ? ["a", "b"] : ["a"]) {
      for (const byte of textFrame(value)) {
        stream.peerBytes(new Uint8Array([byte]));
      }
    }
    stream.peerEnds();
    await allTurns();
    assertEquals(seen, many ? ["a", "b", null] : ["a", null, null]);
    assertEquals(stream.log, ["head", "message x", "trailers"]);
  });
}

Deno.test("ServerCall() does not pause the stream when a unary request is large", async () => {
  let length = 0;
  const server = new FakeServer({
    async UNARY_STREAM(call) {
      length = (await call.recvMessage()).value.length;
    },
  });
  const stream = server.request("UNARY_STREAM", ["a".repeat(1_000_000)]);
  await allTurns();
  assertEquals(length, 1_000_000);
  assertEquals(stream.log, ["head end"]);
});

Deno.test("ServerCall() pauses the stream when the handler takes no messages, and resumes it when it does", async () => {
  const gate = Promise.withResolvers<void>();
  let count = 0;
  const server = new FakeServer({
    async STREAM_UNARY(call) {
      await gate.promise;
      for await (const _ of call) count++;
      await call.sendMessage({ value: `${count}` });
    },
  });
  const stream = server.open("STREAM_UNARY");
  const large = "a".repeat(50_000);
  stream.peerSends(large, large, large, large);
  stream.peerEnds();
  assertEquals(stream.log, ["pause"]);
  gate.resolve();
  await allTurns();
  assertEquals(stream.log, [
    "pause",
    "resume",
    "head",
    "message 4",
    "trailers",
  ]);
});

Deno.test("ServerCall() lets the handler read on when it has answered", async () => {
  const values: string[] = [];
  let ended: StringValue | null | undefined;
  const server = new FakeServer({
    async STREAM_UNARY(call) {
      await call.sendMessage({ value: "Early" });
      await call.sendTrailingMetadata();
      for await (const { value } of call) values.push(value);
      ended = await call.recvMessage();
    },
  });
  const stream = server.open("STREAM_UNARY");
  await allTurns();
  assertEquals(stream.log, ["head", "message Early", "trailers"]);
  assertEquals(server.counts, [1, 0]);
  stream.peerSends("a", "b");
  stream.peerEnds();
  await allTurns();
  assertEquals([values, ended], [["a", "b"], null]);
  assertEquals(server.counts, [1, 1]);
});

Deno.test("ServerCall() rejects reads but does not abort when the stream is gone after the reply", async () => {
  let thrown: unknown;
  let aborted: boolean | undefined;
  const server = new FakeServer({
    async STREAM_UNARY(call) {
      await call.sendMessage({ value: "Early" });
      await call.sendTrailingMetadata();
      await call.recvMessage().catch((error) => thrown = error);
      aborted = call.signal.aborted;
    },
  });
  const stream = server.open("STREAM_UNARY");
  await allTurns();
  stream.close(closed(Status.CANCELLED, "Stream was reset"));
  await allTurns();
  assertInstanceOf(thrown, GRPCError);
  assertEquals(aborted, false);
  assertEquals(server.counts, [1, 1]);
  assertEquals(server.errors, []);
});

Deno.test("ServerCall() says nothing to a handler when its stream is closed behind a good answer", async () => {
  const server = new FakeServer({
    UNARY_UNARY: (call) => call.sendMessage({ value: "Hi" }),
  });
  const stream = server.request("UNARY_UNARY", ["Ada"]);
  await allTurns();
  stream.close(CLEAN);
  assertEquals(server.call.aborted, undefined);
  assertFalse(server.call.signal.aborted);
});

// --- waiting

Deno.test("ServerCall.sendMessage() waits until there is room when the stream is full", async () => {
  const sent: string[] = [];
  const server = new FakeServer({
    async UNARY_STREAM(call) {
      for (const value of ["a", "b", "c"]) {
        await call.sendMessage({ value });
        sent.push(value);
      }
    },
  });
  const stream = server.open("UNARY_STREAM");
  stream.full = true;
  stream.peerSends("Ada");
  stream.peerEnds();
  await allTurns();
  assertEquals([sent, stream.log], [[], ["head", "message a"]]);
  stream.drain();
  await allTurns();
  assertEquals(sent, ["a", "b", "c"]);
  assertEquals(stream.log.at(-1), "trailers");
});

Deno.test("ServerCall() hears no second head when there is one", () => {
  const server = new FakeServer({ UNARY_UNARY: () => {} });
  const stream = server.open("UNARY_UNARY");
  stream.sink!.onHead([":status", "200"], true);
  assertEquals(stream.log, []);
  assert(server.call.aborted === undefined);
});
