/** Services that answer by a script. */

import { assertEquals, assertThrows } from "@std/assert";
import { createStub, GRPCError, Status } from "@grpclib/grpclib";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import { assertRejectsStatus, ChannelFor, stubService } from "./mod.ts";

const textsOf = (messages: readonly { readonly text: string }[]) =>
  messages.map(({ text }) => text);

Deno.test("stubService() answers unary calls in turn, and keeps their requests", async () => {
  const service = stubService(Echo, {
    unary: [
      { text: "first" },
      new GRPCError(Status.NOT_FOUND, "second"),
      ({ text }, call) => {
        call.trailingMetadata.set("third", "yes");
        return { text: text.toUpperCase() };
      },
    ],
  });
  await using channel = new ChannelFor([service]);
  const { unary } = createStub(Echo, channel);
  assertEquals((await unary({ text: "a" })).text, "first");
  await assertRejectsStatus(unary({ text: "b" }), Status.NOT_FOUND, "second");
  await using stream = unary.open();
  await stream.sendMessage({ text: "c" });
  assertEquals((await stream.recvMessage()).text, "C");
  assertEquals(stream.trailingMetadata?.get("third"), "yes");
  assertEquals(textsOf(service.requests.unary), ["a", "b", "c"]);
  assertEquals(service.requests.bidi, []);
});

Deno.test("stubService() answers all calls of a method by a function when it is given one", async () => {
  const service = stubService(Echo, { unary: ({ text }) => ({ text }) });
  await using channel = new ChannelFor([service]);
  const { unary } = createStub(Echo, channel);
  for (const text of ["a", "b", "c"]) {
    assertEquals((await unary({ text })).text, text);
  }
  assertEquals(textsOf(service.requests.unary), ["a", "b", "c"]);
});

Deno.test("stubService() gives many replies, and an error among them ends the call", async () => {
  const service = stubService(Echo, {
    serverStream: [
      [{ text: "a" }, { text: "b" }],
      [{ text: "c" }, new GRPCError(Status.ABORTED, "stop")],
      new GRPCError(Status.NOT_FOUND),
      function* ({ count }) {
        for (let i = 0; i < count; i++) yield { text: `${i}` };
      },
      async function* () {
        await Promise.resolve();
        yield { text: "async" };
      },
    ],
  });
  await using channel = new ChannelFor([service]);
  const { serverStream } = createStub(Echo, channel);
  const read = async (count = 0) =>
    textsOf(await Array.fromAsync(serverStream({ count })));
  assertEquals(await read(), ["a", "b"]);
  const seen: string[] = [];
  const replies = async () => {
    for await (const { text } of serverStream({})) seen.push(text);
  };
  await assertRejectsStatus(replies, Status.ABORTED, "stop");
  assertEquals(seen, ["c"]);
  await assertRejectsStatus(serverStream({}), Status.NOT_FOUND);
  assertEquals(await read(2), ["0", "1"]);
  assertEquals(await read(), ["async"]);
  assertEquals(service.requests.serverStream.map(({ count }) => count), [
    ...[0, 0, 0, 2, 0],
  ]);
});

Deno.test("stubService() keeps all requests of a call that has many", async () => {
  const service = stubService(Echo, {
    clientStream: [
      { text: "done" },
      async (requests) => {
        let text = "";
        for await (const request of requests) text += request.text;
        return { text };
      },
    ],
    bidi: [[{ text: "x" }], async function* (requests) {
      for await (const { text } of requests) yield { text };
    }],
  });
  await using channel = new ChannelFor([service]);
  const { clientStream, bidi } = createStub(Echo, channel);
  const messages = [{ text: "a" }, { text: "b" }];
  assertEquals((await clientStream(messages)).text, "done");
  assertEquals((await clientStream(messages)).text, "ab");
  assertEquals(textsOf(await Array.fromAsync(bidi(messages))), ["x"]);
  assertEquals(textsOf(await Array.fromAsync(bidi(messages))), ["a", "b"]);
  const { requests } = service;
  assertEquals(requests.clientStream.map(textsOf), [["a", "b"], ["a", "b"]]);
  assertEquals(requests.bidi.map(textsOf), [["a", "b"], ["a", "b"]]);
});

Deno.test("stubService() answers UNIMPLEMENTED beyond its script, and says which method", async () => {
  const service = stubService(Echo, { unary: [{ text: "a" }] });
  await using channel = new ChannelFor([service]);
  const { unary, serverStream } = createStub(Echo, channel);
  await unary({});
  await assertRejectsStatus(
    unary({}),
    Status.UNIMPLEMENTED,
    "Cannot answer /grpclib.test.Echo/Unary: this is call 2, and the script has 1 answers",
  );
  await assertRejectsStatus(
    serverStream({}),
    Status.UNIMPLEMENTED,
    "Cannot answer /grpclib.test.Echo/ServerStream: the script does not name serverStream",
  );
  await assertRejectsStatus(
    createStub(Echo, channel).clientStream([]),
    Status.UNIMPLEMENTED,
  );
});

Deno.test("stubService() waits for no function when the call is over", async () => {
  const never = () => new Promise<never>(() => {});
  const service = stubService(Echo, {
    unary: never,
    serverStream: async function* () {
      yield { text: "a" };
      await never();
    },
  });
  await using channel = new ChannelFor([service]);
  const { unary, serverStream } = createStub(Echo, channel);
  await assertRejectsStatus(
    unary({}, { timeoutMs: 20 }),
    Status.DEADLINE_EXCEEDED,
  );
  const texts: string[] = [];
  for await (const { text } of serverStream({})) {
    texts.push(text);
    break;
  }
  assertEquals(texts, ["a"]);
});

Deno.test("stubService() refuses a script that names no method", () => {
  const script = { unari: [{}] } as object;
  assertThrows(
    () => stubService(Echo, script),
    TypeError,
    "Cannot stub service grpclib.test.Echo: there is no method unari, only unary, serverStream, clientStream, bidi",
  );
});

Deno.test("stubService() knows the types of what it answers and keeps", () => {
  const service = stubService(Echo, {
    // @ts-expect-error: a reply has no such field.
    unary: [{ texts: "a" }],
    // @ts-expect-error: many replies are an array.
    serverStream: [{ text: "a" }],
  });
  // @ts-expect-error: of a unary call there is one request, not many.
  const _text: string | undefined = service.requests.unary[0]?.[0]?.text;
  const _many: string | undefined = service.requests.bidi[0]?.[0]?.text;
});
