/** What a client gets for each thing that a handler may do. */

import { assert, assertEquals } from "@std/assert";
import { type FakeHandlers, FakeServer } from "../../_testdata/fake_server.ts";
import { CLEAN } from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import { GRPCError, ProtocolError } from "../../core/errors.ts";
import { appendUnchecked, Metadata } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";

type Kind = "UNARY_UNARY" | "UNARY_STREAM";
type Handle = FakeHandlers["UNARY_UNARY"];

const HEAD = { ":status": "200", "content-type": "application/grpc+proto" };
const OK = { "grpc-status": "0" };
const UNKNOWN = {
  "grpc-status": "2",
  "grpc-message": "Internal Server Error",
};
const NOT_FOUND = {
  "grpc-status": "5",
  "grpc-message": "Gr%C3%B6%C3%9Fe",
  "why": "gone",
};
const NO_REPLY =
  "Unary response with OK status requires a single message to be sent";

interface Case {
  readonly when: string;
  readonly kind: Kind;
  readonly handle: Handle;
  readonly log: string[];
  /** The trailers, or what a single head says beside `HEAD`. */
  readonly end: Record<string, string | string[]>;
  /** What the owner of the server is told. */
  readonly errors?: string[];
}

const own = (): never => {
  throw new TypeError("My secret");
};
const status = (): never => {
  throw new GRPCError(Status.NOT_FOUND, "Größe", {
    metadata: { "why": "gone" },
  });
};

const CASES: readonly Case[] = [
  {
    when: "it sends a message",
    kind: "UNARY_UNARY",
    handle: (stream) => stream.sendMessage({ value: "Hi" }),
    log: ["head", "message Hi", "trailers"],
    end: OK,
  },
  {
    when: "it sends messages of a stream",
    kind: "UNARY_STREAM",
    async handle(stream) {
      await stream.sendMessage({ value: "a" });
      await stream.sendMessage({ value: "b" });
    },
    log: ["head", "message a", "message b", "trailers"],
    end: OK,
  },
  {
    when: "it sends a message and returns before that is through",
    kind: "UNARY_UNARY",
    handle: (stream) => void stream.sendMessage({ value: "Hi" }),
    log: ["head", "message Hi", "trailers"],
    end: OK,
  },
  {
    when: "it does nothing in a stream",
    kind: "UNARY_STREAM",
    handle: () => {},
    log: ["head end"],
    end: OK,
  },
  {
    when: "it ends a stream without messages",
    kind: "UNARY_STREAM",
    handle: (stream) => stream.sendTrailingMetadata(),
    log: ["head end"],
    end: OK,
  },
  {
    when: "it sends only initial metadata in a stream",
    kind: "UNARY_STREAM",
    handle: (stream) => stream.sendInitialMetadata(),
    log: ["head", "trailers"],
    end: OK,
  },
  {
    when: "it sends no unary reply",
    kind: "UNARY_UNARY",
    handle: () => {},
    log: ["head end"],
    end: UNKNOWN,
    errors: [`ProtocolError: ${NO_REPLY}`],
  },
  {
    when: "it sends only initial metadata and no unary reply",
    kind: "UNARY_UNARY",
    handle: (stream) => stream.sendInitialMetadata(),
    log: ["head", "trailers"],
    end: UNKNOWN,
    errors: [`ProtocolError: ${NO_REPLY}`],
  },
  {
    when: "it ends a unary reply with OK before its message",
    kind: "UNARY_UNARY",
    handle: (stream) => stream.sendTrailingMetadata(),
    log: ["head end"],
    end: UNKNOWN,
    errors: [`ProtocolError: ${NO_REPLY}`],
  },
  {
    when: "it ends a unary reply with a status",
    kind: "UNARY_UNARY",
    handle: (stream) =>
      stream.sendTrailingMetadata({
        status: Status.DATA_LOSS,
        statusMessage: "Lost",
      }),
    log: ["head end"],
    end: { "grpc-status": "15", "grpc-message": "Lost" },
  },
  {
    when: "it ends a unary reply with a status whose message is none",
    kind: "UNARY_UNARY",
    handle: (stream) =>
      stream.sendTrailingMetadata({
        status: Status.DATA_LOSS,
        statusMessage: 5 as never,
      }),
    log: ["head end"],
    end: UNKNOWN,
    errors: [
      "TypeError: Cannot send trailing metadata: statusMessage must be a string, received number",
    ],
  },
  {
    when: "it throws a status whose message is none",
    kind: "UNARY_UNARY",
    handle() {
      throw Object.assign(new GRPCError(Status.ABORTED), { message: 5 });
    },
    log: ["head end"],
    end: { "grpc-status": "10", "grpc-message": "5" },
  },
  {
    when: "it throws a status whose metadata can not be had",
    kind: "UNARY_UNARY",
    handle() {
      throw Object.defineProperty(new GRPCError(Status.ABORTED), "metadata", {
        get: own,
      });
    },
    log: ["head end"],
    end: UNKNOWN,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it throws a status whose metadata is none",
    kind: "UNARY_UNARY",
    handle() {
      throw Object.defineProperty(new GRPCError(Status.ABORTED), "metadata", {
        value: { ["Not"]: "Metadata" },
      });
    },
    log: ["head end"],
    end: UNKNOWN,
    errors: [
      "TypeError: Receiver must be an instance of class Metadata",
    ],
  },
  {
    when: "it throws a status",
    kind: "UNARY_UNARY",
    handle: status,
    log: ["head end"],
    end: NOT_FOUND,
  },
  {
    when: "it rejects with a status",
    kind: "UNARY_UNARY",
    handle: () => Promise.resolve().then(status),
    log: ["head end"],
    end: NOT_FOUND,
  },
  {
    when: "it throws a status without a message",
    kind: "UNARY_UNARY",
    handle: () => Promise.reject(new GRPCError(Status.ABORTED)),
    log: ["head end"],
    end: { "grpc-status": "10" },
  },
  {
    when: "it throws a status after its message",
    kind: "UNARY_UNARY",
    async handle(stream) {
      await stream.sendMessage({ value: "Hi" });
      status();
    },
    log: ["head", "message Hi", "trailers"],
    end: NOT_FOUND,
  },
  {
    when: "it throws an error",
    kind: "UNARY_UNARY",
    handle: own,
    log: ["head end"],
    end: UNKNOWN,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it rejects with an error",
    kind: "UNARY_UNARY",
    handle: () => Promise.resolve().then(own),
    log: ["head end"],
    end: UNKNOWN,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it throws an error after its initial metadata",
    kind: "UNARY_UNARY",
    async handle(stream) {
      await stream.sendInitialMetadata();
      own();
    },
    log: ["head", "trailers"],
    end: UNKNOWN,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it throws an error after its message",
    kind: "UNARY_UNARY",
    async handle(stream) {
      await stream.sendMessage({ value: "Hi" });
      own();
    },
    log: ["head", "message Hi", "trailers"],
    end: UNKNOWN,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it throws an error after its trailing metadata",
    kind: "UNARY_UNARY",
    async handle(stream) {
      await stream.sendMessage({ value: "Hi" });
      await stream.sendTrailingMetadata();
      own();
    },
    log: ["head", "message Hi", "trailers"],
    end: OK,
    errors: ["TypeError: My secret"],
  },
  {
    when: "it throws a status after its trailing metadata",
    kind: "UNARY_UNARY",
    async handle(stream) {
      await stream.sendMessage({ value: "Hi" });
      await stream.sendTrailingMetadata();
      status();
    },
    log: ["head", "message Hi", "trailers"],
    end: OK,
  },
  {
    when: "it rejects with nothing",
    kind: "UNARY_UNARY",
    handle: () => Promise.reject(),
    log: ["head end"],
    end: UNKNOWN,
    errors: ["undefined"],
  },
  {
    when: "it sends a message of another type",
    kind: "UNARY_UNARY",
    handle: (stream) => stream.sendMessage(7 as never),
    log: ["head end"],
    end: UNKNOWN,
    errors: [
      "TypeError: Message must be of type google.protobuf.StringValue, received number",
    ],
  },
  {
    when: "it sends a message that is too large",
    kind: "UNARY_UNARY",
    handle: (stream) => stream.sendMessage({ value: "a".repeat(2000) }),
    log: ["head end"],
    end: {
      "grpc-status": "8",
      "grpc-message":
        "Cannot send message: 2003 bytes are more than the 1000 of maxSendMessageSize",
    },
  },
  {
    when: "it fills the trailing metadata and returns",
    kind: "UNARY_UNARY",
    async handle(stream) {
      stream.trailingMetadata.append("cost", "7");
      await stream.sendMessage({ value: "Hi" });
      stream.trailingMetadata.append("sum-bin", new Uint8Array([1]));
    },
    log: ["head", "message Hi", "trailers"],
    end: { "grpc-status": "0", "cost": "7", "sum-bin": "AQ" },
  },
  {
    when: "it fills the trailing metadata and throws a status with its own",
    kind: "UNARY_UNARY",
    handle(stream) {
      stream.trailingMetadata.append("cost", "7").append("why", "first");
      status();
    },
    log: ["head end"],
    end: {
      "grpc-status": "5",
      "grpc-message": "Gr%C3%B6%C3%9Fe",
      "cost": "7",
      "why": ["first", "gone"],
    },
  },
  {
    when: "it fills the trailing metadata and throws an error",
    kind: "UNARY_UNARY",
    handle(stream) {
      stream.trailingMetadata.append("cost", "7");
      own();
    },
    log: ["head end"],
    end: { ...UNKNOWN, "cost": "7" },
    errors: ["TypeError: My secret"],
  },
];

for (const { when, kind, handle, log, end, errors = [] } of CASES) {
  Deno.test(`serve() answers as the handler of ${kind} says when ${when}`, async () => {
    const handlers = { [kind]: handle } as Partial<FakeHandlers>;
    const server = new FakeServer(handlers, {
      config: { maxSendMessageSize: 1000 },
    });
    const stream = server.request(kind, ["Ada"]);
    await allTurns();
    assertEquals(stream.log, log);
    const only = log[0] === "head end";
    assertEquals<unknown>(stream.head, only ? { ...HEAD, ...end } : HEAD);
    assertEquals<unknown>(stream.trailers, only ? null : end);
    assertEquals(server.errors.map((error) => `${error}`), errors);
    assertEquals(server.counts, [1, 1]);
    // The end of the stream behind the reply is no news.
    stream.close(CLEAN);
    await allTurns();
    assertEquals(server.errors.length, errors.length);
    assertEquals(server.counts, [1, 1]);
  });
}

Deno.test("serve() gives the whole error to the server when a handler throws", async () => {
  const error = new ProtocolError("My own", { cause: { deep: true } });
  const server = new FakeServer({
    UNARY_UNARY() {
      throw error;
    },
  });
  server.request("UNARY_UNARY", ["Ada"]);
  await allTurns();
  assert(server.errors[0] === error);
});

Deno.test("serve() passes on what can be sent when a handler throws an error of another server", async () => {
  const server = new FakeServer({
    UNARY_UNARY(stream) {
      const error = new GRPCError(Status.NOT_FOUND);
      appendUnchecked(error.metadata, "connection", "close");
      appendUnchecked(error.metadata, "tag", "größer");
      appendUnchecked(error.metadata, "why", "gone");
      stream.trailingMetadata.append("cost", "7");
      throw error;
    },
  });
  const stream = server.request("UNARY_UNARY", ["Ada"]);
  await allTurns();
  assertEquals(stream.head, {
    ...HEAD,
    "grpc-status": "5",
    "cost": "7",
    "why": "gone",
  });
  assertEquals(server.errors, []);
});

Deno.test("serve() keeps the status when what comes with it is too large", async () => {
  const server = new FakeServer({
    UNARY_STREAM() {
      throw new GRPCError(Status.NOT_FOUND, "ß".repeat(50_000), {
        metadata: { "x": "a".repeat(70_000) },
      });
    },
  });
  const stream = server.request("UNARY_STREAM", ["Ada"]);
  await allTurns();
  assertEquals(stream.log, ["head end"]);
  assertEquals(stream.head, {
    ...HEAD,
    "grpc-status": "5",
    "grpc-message": "%C3%9F".repeat(1024),
  });
});

Deno.test("serve() ends the call when nobody could be told of an error", async () => {
  class Deaf extends FakeServer {
    override onHandlerError(error: unknown): void {
      throw new Error("Told", { cause: error });
    }
  }
  const server = new Deaf({
    UNARY_UNARY: own,
  });
  const unhandled = Promise.withResolvers<Error>();
  const onUnhandled = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.resolve(event.reason);
  };
  addEventListener("unhandledrejection", onUnhandled, { once: true });
  server.request("UNARY_UNARY", ["Ada"]);
  const error = await unhandled.promise;
  assertEquals(`${error.cause}`, "TypeError: My secret");
  assertEquals(server.counts, [1, 1]);
});

Deno.test("serve() does not change the metadata of an error when it answers with it", async () => {
  const metadata = new Metadata({ "why": "gone" });
  const error = new GRPCError(Status.NOT_FOUND, "", { metadata });
  const server = new FakeServer({
    UNARY_UNARY(stream) {
      stream.trailingMetadata.append("cost", "7");
      throw error;
    },
  });
  for (let i = 0; i < 2; i++) {
    const stream = server.request("UNARY_UNARY", ["Ada"]);
    await allTurns();
    const { cost, why } = stream.head!;
    assertEquals([cost, why], ["7", "gone"]);
  }
  assertEquals([...error.metadata], [["why", "gone"]]);
});
