import { assertEquals, assertThrows } from "@std/assert";
import { FakeServer } from "../../_testdata/fake_server.ts";
import { closed, type FakeStream } from "../../_testdata/fake_stream.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { mapping } from "./handler.ts";
import { createService, type ServiceImplementation } from "./service.ts";

type Implementation = ServiceImplementation<typeof Echo>;

/** One function of each kind: what the tests do not need fails. */
function implementation(rest: Partial<Implementation> = {}): Implementation {
  const fail = () => {
    throw new GRPCError(Status.UNIMPLEMENTED);
  };
  return {
    unary: fail,
    serverStream: fail,
    clientStream: fail,
    bidi: fail,
    ...rest,
  };
}

/** Calls a method; the text of a message is where `StringValue` has its own. */
function call(
  method: keyof Implementation,
  functions: Partial<Implementation>,
  ...texts: string[]
): { server: FakeServer; stream: FakeStream } {
  const service = createService(Echo, implementation(functions));
  const server = new FakeServer({}, { service });
  const { name } = Echo.method[method];
  const stream = server.open("UNARY_UNARY", {
    ":path": `/grpclib.test.Echo/${name}`,
  });
  stream.peerSends(...texts);
  stream.peerEnds();
  return { server, stream };
}

Deno.test("createService() maps every method when it is given all functions", () => {
  const handlers = createService(Echo, implementation())[mapping]();
  const found = Object.entries(handlers).map(([path, handler]) => [
    path,
    handler.cardinality,
    handler.requestType === EchoRequestSchema,
    handler.replyType === EchoReplySchema,
  ]);
  assertEquals(found, [
    ["/grpclib.test.Echo/Unary", "UNARY_UNARY", true, true],
    ["/grpclib.test.Echo/ServerStream", "UNARY_STREAM", true, true],
    ["/grpclib.test.Echo/ClientStream", "STREAM_UNARY", true, true],
    ["/grpclib.test.Echo/Bidi", "STREAM_STREAM", true, true],
  ]);
});

Deno.test("createService() throws when a method has no function", () => {
  const { bidi: _, ...functions } = implementation();
  const error = assertThrows(
    () => createService(Echo, functions as Implementation),
    TypeError,
  );
  assertEquals(
    error.message,
    "Cannot create service grpclib.test.Echo: method bidi must be a function, received undefined",
  );
});

Deno.test("createService() sends the reply when a unary function returns it", async () => {
  const { stream } = call("unary", { unary: ({ text }) => ({ text }) }, "Ada");
  await allTurns();
  assertEquals(stream.log, ["head", "message Ada", "trailers"]);
  assertEquals(stream.trailers, { "grpc-status": "0" });
});

Deno.test("createService() sends the reply when a unary function promises it", async () => {
  const functions: Partial<Implementation> = {
    async unary({ text }, call) {
      await call.sendInitialMetadata({ metadata: { "early": "yes" } });
      return { text };
    },
  };
  const { stream } = call("unary", functions, "Ada");
  await allTurns();
  assertEquals(stream.log, ["head", "message Ada", "trailers"]);
  assertEquals(stream.head!["early"], "yes");
});

Deno.test("createService() sends every reply when a function yields them", async () => {
  const functions: Partial<Implementation> = {
    async *serverStream({ text }) {
      await Promise.resolve();
      for (const letter of text) yield { text: letter };
    },
  };
  const { stream } = call("serverStream", functions, "Ada");
  await allTurns();
  assertEquals(stream.log, [
    "head",
    "message A",
    "message d",
    "message a",
    "trailers",
  ]);
});

Deno.test("createService() sends every reply when a function returns an array of them", async () => {
  const functions: Partial<Implementation> = {
    serverStream: ({ text }) => [{ text }, { text }],
  };
  const { stream } = call("serverStream", functions, "Ada");
  await allTurns();
  assertEquals(stream.log, ["head", "message Ada", "message Ada", "trailers"]);
});

Deno.test("createService() gives all requests when they are many and the reply is one", async () => {
  const functions: Partial<Implementation> = {
    async clientStream(requests) {
      const all = await Array.fromAsync(requests);
      return { text: all.map(({ text }) => text).join("+") };
    },
  };
  const { stream } = call("clientStream", functions, "a", "b");
  await allTurns();
  assertEquals(stream.log, ["head", "message a+b", "trailers"]);
});

Deno.test("createService() gives and takes messages in turn when both are many", async () => {
  const functions: Partial<Implementation> = {
    async *bidi(requests) {
      for await (const { text } of requests) yield { text: text + text };
    },
  };
  const { stream } = call("bidi", functions, "a", "b");
  await allTurns();
  assertEquals(stream.log, ["head", "message aa", "message bb", "trailers"]);
});

Deno.test("createService() calls a function as a method of what it was given", async () => {
  class Greeter implements Implementation {
    readonly #word = "Hello";
    unary({ text }: { text: string }) {
      return { text: `${this.#word} ${text}` };
    }
    serverStream = () => [];
    clientStream = () => ({});
    bidi = () => [];
  }
  const service = createService(Echo, new Greeter());
  const server = new FakeServer({}, { service });
  const stream = server.request("UNARY_UNARY", ["Ada"], {
    ":path": "/grpclib.test.Echo/Unary",
  });
  await allTurns();
  assertEquals(stream.log[1], "message Hello Ada");
});

Deno.test("createService() answers with the status when a function throws it, even between replies", async () => {
  const functions: Partial<Implementation> = {
    async *serverStream({ text }) {
      yield { text };
      throw new GRPCError(Status.DATA_LOSS, "Lost");
    },
  };
  const { stream } = call("serverStream", functions, "Ada");
  await allTurns();
  assertEquals(stream.log, ["head", "message Ada", "trailers"]);
  assertEquals(stream.trailers, {
    "grpc-status": "15",
    "grpc-message": "Lost",
  });
});

for (const method of ["unary", "serverStream"] as const) {
  Deno.test(`createService() answers UNKNOWN when ${method} returns nothing`, async () => {
    const nothing = (() => {}) as unknown as Implementation["unary"];
    const { server, stream } = call(method, { [method]: nothing }, "Ada");
    await allTurns();
    assertEquals(stream.log, ["head end"]);
    assertEquals(stream.head!["grpc-status"], "2");
    assertEquals(server.errors.map((error) => error instanceof TypeError), [
      true,
    ]);
  });
}

Deno.test("createService() leaves a generator when the call ends before it", async () => {
  const log: string[] = [];
  const gate = Promise.withResolvers<void>();
  const functions: Partial<Implementation> = {
    async *serverStream({ text }) {
      try {
        yield { text };
        await gate.promise;
        yield { text };
        log.push("went on");
      } finally {
        log.push("left");
      }
    },
  };
  const { server, stream } = call("serverStream", functions, "Ada");
  await allTurns();
  stream.close(closed(Status.CANCELLED, "Stream was reset"));
  gate.resolve();
  await allTurns();
  assertEquals(log, ["left"]);
  assertEquals(server.counts, [1, 1]);
  assertEquals(server.errors, []);
});
