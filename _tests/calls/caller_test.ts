/** Errors of calls that point home: which method, which server, which caller. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  listen,
  SendRequest,
  Status,
} from "../../mod.ts";
import {
  type EchoPair,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon } from "../../_testdata/waiting.ts";

const BAD = { status: Status.NOT_FOUND, statusMessage: "No such thing" };

/** Ways to wait for a call that fails, each in a function of its own. */
const WAYS: Readonly<
  Record<string, (stub: EchoPair["stub"]) => Promise<unknown>>
> = {
  async waitForAReply(stub) {
    return await stub.unary(BAD);
  },
  async waitForOneOfMany(stub) {
    return await Promise.all([stub.unary({}), stub.unary(BAD)]);
  },
  async waitWithThen(stub) {
    return await stub.unary(BAD).then((reply) => reply.text);
  },
  async waitForAReplyToMany(stub) {
    return await stub.clientStream([BAD, BAD]);
  },
  async iterate(stub) {
    for await (const _ of stub.serverStream({ ...BAD, count: 3 })) { /* on */ }
  },
  async iterateBoth(stub) {
    for await (const _ of stub.bidi([{ ...BAD, count: 3 }])) { /* on */ }
  },
  async receive(stub) {
    await using stream = stub.unary.open();
    await stream.sendMessage(BAD);
    return await stream.recvMessage();
  },
  async receiveMany(stub) {
    await using stream = stub.bidi.open();
    await stream.sendMessage({ ...BAD, count: 1 }, { end: true });
    while (await stream.recvMessage() !== null) { /* on */ }
  },
  async receiveTheHead(stub) {
    await using stream = stub.unary.open();
    await stream.sendMessage(BAD);
    await stream.recvInitialMetadata();
  },
  async receiveTheTrailers(stub) {
    await using stream = stub.unary.open();
    await stream.sendMessage(BAD);
    await stream.recvTrailingMetadata();
  },
  async iterateAStream(stub) {
    await using stream = stub.serverStream.open();
    await stream.sendMessage({ ...BAD, count: 2 });
    for await (const _ of stream) { /* on */ }
  },
};

for (const [name, way] of Object.entries(WAYS)) {
  Deno.test(`GRPCError has the method, the server and who waits in its stack, for ${name}()`, async () => {
    await using echo = await startEcho();
    async function application(): Promise<void> {
      await way(echo.stub);
    }
    const error = await assertRejects(() => soon(application()), GRPCError);
    assertEquals(error.status, Status.NOT_FOUND);
    assert(Object.values(PATHS).some((path) => path === error.methodName));
    assertEquals(`${error.peer}`, `127.0.0.1:${echo.port}`);
    const { stack } = error;
    assertMatch(stack!, /^GRPCError \[NOT_FOUND\]: No such thing\n/);
    assertMatch(stack!, new RegExp(`at .*${name}.*caller_test\\.ts`));
    assertMatch(stack!, /at async application .*caller_test\.ts/);
  });
}

Deno.test("GRPCError has who waits in its stack when no server can be reached", async () => {
  const gone = await startEcho();
  await gone[Symbol.asyncDispose]();
  await using channel = new Channel("127.0.0.1", gone.port);
  const stub = createStub(Echo, channel);
  for (let i = 0; i < 2; i++) {
    const error = await assertRejects(() => stub.unary({}), GRPCError);
    assertEquals(error.status, Status.UNAVAILABLE);
    assertEquals(error.methodName, PATHS.unary);
    assertEquals(error.peer, null);
    assertMatch(error.stack!, /caller_test\.ts/);
  }
});

Deno.test("GRPCError has who waits in its stack for a deadline and for a cancel, and who cancelled", async () => {
  await using echo = await startEcho();
  const late = await assertRejects(
    () => echo.stub.unary({ delayMs: 10_000 }, { timeoutMs: 10 }),
    GRPCError,
  );
  assertEquals(late.status, Status.DEADLINE_EXCEEDED);
  assertMatch(late.stack!, /at async .*caller_test\.ts/);
  async function waits(): Promise<void> {
    await using stream = echo.stub.unary.open();
    await stream.sendMessage({ delayMs: 10_000 });
    setTimeout(function cancels() {
      stream.cancel();
    });
    await stream.recvMessage();
  }
  const cancelled = await assertRejects(waits, GRPCError);
  assertMatch(cancelled.stack!, /cancels.*caller_test\.ts/);
  assertMatch(cancelled.stack!, /at async waits .*caller_test\.ts/);
});

Deno.test("GRPCError of a listener keeps its stack, and has the method of the call", async () => {
  await using echo = await startEcho();
  function refuses(): never {
    throw new GRPCError(Status.PERMISSION_DENIED, "no");
  }
  using _ = listen(echo.channel, SendRequest, refuses);
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  assertEquals(error.methodName, PATHS.unary);
  assertMatch(error.stack!, /at .*refuses.*caller_test\.ts/);
});

Deno.test("GRPCError of a call has a stack that may be replaced, and one of a handler has no method", async () => {
  let own: GRPCError | undefined;
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw own = new GRPCError(Status.NOT_FOUND, "No such thing");
      },
    },
  });
  const error = await assertRejects(() => echo.stub.unary({}), GRPCError);
  error.stack = "mine";
  assertStrictEquals(error.stack, "mine");
  assertEquals("methodName" in own!, false);
});

Deno.test("GRPCError of a call has the method of that call still when it ends another", async () => {
  await using echo = await startEcho();
  const failing = echo.stub.serverStream({ status: Status.NOT_FOUND });
  const error = await assertRejects(
    () => echo.stub.clientStream(failing as AsyncIterable<object>),
    GRPCError,
  );
  assertEquals(error.status, Status.NOT_FOUND);
  assertEquals(error.methodName, PATHS.serverStream);
});

Deno.test("GRPCError has those who waited first in its stack, and nobody who does later", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendMessage(BAD);
  const error = await assertRejects(() => stream.recvMessage(), GRPCError);
  const { stack } = error;
  const later = await assertRejects(
    () => stream.recvTrailingMetadata(),
    GRPCError,
  );
  assertStrictEquals(later, error);
  assertEquals(later.stack, stack);
});
