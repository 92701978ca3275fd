import {
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import { closed, OK_HEAD } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { Deadline } from "../../core/deadline.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

const KINDS = [
  "unaryUnary",
  "unaryStream",
  "streamUnary",
  "streamStream",
] as const;

const valuesOf = async (replies: AsyncIterable<StringValue>) =>
  (await Array.fromAsync(replies)).map(({ value }) => value);

/** Gives the first reply and leaves the others. */
async function firstOf(
  replies: AsyncIterable<StringValue>,
): Promise<string | null> {
  for await (const { value } of replies) return value;
  return null;
}

/** Makes a call of any kind with one request, and gives all replies. */
async function callAny(
  channel: FakeChannel,
  kind: typeof KINDS[number],
  options = {},
): Promise<string[]> {
  switch (kind) {
    case "unaryUnary":
      return [(await channel.unaryUnary({ value: "a" }, options)).value];
    case "unaryStream":
      return await valuesOf(channel.unaryStream({ value: "a" }, options));
    case "streamUnary":
      return [(await channel.streamUnary([{ value: "a" }], options)).value];
    case "streamStream":
      return await valuesOf(channel.streamStream([{ value: "a" }], options));
  }
}

Deno.test("makeMethod() tells path and cardinality when a method is of any kind", () => {
  const channel = new FakeChannel();
  assertEquals(
    KINDS.map((kind) => [channel[kind].path, channel[kind].cardinality]),
    [
      ["/test.Test/Call", "UNARY_UNARY"],
      ["/test.Test/Call", "UNARY_STREAM"],
      ["/test.Test/Call", "STREAM_UNARY"],
      ["/test.Test/Call", "STREAM_STREAM"],
    ],
  );
});

for (const kind of KINDS) {
  Deno.test(`makeMethod() makes a call when the kind is ${kind}`, async () => {
    const channel = new FakeChannel();
    const replies = callAny(channel, kind);
    await allTurns();
    assertEquals(channel.stream.log, ["head", "message a end"]);
    channel.stream.peerAnswers("x");
    assertEquals(await replies, ["x"]);
    assertEquals(channel.stream.log, ["head", "message a end"]);
  });

  Deno.test(`makeMethod() rejects with the status when the kind is ${kind} and only trailers follow the head`, async () => {
    const channel = new FakeChannel();
    const replies = callAny(channel, kind);
    await allTurns();
    channel.stream.peerHead();
    channel.stream.peerEnds({ "grpc-status": "7" });
    const error = await assertRejects(() => replies, GRPCError);
    assertEquals([error.status, error.message], [Status.PERMISSION_DENIED, ""]);
  });

  Deno.test(`makeMethod() rejects when the kind is ${kind} and there is no connection`, async () => {
    const channel = new FakeChannel();
    channel.source.ready = false;
    const replies = callAny(channel, kind);
    await allTurns();
    channel.source.refuse(closed(Status.UNAVAILABLE, "Cannot connect"));
    const error = await assertRejects(() => replies, GRPCError);
    assertEquals(error.status, Status.UNAVAILABLE);
    // Nor does anything else reject, which nobody would be there to see.
    await allTurns();
  });

  Deno.test(`makeMethod() sends nothing when the kind is ${kind} and an option is wrong`, async () => {
    const channel = new FakeChannel();
    const wrong: [Record<string, unknown>, new () => Error][] = [
      [{ timeoutMs: NaN }, RangeError],
      [{ timeoutMs: Infinity }, RangeError],
      [{ timeoutMs: "1" }, TypeError],
      [{ metadata: { "Tag": "a" } }, TypeError],
      [{ metadata: { "tag": "ä" } }, RangeError],
      [{ metadata: { "grpc-tag": "a" } }, TypeError],
    ];
    for (const [options, ErrorClass] of wrong) {
      await assertRejects(() => callAny(channel, kind, options), ErrorClass);
    }
    assertEquals(channel.source.streams, []);
  });

  Deno.test(`makeMethod() sends nothing when the kind is ${kind} and the request is of another type`, async () => {
    const channel = new FakeChannel();
    const wrong = ["a"] as unknown as StringValue[];
    const message = wrong[0]!;
    await assertRejects(
      async () => {
        switch (kind) {
          case "unaryUnary":
            return await channel.unaryUnary(message);
          case "unaryStream":
            return await valuesOf(channel.unaryStream(message));
          case "streamUnary":
            return await channel.streamUnary(wrong);
          case "streamStream":
            return await valuesOf(channel.streamStream(wrong));
        }
      },
      TypeError,
      "Message must be of type google.protobuf.StringValue",
    );
    assertEquals(channel.source.streams, []);
  });

  Deno.test(`makeMethod() takes null for no deadline when the kind is ${kind}`, async () => {
    const channel = new FakeChannel();
    const replies = callAny(channel, kind, { deadline: null });
    await allTurns();
    assertFalse("grpc-timeout" in channel.stream.head!);
    channel.stream.peerAnswers("x");
    assertEquals(await replies, ["x"]);
  });
}

Deno.test("makeMethod() tells the source whether a call waits for a connection when it is asked for a stream", async () => {
  const channel = new FakeChannel();
  channel.source.ready = false;
  const replies = [undefined, false, true].map((waitForReady) =>
    channel.unaryUnary({}, waitForReady === undefined ? {} : { waitForReady })
  );
  const { waiting } = channel.source;
  assertEquals(waiting.map((claim) => claim.waitForReady), [
    false,
    false,
    true,
  ]);
  while (waiting.length > 0) channel.source.open().peerAnswers("x");
  assertEquals((await Promise.all(replies)).length, 3);
});

// --- one reply

Deno.test("UnaryUnaryMethod() begins at once when it is called", async () => {
  const channel = new FakeChannel();
  const reply = channel.unaryUnary({ value: "a" });
  assertEquals(channel.stream.log, ["head", "message a end"]);
  channel.stream.peerAnswers("x");
  assertEquals((await reply).value, "x");
});

// --- many replies

Deno.test("UnaryStreamMethod() begins when the replies are asked for", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({ value: "a" });
  await allTurns();
  assertEquals(channel.source.streams, []);
  const iterator = replies[Symbol.asyncIterator]();
  await allTurns();
  assertEquals(channel.source.streams, []);
  const first = iterator.next();
  assertEquals(channel.stream.log, ["head", "message a end"]);
  channel.stream.peerAnswers("x");
  assertEquals((await first).value?.value, "x");
  assertEquals((await iterator.next()).done, true);
});

Deno.test("UnaryStreamMethod() gives no reply when there is none", async () => {
  for (const onlyTrailers of [true, false]) {
    const channel = new FakeChannel();
    const replies = valuesOf(channel.unaryStream({}));
    if (onlyTrailers) {
      channel.stream.peerHead({ ...OK_HEAD, "grpc-status": "0" }, true);
    } else channel.stream.peerAnswers();
    assertEquals(await replies, []);
  }
});

Deno.test("UnaryStreamMethod() gives the replies and then the error when the status is bad", async () => {
  const channel = new FakeChannel();
  const values: string[] = [];
  const loop = (async () => {
    for await (const { value } of channel.unaryStream({})) values.push(value);
  })();
  channel.stream.peerHead();
  channel.stream.peerSends("x", "y");
  channel.stream.peerEnds({ "grpc-status": "10" });
  const error = await assertRejects(() => loop, GRPCError);
  assertEquals(error.status, Status.ABORTED);
  assertEquals(values, ["x", "y"]);
});

Deno.test("UnaryStreamMethod() throws when its replies are iterated twice", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({});
  const values = valuesOf(replies);
  const error = assertThrows(
    () => replies[Symbol.asyncIterator](),
    ProtocolError,
  );
  assertEquals(
    error.message,
    "The replies of a call can be iterated only once",
  );
  channel.stream.peerAnswers("x");
  assertEquals(await values, ["x"]);
});

Deno.test("UnaryStreamMethod() cancels the call when the iteration is left", async () => {
  const channel = new FakeChannel();
  const loop = firstOf(channel.unaryStream({}));
  channel.stream.peerHead();
  channel.stream.peerSends("x", "y");
  assertEquals(await loop, "x");
  assertEquals(channel.stream.log, ["head", "message end", "reset CANCEL"]);
});

Deno.test("UnaryStreamMethod() gives nothing more when the iteration goes on after it was left", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({})[Symbol.asyncIterator]();
  const first = replies.next();
  channel.stream.peerHead();
  channel.stream.peerSends("x", "y");
  await first;
  await replies.return?.();
  assertEquals(await replies.next(), { done: true, value: undefined });
  assertEquals(channel.stream.log.at(-1), "reset CANCEL");
});

Deno.test("UnaryStreamMethod() begins no call when the iteration goes on that was left before it began", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({})[Symbol.asyncIterator]();
  await replies.return?.();
  assertEquals(await replies.next(), { done: true, value: undefined });
  assertEquals(channel.source.streams, []);
});

Deno.test("UnaryStreamMethod() does nothing when the iteration is left before it began", async () => {
  const channel = new FakeChannel();
  await channel.unaryStream({})[Symbol.asyncIterator]().return?.();
  assertEquals(channel.source.streams, []);
});

Deno.test("UnaryStreamMethod() leaves a complete call alone when the iteration is left", async () => {
  const channel = new FakeChannel();
  const loop = firstOf(channel.unaryStream({}));
  channel.stream.peerAnswers("x", "y");
  assertEquals(await loop, "x");
  assertEquals(channel.stream.log, ["head", "message end"]);
});

Deno.test("UnaryStreamMethod() counts its time from the call when the iteration begins later", async () => {
  const channel = new FakeChannel();
  const replies = channel.unaryStream({}, { deadline: new Deadline(0) });
  const error = await assertRejects(() => valuesOf(replies), GRPCError);
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertStrictEquals(channel.source.streams.length, 0);
});
