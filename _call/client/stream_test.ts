import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { OK_HEAD } from "../../_testdata/fake_stream.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { ClientStream } from "./stream.ts";
import type { Many } from "../many.ts";

type One = ClientStream<StringValue, StringValue>;
type All = ClientStream<Many<StringValue>, Many<StringValue>>;

/** What is done in a case: with a stream of unary messages, or with one of many. */
interface Misuse {
  readonly when: string;
  readonly kind: "unaryUnary" | "streamStream";
  /** What is allowed. */
  readonly before?: (stream: One) => Promise<unknown>;
  /** What is not. */
  readonly then: (stream: One) => Promise<unknown>;
  readonly message: string;
}

const MISUSES: readonly Misuse[] = [
  {
    when: "sendRequest() is called twice",
    kind: "unaryUnary",
    before: (stream) => stream.sendRequest(),
    then: (stream) => stream.sendRequest(),
    message: "Request is already sent",
  },
  {
    when: "sendRequest() is called after a message",
    kind: "streamStream",
    before: (stream) => stream.sendMessage({}),
    then: (stream) => stream.sendRequest(),
    message: "Request is already sent",
  },
  {
    when: "sendRequest() is to end a unary request",
    kind: "unaryUnary",
    then: (stream) => stream.sendRequest({ end: true }),
    message:
      "Unary request requires a message to be sent before ending outgoing stream",
  },
  {
    when: "a second message is sent in a unary request",
    kind: "unaryUnary",
    before: (stream) => stream.sendMessage({}),
    then: (stream) => stream.sendMessage({}),
    message: "Message was already sent",
  },
  {
    when: "a message is sent after the last one",
    kind: "streamStream",
    before: (stream) => stream.sendMessage({}, { end: true }),
    then: (stream) => stream.sendMessage({}),
    message: "Stream is ended",
  },
  {
    when: "a message is sent after end()",
    kind: "streamStream",
    before: async (stream) => {
      await stream.sendRequest();
      await stream.end();
    },
    then: (stream) => stream.sendMessage({}),
    message: "Stream is ended",
  },
  {
    when: "a message is sent after a request without any",
    kind: "streamStream",
    before: (stream) => stream.sendRequest({ end: true }),
    then: (stream) => stream.sendMessage({}),
    message: "Stream is ended",
  },
  {
    when: "end() is called before the request",
    kind: "streamStream",
    then: (stream) => stream.end(),
    message: "Request was not sent",
  },
  {
    when: "end() is called before the message of a unary request",
    kind: "unaryUnary",
    before: (stream) => stream.sendRequest(),
    then: (stream) => stream.end(),
    message: "Unary request requires a single message to be sent",
  },
  {
    when: "end() is called twice",
    kind: "streamStream",
    before: async (stream) => {
      await stream.sendRequest();
      await stream.end();
    },
    then: (stream) => stream.end(),
    message: "Stream was already ended",
  },
  {
    when: "end() is called twice for a unary request",
    kind: "unaryUnary",
    before: async (stream) => {
      await stream.sendMessage({});
      await stream.end();
    },
    then: (stream) => stream.end(),
    message: "Stream was already ended",
  },
  {
    when: "end() is called after the last message was sent as such",
    kind: "unaryUnary",
    before: (stream) => stream.sendMessage({}, { end: true }),
    then: (stream) => stream.end(),
    message: "Stream was already ended",
  },
  {
    when: "recvInitialMetadata() is called before the request",
    kind: "unaryUnary",
    then: (stream) => stream.recvInitialMetadata(),
    message: "Request was not sent yet",
  },
  {
    when: "recvInitialMetadata() is called twice",
    kind: "unaryUnary",
    before: async (stream) => {
      await stream.sendMessage({});
      stream.recvInitialMetadata().catch(() => {});
    },
    then: (stream) => stream.recvInitialMetadata(),
    message: "Initial metadata was already received",
  },
  {
    when: "recvInitialMetadata() is called after recvMessage()",
    kind: "streamStream",
    before: async (stream) => {
      await stream.sendMessage({});
      stream.recvMessage().catch(() => {});
    },
    then: (stream) => stream.recvInitialMetadata(),
    message: "Initial metadata was already received",
  },
  {
    when: "recvInitialMetadata() is called after the iteration began",
    kind: "streamStream",
    before: async (stream) => {
      await stream.sendMessage({});
      stream[Symbol.asyncIterator]().next().catch(() => {});
    },
    then: (stream) => stream.recvInitialMetadata(),
    message: "Initial metadata was already received",
  },
  {
    when: "recvMessage() is called before the request",
    kind: "unaryUnary",
    then: (stream) => stream.recvMessage(),
    message: "Request was not sent yet",
  },
  {
    when: "the iteration begins before the request",
    kind: "streamStream",
    then: (stream) => Array.fromAsync(stream),
    message: "Request was not sent yet",
  },
  {
    when: "recvTrailingMetadata() is called before the request",
    kind: "unaryUnary",
    then: (stream) => stream.recvTrailingMetadata(),
    message: "Outgoing stream was not ended",
  },
  {
    when: "recvTrailingMetadata() is called before the end of the requests",
    kind: "streamStream",
    before: (stream) => stream.sendMessage({}),
    then: (stream) => stream.recvTrailingMetadata(),
    message: "Outgoing stream was not ended",
  },
  {
    when: "recvTrailingMetadata() is called twice",
    kind: "unaryUnary",
    before: async (stream) => {
      await stream.sendMessage({});
      stream.recvTrailingMetadata().catch(() => {});
    },
    then: (stream) => stream.recvTrailingMetadata(),
    message: "Trailing metadata was already received",
  },
  {
    when: "cancel() is called before the request",
    kind: "unaryUnary",
    then: async (stream) => await stream.cancel(),
    message: "Request was not sent yet",
  },
  {
    when: "cancel() is called twice",
    kind: "unaryUnary",
    before: async (stream) => {
      await stream.sendRequest();
      stream.cancel();
    },
    then: async (stream) => await stream.cancel(),
    message: "Stream was already cancelled",
  },
];

for (const { when, kind, before, then, message } of MISUSES) {
  Deno.test(`ClientStream() rejects with a ProtocolError when ${when}`, async () => {
    const channel = new FakeChannel();
    await using stream = channel[kind].open() as One;
    await before?.(stream);
    const log = channel.source.streams.flatMap(({ log }) => log);
    const error = await assertRejects(() => then(stream), ProtocolError);
    assertEquals(error.message, message);
    // Nothing came of it.
    assertEquals(channel.source.streams.flatMap(({ log }) => log), log);
  });
}

// --- step by step

Deno.test("ClientStream() makes a unary call when every step is asked for", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  await stream.sendRequest();
  await stream.sendMessage({ value: "Ada" });
  await stream.end();
  const { log } = channel.stream;
  assertEquals(log, ["head", "message Ada end"]);

  channel.stream.peerHead();
  await stream.recvInitialMetadata();
  const message = stream.recvMessage();
  channel.stream.peerSends("Hello");
  channel.stream.peerEnds({ "grpc-status": "0" });
  // Typed without null, as there is exactly one.
  const { value }: StringValue = await message;
  assertEquals(value, "Hello");
  await stream.recvTrailingMetadata();
  assertEquals(log, ["head", "message Ada end"]);
});

Deno.test("ClientStream() does nothing on the network when it is opened and left", async () => {
  const channel = new FakeChannel();
  {
    await using stream = channel.unaryUnary.open({ timeoutMs: 100_000 });
    assertEquals(stream.peer, null);
  }
  assertEquals(channel.source.streams, []);
  assertEquals(channel.source.waiting, []);
});

Deno.test("ClientStream() throws when the options are wrong", () => {
  const channel = new FakeChannel();
  assertThrows(() => channel.unaryUnary.open({ timeoutMs: NaN }), RangeError);
  assertThrows(
    () => channel.unaryUnary.open({ metadata: { "Tag": "a" } }),
    TypeError,
  );
  assertThrows(
    () => channel.unaryUnary.open({ metadata: { "te": "a" } }),
    TypeError,
  );
});

Deno.test("ClientStream.sendMessage() sends nothing when the message is of another type", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  const wrong = "Ada" as unknown as StringValue;
  await assertRejects(() => stream.sendMessage(wrong), TypeError);
  assertEquals(channel.source.streams, []);
  await stream.sendMessage({ value: "Ada" });
  assertEquals(channel.stream.log, ["head", "message Ada end"]);
});

Deno.test("ClientStream.sendRequest() ends the stream with the head when there is no message", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  await stream.sendRequest({ end: true });
  assertEquals(channel.stream.log, ["head end"]);
  channel.stream.peerAnswers("Hello");
  assertEquals((await stream.recvMessage()).value, "Hello");
});

Deno.test("ClientStream.recvMessage() waits for the status when the reply is unary", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  await stream.sendMessage({});
  const message = stream.recvMessage();
  channel.stream.peerHead();
  channel.stream.peerSends("Hello");
  channel.stream.peerEnds({ "grpc-status": "10" });
  const error = await assertRejects(() => message, GRPCError);
  assertEquals(error.status, Status.ABORTED);
});

Deno.test("ClientStream.recvMessage() gives null at the end when there are many replies", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerAnswers("a", "b");
  const messages: (StringValue | null)[] = [];
  for (let i = 0; i < 4; i++) messages.push(await stream.recvMessage());
  assertEquals(messages.map((m) => m?.value ?? null), ["a", "b", null, null]);
});

Deno.test("ClientStream.recvInitialMetadata() resolves when the head comes, before any message", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  const head = stream.recvInitialMetadata();
  channel.stream.peerHead({ ...OK_HEAD, "tag": "red" });
  await head;
  assertEquals(stream.initialMetadata!.get("tag"), "red");
});

Deno.test("ClientStream.recvInitialMetadata() rejects when the reply is only a bad status", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryStream.open();
  await stream.sendMessage({});
  channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "12" }, true);
  const error = await assertRejects(
    () => stream.recvInitialMetadata(),
    GRPCError,
  );
  assertEquals(error.status, Status.UNIMPLEMENTED);
});

for (const asked of ["before", "after"]) {
  Deno.test(`ClientStream.recvInitialMetadata() resolves when it is asked ${asked} a reply that is only OK`, async () => {
    const channel = new FakeChannel();
    await using stream: All = channel.streamStream.open();
    await stream.sendRequest({ end: true });
    const early = asked === "before" ? stream.recvInitialMetadata() : null;
    channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "0" }, true);
    await (early ?? stream.recvInitialMetadata());
    assertEquals(await stream.recvMessage(), null);
    await stream.recvTrailingMetadata();
    assertEquals(channel.stream.log, ["head end"]);
  });
}

Deno.test("ClientStream.recvTrailingMetadata() rejects with the status when the requests were not ended", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  await stream.sendMessage({});
  channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "7" }, true);
  const error = await assertRejects(
    () => stream.recvTrailingMetadata(),
    GRPCError,
  );
  assertEquals(error.status, Status.PERMISSION_DENIED);
});

Deno.test("ClientStream.recvTrailingMetadata() resolves when the server ended before the requests", async () => {
  const channel = new FakeChannel();
  await using stream = channel.streamUnary.open();
  await stream.sendMessage({});
  channel.stream.peerAnswers("Hello");
  await stream.recvTrailingMetadata();
});

Deno.test("ClientStream.sendMessage() rejects with the status when the call failed after the last message", async () => {
  const channel = new FakeChannel();
  await using stream = channel.unaryUnary.open();
  await stream.sendMessage({});
  channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "14" }, true);
  const error = await assertRejects(() => stream.sendMessage({}), GRPCError);
  assertEquals(error.status, Status.UNAVAILABLE);
});
