import {
  assertEquals,
  assertFalse,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { FakeServer, PATHS } from "../../_testdata/fake_server.ts";
import { CLEAN, closed, type Fields } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import type { Many } from "../many.ts";
import type { ServerStream } from "./stream.ts";

type One = ServerStream<StringValue, StringValue>;
type All = ServerStream<Many<StringValue>, Many<StringValue>>;

const HEAD = { ":status": "200", "content-type": "application/grpc+proto" };

/** Makes a unary call whose handler is a test, and fails as it does. */
async function inUnary(
  test: (call: One, log: string[]) => unknown,
  fields: Fields = {},
) {
  let failure: unknown = null;
  const server = new FakeServer({
    async UNARY_UNARY(call) {
      try {
        await test(call, stream.log);
      } catch (error) {
        failure = error;
      }
    },
  });
  const stream = server.open("UNARY_UNARY", fields);
  stream.peerSends("Ada");
  stream.peerEnds();
  await allTurns();
  if (failure !== null) throw failure;
  assertEquals(server.counts, [1, 1]);
  return { server, stream };
}

/** Opens a call of many messages whose handler is a test. */
function inMany(handle: (call: All) => unknown) {
  const server = new FakeServer({ STREAM_STREAM: handle });
  return { server, stream: server.open("STREAM_STREAM") };
}

// --- what is there

Deno.test("ServerStream.methodName, deadline, peer and userAgent tell of the call", async () => {
  await inUnary((call) => {
    assertEquals(call.methodName, PATHS.UNARY_UNARY);
    assertEquals(call.deadline, null);
    assertEquals(call.userAgent, "test/1.0");
    assertEquals(`${call.peer}`, "127.0.0.1:1234");
  });
});

Deno.test("ServerStream.deadline tells what is left when there is a timeout", async () => {
  await inUnary((call) => {
    const left = call.deadline!.timeRemainingMs();
    assertEquals(Math.ceil(left / 1000), 100);
  }, { "grpc-timeout": "100S" });
});

Deno.test("ServerStream.userAgent is null when the client does not say", async () => {
  const { "user-agent": _, ...fields } = {
    ":method": "POST",
    ":path": PATHS.UNARY_UNARY,
    "te": "trailers",
    "content-type": "application/grpc",
    "user-agent": "",
  };
  let userAgent: string | null | undefined;
  const server = new FakeServer({
    UNARY_UNARY: (call) => void (userAgent = call.userAgent),
  });
  const stream = server.openRaw(fields);
  stream.peerSends("Ada");
  stream.peerEnds();
  await allTurns();
  assertEquals(userAgent, null);
});

Deno.test("ServerStream.userAgent is found when another field has its name as a value", async () => {
  let userAgent: string | null | undefined;
  const server = new FakeServer({
    UNARY_UNARY: (call) => void (userAgent = call.userAgent),
  });
  const stream = server.openRaw({
    "vary": "user-agent",
    ":method": "POST",
    ":path": PATHS.UNARY_UNARY,
    "te": "trailers",
    "content-type": "application/grpc",
    "user-agent": "test/1.0",
  });
  stream.peerSends("Ada");
  stream.peerEnds();
  await allTurns();
  assertEquals(userAgent, "test/1.0");
});

Deno.test("ServerStream.metadata holds what the client sent and nothing of the call", async () => {
  await inUnary((call) => {
    assertEquals([...call.metadata], [
      ["tag", "red"],
      ["tag", "blue"],
      ["trace-bin", new Uint8Array([1, 2, 3])],
      ["trace-bin", new Uint8Array([4])],
    ]);
    assertStrictEquals(call.metadata, call.metadata);
  }, {
    "grpc-timeout": "1S",
    "tag": ["red", "blue"],
    "trace-bin": "AQID,BA",
  });
});

Deno.test("ServerStream.signal is one signal and not aborted when the call is good", async () => {
  let call: One | undefined;
  await inUnary(async (stream) => {
    call = stream;
    assertStrictEquals(stream.signal, stream.signal);
    await stream.sendMessage({});
  });
  assertFalse(call!.signal.aborted);
});

// --- what is sent

Deno.test("ServerStream() sends exactly what it is told when metadata goes both before and after", async () => {
  const { stream } = await inUnary(async (call, log) => {
    await call.sendInitialMetadata({ metadata: { "early": "yes" } });
    assertEquals(log, ["head"]);
    await call.sendMessage({ value: "Hi" });
    await call.sendTrailingMetadata({
      statusMessage: "Well done",
      metadata: { "late": ["a", "b"], "sum-bin": new Uint8Array([1, 2]) },
    });
  });
  assertEquals(stream.log, ["head", "message Hi", "trailers"]);
  assertEquals(
    Object.entries(stream.head!),
    Object.entries({ ...HEAD, "early": "yes" }),
  );
  assertEquals(
    Object.entries(stream.trailers!),
    Object.entries({
      "grpc-status": "0",
      "grpc-message": "Well done",
      "late": ["a", "b"],
      "sum-bin": "AQI",
    }),
  );
});

Deno.test("ServerStream.trailingMetadata goes before what sendTrailingMetadata() is given", async () => {
  const { stream } = await inUnary(async (call) => {
    call.trailingMetadata.append("cost", "7");
    await call.sendTrailingMetadata({
      status: Status.ABORTED,
      metadata: { "cost": "8" },
    });
  });
  assertEquals(stream.head, {
    ...HEAD,
    "grpc-status": "10",
    "cost": ["7", "8"],
  });
});

Deno.test("ServerStream.sendTrailingMetadata() sends metadata once when it had to be tried again", async () => {
  const { stream } = await inUnary(async (call) => {
    const options = { metadata: { "cost": "7" } };
    await assertRejects(
      () => call.sendTrailingMetadata(options),
      ProtocolError,
    );
    await call.sendMessage({ value: "Hi" });
    await call.sendTrailingMetadata(options);
  });
  assertEquals(stream.trailers, { "grpc-status": "0", "cost": "7" });
});

Deno.test("ServerStream.sendTrailingMetadata() leaves out what must not be sent when metadata is echoed", async () => {
  const { stream } = await inUnary(async (call) => {
    await call.sendInitialMetadata({ metadata: call.metadata });
    await call.sendMessage({});
    await call.sendTrailingMetadata({ metadata: call.metadata });
  }, { "tag": "red", "content-length": "10", "name": "größer" });
  assertEquals(stream.head, { ...HEAD, "tag": "red" });
  assertEquals(stream.trailers, { "grpc-status": "0", "tag": "red" });
});

Deno.test("ServerStream.sendInitialMetadata() and sendTrailingMetadata() send nothing when metadata is not valid", async () => {
  await inUnary(async (call, log) => {
    const wrong = { metadata: { "Tag": "a" } };
    await assertRejects(() => call.sendInitialMetadata(wrong), TypeError);
    await assertRejects(() => call.sendTrailingMetadata(wrong), TypeError);
    assertEquals(log, []);
    await call.sendMessage({});
  });
});

for (const status of [17, -1, 1.5, "5", null]) {
  Deno.test(`ServerStream.sendTrailingMetadata() sends nothing when the status is ${JSON.stringify(status)}`, async () => {
    await inUnary(async (call, log) => {
      await assertRejects(
        () => call.sendTrailingMetadata({ status: status as Status }),
        RangeError,
        `status must be an integer from 0 to 16, received ${status}`,
      );
      assertEquals(log, []);
      await call.sendMessage({});
    });
  });
}

Deno.test("ServerStream.sendInitialMetadata() sends nothing when the header list is too large", async () => {
  await inUnary(async (call, log) => {
    const error = await assertRejects(
      () => call.sendInitialMetadata({ metadata: { "x": "a".repeat(65_536) } }),
      GRPCError,
      "Cannot send initial metadata: its header list of ",
    );
    assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
    assertEquals(log, []);
    await call.sendMessage({});
  });
});

Deno.test("ServerStream.sendMessage() sends nothing when the message is of another type", async () => {
  await inUnary(async (call, log) => {
    const wrong = "Hi" as unknown as StringValue;
    await assertRejects(() => call.sendMessage(wrong), TypeError);
    assertEquals(log, []);
    await call.sendMessage({ value: "Hi" });
  });
});

// --- what must not be done

interface Misuse {
  readonly when: string;
  readonly before: (call: One) => unknown;
  readonly then: (call: One) => Promise<unknown>;
  readonly message: string;
  readonly kind?: "many";
}

const NO_REPLY =
  "Unary response with OK status requires a single message to be sent";

const MISUSES: readonly Misuse[] = [
  {
    when: "initial metadata is sent twice",
    before: (call) => call.sendInitialMetadata(),
    then: (call) => call.sendInitialMetadata(),
    message: "Initial metadata was already sent",
  },
  {
    when: "initial metadata is sent after a message",
    before: (call) => call.sendMessage({}),
    then: (call) => call.sendInitialMetadata(),
    message: "Initial metadata was already sent",
  },
  {
    when: "a second message is sent in a unary reply",
    before: (call) => call.sendMessage({}),
    then: (call) => call.sendMessage({}),
    message: "Message was already sent",
  },
  {
    when: "a unary reply ends with OK before its head",
    before: () => {},
    then: (call) => call.sendTrailingMetadata(),
    message: NO_REPLY,
  },
  {
    when: "a unary reply ends with OK before its message",
    before: (call) => call.sendInitialMetadata(),
    then: (call) => call.sendTrailingMetadata(),
    message: NO_REPLY,
  },
  {
    when: "trailing metadata is sent twice",
    before: async (call) => {
      await call.sendMessage({});
      await call.sendTrailingMetadata();
    },
    then: (call) => call.sendTrailingMetadata(),
    message: "Trailing metadata was already sent",
  },
  {
    when: "another status is sent after trailing metadata",
    before: (call) => call.sendTrailingMetadata({ status: Status.ABORTED }),
    then: (call) => call.sendTrailingMetadata({ status: Status.ABORTED }),
    message: "Trailing metadata was already sent",
  },
  {
    when: "a message is sent after trailing metadata",
    kind: "many",
    before: (call) => call.sendTrailingMetadata(),
    then: (call) => call.sendMessage({}),
    message: "Trailing metadata was already sent",
  },
  {
    when: "initial metadata is sent after trailing metadata",
    kind: "many",
    before: (call) => call.sendTrailingMetadata(),
    then: (call) => call.sendInitialMetadata(),
    message: "Trailing metadata was already sent",
  },
  {
    when: "it is cancelled twice",
    before: (call) => call.cancel(),
    then: async (call) => await call.cancel(),
    message: "Stream was already cancelled",
  },
];

for (const { when, before, then, message, kind } of MISUSES) {
  Deno.test(`ServerStream() rejects with a ProtocolError when ${when}`, async () => {
    let error: unknown;
    const handle = async (call: One | All) => {
      await before(call as One);
      const done = [...stream.log];
      error = await assertRejects(() => then(call as One), ProtocolError);
      assertEquals(stream.log, done);
    };
    const server = new FakeServer({
      UNARY_UNARY: handle,
      STREAM_STREAM: handle,
    });
    const stream = server.open(kind ? "STREAM_STREAM" : "UNARY_UNARY");
    stream.peerSends("Ada");
    stream.peerEnds();
    await allTurns();
    assertEquals((error as Error).message, message);
  });
}

// --- cancelling

Deno.test("ServerStream.cancel() resets the stream and aborts the call", async () => {
  const { server, stream } = inMany(async (call) => {
    const message = call.recvMessage();
    await call.sendMessage({ value: "a" });
    call.cancel();
    const error = await assertRejects(() => message, GRPCError);
    assertEquals(error.status, Status.CANCELLED);
    assertEquals(error.message, "Call was cancelled by its handler");
    assertStrictEquals(call.signal.reason, error);
    const sent = await assertRejects(() => call.sendMessage({}), GRPCError);
    assertStrictEquals(sent, error);
  });
  await allTurns();
  assertEquals(stream.log, ["head", "message a", "reset CANCEL"]);
  assertEquals(server.counts, [1, 1]);
  assertEquals(server.errors, []);
});

Deno.test("ServerStream.cancel() does not time out later when there was a deadline", async () => {
  const { server, stream } = await inUnary((call) => call.cancel(), {
    "grpc-timeout": "100S",
  });
  stream.close(closed(Status.CANCELLED, "Stream was reset"));
  stream.close(CLEAN);
  assertEquals(stream.log, ["reset CANCEL"]);
  assertEquals(server.errors, []);
});
