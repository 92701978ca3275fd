/** What a client call sends, and what it makes of a good answer and of a lost one. */

import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import {
  closed,
  frameOf,
  OK_HEAD,
  textFrame,
} from "../../_testdata/fake_stream.ts";
import type { Codec } from "../../core/codec.ts";
import { Deadline } from "../../core/deadline.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { decodeTimeout } from "../../_wire/timeout.ts";

// --- the request

const HEAD_START = {
  ":method": "POST",
  ":scheme": "http",
  ":path": "/test.Test/Call",
  ":authority": "127.0.0.1:50051",
};
const HEAD_END = {
  "te": "trailers",
  "content-type": "application/grpc",
  "user-agent": "grpc-deno-grpclib/test",
};

Deno.test("ClientCall() sends the head and the message when a unary call is made", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({ value: "Ada" });
  const { stream } = channel;
  assertEquals(stream.log, ["head", "message Ada end"]);
  assertEquals(
    Object.entries(stream.head!),
    Object.entries({ ...HEAD_START, ...HEAD_END }),
  );
  stream.peerAnswers("Hello");
  assertEquals((await reply).value, "Hello");
  assertEquals(stream.log, ["head", "message Ada end"]);
});

Deno.test("ClientCall() sends the time that is left behind the reserved fields when there is a deadline", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({ value: "Ada" }, { timeoutMs: 100_000 });
  const fields = Object.entries(channel.stream.head!);
  const timeout = channel.stream.head!["grpc-timeout"] as string;
  assertEquals(
    fields,
    Object.entries({ ...HEAD_START, "grpc-timeout": timeout, ...HEAD_END }),
  );
  assertMatch(timeout, /^(100S|100000m|99\d{3}m)$/);
  channel.stream.peerAnswers("Hello");
  await reply;
});

Deno.test("ClientCall() sends the earlier time when there are a deadline and a timeout", async () => {
  const channel = new FakeChannel();
  const times: number[] = [];
  const pairs: [number, number][] = [[20_000, 90_000], [90_000, 20_000]];
  for (const [timeoutMs, ms] of pairs) {
    const deadline = Deadline.fromTimeout(ms);
    const reply = channel.unaryUnary({}, { timeoutMs, deadline });
    const text = channel.stream.head!["grpc-timeout"] as string;
    times.push(decodeTimeout(text)!);
    channel.stream.peerAnswers("Hello");
    await reply;
  }
  assertEquals(times.map((ms) => Math.ceil(ms / 1000) * 1000), [
    20_000,
    20_000,
  ]);
});

Deno.test("ClientCall() sends metadata behind everything else when there is some", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({}, {
    metadata: {
      "request-id": "7",
      "trace-bin": new Uint8Array([1, 2, 3, 4]),
      "tag": ["red", "blue"],
    },
  });
  assertEquals(
    Object.entries(channel.stream.head!),
    Object.entries({
      ...HEAD_START,
      ...HEAD_END,
      "request-id": "7",
      "trace-bin": "AQIDBA",
      "tag": ["red", "blue"],
    }),
  );
  channel.stream.peerAnswers("Hello");
  await reply;
});

Deno.test("ClientCall() fails and sends nothing when the header list is too large", async () => {
  const channel = new FakeChannel();
  const metadata = { "x": "a".repeat(65_536) };
  const error = await assertRejects(
    () => channel.unaryUnary({}, { metadata }),
    GRPCError,
    "Cannot send request: its header list of ",
  );
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertEquals(channel.stream.log, ["reset CANCEL"]);
});

Deno.test("ClientCall() fails and asks for no stream when the message is too large", async () => {
  const channel = new FakeChannel({ config: { maxSendMessageSize: 10 } });
  const error = await assertRejects(
    () => channel.unaryUnary({ value: "far too long" }),
    GRPCError,
  );
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertEquals(channel.source.streams, []);
  assertEquals(channel.source.waiting, []);
});

// --- the reply

Deno.test("ClientCall() keeps the error of the codec as the cause when a message cannot be decoded", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerHead();
  channel.stream.peerBytes(frameOf(new Uint8Array([0xff])));
  channel.stream.peerEnds({ "grpc-status": "0" });
  const error = await assertRejects(() => reply, GRPCError);
  assertInstanceOf(error.cause, Error);
});

for (
  const contentType of [
    "application/grpc",
    "application/grpc+proto",
    "Application/gRPC+Proto",
    "application/grpc; charset=utf-8",
    "application/grpc+proto;x=1",
  ]
) {
  Deno.test(`ClientCall() takes the reply when its content-type is ${contentType}`, async () => {
    const channel = new FakeChannel();
    const reply = channel.unaryUnary({});
    channel.stream.peerHead({ ":status": "200", "content-type": contentType });
    channel.stream.peerSends("Hello");
    channel.stream.peerEnds({ "grpc-status": "0" });
    assertEquals((await reply).value, "Hello");
  });
}

Deno.test("ClientCall() takes only its own content-type when the codec is not proto", async () => {
  const codec: Codec = {
    contentSubtype: "text",
    encode: (message) =>
      new TextEncoder().encode((message as { value: string }).value),
    decode: (bytes) => ({ value: new TextDecoder().decode(bytes) }),
  };
  for (const subtype of ["", "+proto", "+text"]) {
    const channel = new FakeChannel({ codec });
    const reply = channel.unaryUnary({ value: "Ada" });
    channel.stream.peerHead({
      ...OK_HEAD,
      "content-type": `application/grpc${subtype}`,
    });
    if (subtype === "+text") {
      channel.stream.peerBytes(frameOf(new TextEncoder().encode("Hello")));
      channel.stream.peerEnds({ "grpc-status": "0" });
      assertEquals((await reply).value, "Hello");
    } else {
      const error = await assertRejects(() => reply, GRPCError);
      assertEquals(error.status, Status.UNKNOWN);
    }
  }
});

Deno.test("ClientCall() fails with what ended the stream when it is reset after the head", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerHead();
  const cause = new Error("RST");
  channel.stream.close(closed(Status.INTERNAL, "Stream was reset", cause));
  const error = await assertRejects(() => reply, StreamTerminatedError);
  assertEquals(error.status, Status.INTERNAL);
  assertEquals(error.message, "Stream was reset");
  assertStrictEquals(error.cause, cause);
});

Deno.test("ClientCall() fails with what was tried when there is no connection", async () => {
  const cause = new Error("ECONNREFUSED");
  const channel = new FakeChannel();
  channel.source.refusal = closed(Status.UNAVAILABLE, "Cannot connect", cause);
  const error = await assertRejects(
    () => channel.unaryUnary({}),
    StreamTerminatedError,
    "Cannot connect",
  );
  assertEquals(error.status, Status.UNAVAILABLE);
  assertStrictEquals(error.cause, cause);
});

Deno.test("ClientCall() keeps the status when a reset follows the trailers", async () => {
  const reset = closed(Status.CANCELLED, "Stream was reset");
  for (const http of ["200", "404"]) {
    const channel = new FakeChannel();
    const reply = channel.unaryUnary({});
    const status = http === "200" ? { "grpc-status": "12" } : {};
    channel.stream.peerHead({ ...OK_HEAD, ":status": http, ...status }, true);
    channel.stream.close(reset);
    const error = await assertRejects(() => reply, GRPCError);
    assertEquals(error.status, Status.UNIMPLEMENTED);
  }
});

Deno.test("ClientCall() gives the message when the bytes come one by one", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerHead();
  for (const byte of textFrame("Hello")) {
    channel.stream.peerBytes(new Uint8Array([byte]));
    channel.stream.peerBytes(new Uint8Array());
  }
  channel.stream.peerEnds({ "grpc-status": "0" });
  assertEquals((await reply).value, "Hello");
});

Deno.test("ClientCall() does not pause the stream when a unary reply is large", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerAnswers("a".repeat(1_000_000));
  assertEquals((await reply).value.length, 1_000_000);
  assertEquals(channel.stream.log, ["head", "message end"]);
});

Deno.test("ClientCall() sees a second message when the first of a unary reply is large", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({});
  channel.stream.peerAnswers("a".repeat(1_000_000), "b");
  const error = await assertRejects(() => reply, GRPCError);
  assertEquals(error.status, Status.UNIMPLEMENTED);
});
