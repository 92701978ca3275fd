/** Metadata and statuses on their way through whole calls, both ways. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  GRPCError,
  Metadata,
  type MetadataInit,
  Status,
  statusName,
} from "../../client.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";

const BYTES = new Uint8Array([0, 1, 2, 250, 255]);

/** Metadata in all that it may come in, text and binary, single and repeated. */
const KINDS: Readonly<Record<string, readonly [MetadataInit, string[][]]>> = {
  "text": [{ "one": "1", "two": "2" }, [["one", "1"], ["two", "2"]]],
  "binary": [{ "raw-bin": BYTES }, [["raw-bin", "0,1,2,250,255"]]],
  "empty values": [
    { "text": "", "raw-bin": new Uint8Array() },
    [["text", ""], ["raw-bin", ""]],
  ],
  "repeated keys": [
    [["tag", "red"], ["tag", "blue"], ["t-bin", [BYTES, new Uint8Array([7])]]],
    [["tag", "red"], ["tag", "blue"], ["t-bin", "0,1,2,250,255"], [
      "t-bin",
      "7",
    ]],
  ],
  "a Map": [new Map([["one", ["1", "11"]]]), [["one", "1"], ["one", "11"]]],
  "a Metadata": [new Metadata({ "one": "1" }), [["one", "1"]]],
  "commas and spaces": [{ "list": "a, b,, c" }, [["list", "a, b,, c"]]],
  "every printable character": [
    { "all": "!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|} ~" },
    [["all", "!\"#$%&'()*+,-./09:;<=>?@AZ[\\]^_`az{|} ~"]],
  ],
  "nothing": [{}, []],
};

/** The pairs of metadata that a test put there, in order. */
function pairsOf(metadata: Metadata | null): string[][] {
  return [...metadata ?? []].map(([key, value]) => [key, `${value}`]);
}

for (const [name, [metadata, pairs]] of Object.entries(KINDS)) {
  Deno.test(`Metadata comes through as it was when a call carries ${name} both ways`, async () => {
    const received = Promise.withResolvers<Metadata>();
    await using echo = await startEcho({
      handlers: {
        async unary(stream) {
          received.resolve(stream.metadata);
          await stream.sendInitialMetadata({ metadata });
          await stream.sendMessage({});
          await stream.sendTrailingMetadata({ metadata });
        },
      },
    });
    await using stream = echo.stub.unary.open({ metadata });
    await stream.sendMessage({});
    await stream.recvMessage();
    assertEquals(pairsOf(await received.promise), pairs);
    assertEquals(pairsOf(stream.initialMetadata), pairs);
    assertEquals(pairsOf(stream.trailingMetadata), pairs);
  });
}

Deno.test("ServerStream.trailingMetadata is sent when the handler returns", async () => {
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        stream.trailingMetadata.set("cost", "7");
        await stream.sendMessage({});
        stream.trailingMetadata.append("cost", "8");
      },
    },
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  assertEquals((await Array.fromAsync(stream)).length, 1);
  assertEquals(stream.trailingMetadata?.getAll("cost"), ["7", "8"]);
});

Deno.test("ServerStream.trailingMetadata is sent when the handler throws a status", async () => {
  await using echo = await startEcho({
    handlers: {
      unary(stream) {
        stream.trailingMetadata.set("retry", "no");
        throw new GRPCError(Status.ABORTED, "Not now", {
          metadata: { "book": "978", "trace-bin": BYTES },
        });
      },
    },
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(
    pairsOf(error.metadata),
    [
      ["content-type", "application/grpc+proto"],
      ["retry", "no"],
      ["book", "978"],
      ["trace-bin", `${BYTES}`],
    ].slice(1),
  );
});

Deno.test("GRPCError.metadata has the trailing metadata when a call failed after its head", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendInitialMetadata({ metadata: { "initial": "true" } });
        throw new GRPCError(Status.PERMISSION_DENIED, "", {
          metadata: { "why": "because" },
        });
      },
    },
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvInitialMetadata();
  assertEquals(stream.initialMetadata?.get("initial"), "true");
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals(error.status, Status.PERMISSION_DENIED);
  assertEquals(error.message, "");
  assertEquals(error.metadata.get("why"), "because");
  assertEquals(stream.trailingMetadata?.get("why"), "because");
});

Deno.test("ClientStream.initialMetadata is empty when the reply was only trailers", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({ status: Status.NOT_FOUND });
  await assertRejects(() => stream.recvInitialMetadata(), GRPCError);
  assertEquals(stream.initialMetadata?.size, 0);
  assert(stream.trailingMetadata !== null);
});

Deno.test("ServerStream.sendInitialMetadata() arrives before any message when it is sent by itself", async () => {
  const go = Promise.withResolvers<void>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendInitialMetadata({ metadata: { "early": "yes" } });
        await go.promise;
        await stream.sendMessage({});
      },
    },
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvInitialMetadata();
  assertEquals(stream.initialMetadata?.get("early"), "yes");
  go.resolve();
  await stream.recvMessage();
});

Deno.test("ServerStream.sendInitialMetadata() is on its way when the handler then throws", async () => {
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await stream.sendInitialMetadata({ metadata: { "early": "yes" } });
        await stream.sendMessage({ text: "one" });
        throw new GRPCError(Status.DATA_LOSS, "Gone");
      },
    },
  });
  await using stream = echo.stub.serverStream.open();
  await stream.sendMessage({});
  assertEquals((await stream.recvMessage())?.text, "one");
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  assertEquals([error.status, error.message], [Status.DATA_LOSS, "Gone"]);
  assertEquals(stream.initialMetadata?.get("early"), "yes");
});

/** Metadata that must not be sent, and the error for it. */
const BAD_METADATA: readonly [
  Record<string, string | Uint8Array>,
  new () => Error,
][] = [
  [{ "Upper-Case": "1" }, TypeError],
  [{ "grpc-internal": "1" }, TypeError],
  [{ "te": "trailers" }, TypeError],
  [{ "invalid~character": "1" }, TypeError],
  [{ "": "1" }, TypeError],
  [{ "text": BYTES }, TypeError],
  [{ "raw-bin": "1" }, TypeError],
  [{ "text": "a\nb" }, RangeError],
  [{ "text": "größe" }, RangeError],
];

for (const [metadata, ErrorClass] of BAD_METADATA) {
  const pair = Object.entries(metadata).map(([key, value]) =>
    `${JSON.stringify(key)}: ${JSON.stringify(`${value}`)}`
  );
  Deno.test(`UnaryUnaryMethod() sends nothing when the metadata is ${pair}`, async () => {
    let calls = 0;
    await using echo = await startEcho({
      handlers: { unary: () => void calls++ },
    });
    await assertRejects(() => echo.stub.unary({}, { metadata }), ErrorClass);
    assertThrows(() => echo.stub.unary.open({ metadata }), ErrorClass);
    assertThrows(() => echo.stub.bidi([], { metadata }), ErrorClass);
    await echo.stub.clientStream([]);
    assertEquals(calls, 0);
  });
}

Deno.test("ServerStream.sendInitialMetadata() rejects when the metadata is not valid", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await assertRejects(
          () => stream.sendInitialMetadata({ metadata: { "Bad": "1" } }),
          TypeError,
        );
        // Nothing was sent: the good ones still can be.
        await stream.sendInitialMetadata({ metadata: { "good": "1" } });
        await assertRejects(
          () => stream.sendTrailingMetadata({ metadata: { "bad": "\n" } }),
          RangeError,
        );
        await stream.sendMessage({});
      },
    },
  });
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({});
  await stream.recvMessage();
  assertEquals(stream.initialMetadata?.get("good"), "1");
});

Deno.test("UnaryUnaryMethod() fails with RESOURCE_EXHAUSTED when the metadata is too large to send", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  const error = await assertRejects(
    () => echo.stub.unary({}, { metadata: { "big": "x".repeat(70_000) } }),
    GRPCError,
  );
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  assertStringIncludes(error.message, "header list");
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

Deno.test("UnaryUnaryMethod() carries metadata when it is larger than a frame", async () => {
  const big = "x".repeat(40_000);
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendMessage({ text: `${stream.metadata.get("big")}` });
      },
    },
  });
  const reply = await echo.stub.unary({}, { metadata: { big } });
  assertEquals(reply.text, big);
});

Deno.test("ServerStream.sendInitialMetadata() rejects when it is too large to send", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendInitialMetadata({
          metadata: { "big": "x".repeat(70_000) },
        });
      },
    },
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
});

Deno.test("GRPCError arrives with its status when its metadata is too large to send", async () => {
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw new GRPCError(Status.ABORTED, "m".repeat(70_000), {
          metadata: { "big": "x".repeat(70_000) },
        });
      },
    },
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(error.status, Status.ABORTED);
  assertEquals(error.message, "m".repeat(1024));
  assertEquals(error.metadata.size, 0);
});

for (let status = 1; status <= 16; status++) {
  const name = statusName(status as Status);
  Deno.test(`GRPCError arrives as it was thrown when the status is ${name}`, async () => {
    await using echo = await startEcho();
    const request = { status, statusMessage: `Sorry: ${name}`, count: 1 };
    for (
      const call of [
        () => echo.stub.unary(request),
        () => Array.fromAsync(echo.stub.serverStream(request)),
        () => echo.stub.clientStream([request]),
        () => Array.fromAsync(echo.stub.bidi([request])),
      ]
    ) {
      const error = await assertRejects(call, GRPCError);
      assertEquals(
        [error.status, error.message, error.name],
        [status, `Sorry: ${name}`, `GRPCError [${name}]`],
      );
    }
  });
}

/** What a message of a status may have in it. */
const MESSAGES = [
  "",
  "a plain one",
  "100 % + ^ = safe",
  "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n",
  "%41%zz%",
  " edges ",
];

for (const message of MESSAGES) {
  Deno.test(`GRPCError arrives with its message when it is ${JSON.stringify(message)}`, async () => {
    await using echo = await startEcho();
    const error = await assertRejects(() =>
      echo.stub.unary({ status: Status.UNKNOWN, statusMessage: message })
    );
    assertInstanceOf(error, GRPCError);
    assertEquals(error.message, message);
  });
}

Deno.test("Metadata comes through when it has as many fields as maxHeaderListSize allows", async () => {
  // 65536 bytes, of which each field takes 32 and its own, less some.
  const many = new Metadata();
  for (let i = 0; i < 1600; i++) many.append(`k${i}`, "v");
  const received = Promise.withResolvers<Metadata>();
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        received.resolve(stream.metadata);
        await stream.sendInitialMetadata({ metadata: many });
        await stream.sendMessage({});
        await stream.sendTrailingMetadata({ metadata: many });
      },
    },
  });
  await using stream = echo.stub.unary.open({ metadata: many });
  await stream.sendMessage({}, { end: true });
  const size = (metadata: Metadata | null) =>
    pairsOf(metadata).filter(([key]) => /^k[0-9]/.test(key!)).length;
  await stream.recvMessage();
  await stream.recvTrailingMetadata();
  assertEquals(size(stream.initialMetadata), 1600);
  assertEquals(size(stream.trailingMetadata), 1600);
  assertEquals(size(await received.promise), 1600);
});
