import { type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  Channel,
  createService,
  createStub,
  type DynamicMessage,
  GRPCError,
  type Handler,
  mapping,
  Server,
  type ServerStream,
  type Service,
  Status,
} from "../mod.ts";
import { echo } from "../_testdata/echo_service.ts";
import { all, extensions, type FileInit, protoOf } from "../_testdata/files.ts";
import { assertStatus } from "../_testdata/waiters.ts";
import { soon } from "../_testdata/waiting.ts";
import {
  ServerReflection as V1,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { reflect, ServerReflection } from "./mod.ts";

/** Serves services, and gives a channel to them. */
async function connect(services: Service[]) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new Server(services));
  await server.start("127.0.0.1");
  const channel = stack.use(new Channel("127.0.0.1", server.port!));
  const owned = stack.move();
  return { channel, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** The handlers of services for which a condition holds. */
function only(
  services: Service[],
  keep: (path: string) => boolean,
): Service {
  const handlers: Record<string, Handler> = {};
  for (const service of services) {
    for (const [path, handler] of Object.entries(service[mapping]())) {
      if (keep(path)) handlers[path] = handler;
    }
  }
  return { [mapping]: () => handlers };
}

type Answer = MessageInitShape<
  typeof ServerReflectionResponseSchema
>["messageResponse"];

type Question = ServerReflectionRequest["messageRequest"];

/** A server with answers of its own. */
function answering(answer: (question: Question) => Answer): Service {
  return createService(V1, {
    async *serverReflectionInfo(requests) {
      for await (const { messageRequest } of requests) {
        yield { messageResponse: answer(messageRequest)! };
      }
    },
  });
}

function failure(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

function list(...names: string[]): Answer {
  const service = names.map((name) => ({ name }));
  return { case: "listServicesResponse", value: { service } };
}

function files(...inits: (FileInit | FileDescriptorProto)[]): Answer {
  const fileDescriptorProto = inits.map((init) =>
    toBinary(FileDescriptorProtoSchema, protoOf(init))
  );
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

/** A server of files, which sends one for each question, and not more. */
function serving(
  services: string[],
  find: (name: string) => FileInit | FileDescriptorProto | undefined,
): Service {
  return answering(({ case: kind, value }) => {
    if (kind === "listServices") return list(...services);
    const file = find(`${value}`);
    return file ? files(file) : failure(5, "not found");
  });
}

/** A service of one method, which needs a message. */
function callOf(message: string, ...dependency: string[]): FileInit {
  return {
    name: "call.proto",
    package: "test",
    dependency,
    service: [{
      name: "Service",
      method: [{ name: "Call", inputType: message, outputType: message }],
    }],
  };
}

Deno.test("reflect() gives services that createStub() makes stubs of, for all kinds of call", async () => {
  await using served = await connect(ServerReflection.extend([echo]));
  const { channel } = served;
  const { serviceNames, services, getService } = await reflect(channel);
  assertEquals(serviceNames, ["grpclib.test.Echo"]);
  assertEquals(services, [getService("grpclib.test.Echo")]);

  const stub = createStub(services[0]!, channel);
  assertEquals(Object.keys(stub), [
    "unary",
    "serverStream",
    "clientStream",
    "bidi",
  ]);
  const requests = [{ text: "a", count: 1 }, { text: "b", count: 1 }];
  const texts = async (replies: AsyncIterable<DynamicMessage>) =>
    await Array.fromAsync(replies, ({ text }) => text);
  assertEquals((await stub.unary!({ text: "one" })).text, "one");
  assertEquals(
    await texts(stub.serverStream!({ text: "many", count: 2 })),
    ["many", "many"],
  );
  assertEquals((await stub.clientStream!(requests)).text, "ab");
  assertEquals(await texts(stub.bidi!(requests)), ["a", "b"]);

  await using stream = stub.bidi!.open();
  await stream.sendMessage({ text: "open", count: 1 }, { end: true });
  assertEquals((await stream.recvMessage())?.text, "open");
  assertEquals(await stream.recvMessage(), null);
});

Deno.test("reflect() speaks v1alpha with a server that has no v1, in the time that is left", async () => {
  const v1alpha = only(
    ServerReflection.extend([echo]),
    (path) => path.includes("v1alpha"),
  );
  const seen: unknown[] = [];
  const watched: Service = {
    [mapping]: () =>
      Object.fromEntries(
        Object.entries(v1alpha[mapping]()).map(([path, handler]) => [path, {
          ...handler,
          // deno-lint-ignore no-explicit-any
          handle(stream: ServerStream<any, any>) {
            seen.push(stream.metadata.get("tag"), stream.deadline !== null);
            return handler.handle(stream);
          },
        }]),
      ),
  };
  await using served = await connect([watched]);
  const options = { metadata: new Map([["tag", "red"]]).entries() };
  const { services } = await reflect(served.channel, options);
  assertEquals(services.map(({ typeName }) => typeName), ["grpclib.test.Echo"]);
  assertEquals(seen, ["red", true]);
});

Deno.test("reflect() rejects with UNIMPLEMENTED when the server has no reflection", async () => {
  await using served = await connect([echo]);
  await assertStatus(
    Status.UNIMPLEMENTED,
    () => reflect(served.channel),
  );
});

Deno.test("reflect() asks for the files that a server does not send by itself", async () => {
  const found: Record<string, FileInit> = {
    "test.Service": callOf("M", "a.proto", "b.proto"),
    "a.proto": { name: "a.proto", dependency: ["b.proto", "d.proto"] },
    "b.proto": { name: "b.proto", dependency: ["d.proto"] },
    "d.proto": { name: "d.proto", messageType: [{ name: "M" }] },
  };
  const asked: string[] = [];
  await using served = await connect([
    serving(["test.Service"], (name) => {
      asked.push(name);
      return found[name];
    }),
  ]);
  const { registry, getService } = await reflect(served.channel);
  assertEquals(asked, Object.keys(found));
  const names = [...registry.files].map(({ proto }) => proto.name);
  assertEquals(names.toSorted(), [
    "a.proto",
    "b.proto",
    "call.proto",
    "d.proto",
  ]);
  assertEquals(getService("test.Service").methods[0]?.input.typeName, "M");
});

Deno.test("reflect() does without a file that is missing, if it can", async () => {
  const type = "google.protobuf.Timestamp";
  const path = "google/protobuf/timestamp.proto";
  await using served = await connect([
    serving(
      ["test.Service"],
      (name) =>
        name === "test.Service" ? callOf(type, path, "none.proto") : undefined,
    ),
  ]);
  const { getService } = await reflect(served.channel);
  assertEquals(getService("test.Service").methods[0]?.input.typeName, type);
});

Deno.test("Reflection.getService() throws NOT_FOUND for a service that is not described", async () => {
  await using served = await connect([
    serving(["test.Service", "test.Secret"], (name) => {
      if (name !== "test.Service") return undefined;
      return { ...callOf("test.M"), messageType: [{ name: "M" }] };
    }),
  ]);
  const { serviceNames, services, getService } = await reflect(served.channel);
  assertEquals(serviceNames, ["test.Service", "test.Secret"]);
  assertEquals(services, [getService("test.Service")]);
  const faults = {
    "test.Secret":
      'Cannot get service "test.Secret": the server lists it, but does not describe it',
    "test.None":
      'Cannot get service "test.None": the server has "test.Service", "test.Secret"',
  };
  for (const [name, message] of Object.entries(faults)) {
    const error = assertThrows(() => getService(name), GRPCError, message);
    assertEquals(error.status, Status.NOT_FOUND);
  }
});

Deno.test("reflect() gives what a server tells that has no services", async () => {
  await using served = await connect([answering(() => list())]);
  const { services, registry, getService } = await reflect(served.channel);
  assertEquals([services.length, [...registry].length], [0, 0]);
  assertThrows(() => getService("x"), GRPCError, "the server has none");
});

/** Servers that lie or are broken, and what comes of it. */
const HOSTILE: Record<string, [Service, Status, string]> = {
  "an error for its list": [
    answering(() => failure(7, "Go away")),
    Status.PERMISSION_DENIED,
    "Go away",
  ],
  "an error without a status": [
    answering(() => failure(0, "What?")),
    Status.UNKNOWN,
    "What?",
  ],
  "an error for a file": [
    answering(({ case: kind }) =>
      kind === "listServices" ? list("a") : failure(14, "Not now")
    ),
    Status.UNAVAILABLE,
    "Not now",
  ],
  "no answer in its answer": [
    answering(() => ({ case: undefined })),
    Status.INTERNAL,
    "Cannot reflect: the server gave an answer to another question: none",
  ],
  "an answer to another question": [
    answering(() => list("a")),
    Status.INTERNAL,
    "Cannot reflect: the server gave an answer to another question: listServicesResponse",
  ],
  "an early end": [
    createService(V1, { serverReflectionInfo: () => [] }),
    Status.INTERNAL,
    "Cannot reflect: the server ended the call before it had answered",
  ],
  "no descriptors but text": [
    answering(({ case: kind }) =>
      kind === "listServices" ? list("a") : {
        case: "fileDescriptorResponse",
        value: { fileDescriptorProto: [new TextEncoder().encode("package")] },
      }
    ),
    Status.INTERNAL,
    "Cannot reflect: the descriptors that the server sent are faulty: ",
  ],
  "imports in a circle": [
    serving(["a"], (name) => ({
      name: name === "b.proto" ? "b.proto" : "a.proto",
      dependency: [name === "b.proto" ? "a.proto" : "b.proto"],
    })),
    Status.INTERNAL,
    'Cannot reflect: the descriptors that the server sent are faulty: "a.proto" imports itself',
  ],
  "a message that nobody declares": [
    serving(["test.Service"], () => callOf("test.None")),
    Status.INTERNAL,
    "Cannot reflect: the descriptors that the server sent are faulty: ",
  ],
  "files without end": [
    serving(["0"], (name) => {
      const number = parseInt(name);
      return {
        name: `${number}.proto`,
        dependency: [`${number + 1}.proto`],
      };
    }),
    Status.RESOURCE_EXHAUSTED,
    "Cannot reflect: the server has more than 50 files",
  ],
  "bytes without end": [
    serving(["0"], (name) => ({
      name: `${parseInt(name)}.proto`,
      dependency: [`${parseInt(name) + 1}.proto`],
      messageType: [{ name: "A".repeat(1_000) }],
    })),
    Status.RESOURCE_EXHAUSTED,
    "Cannot reflect: the server has more than 10000 bytes of descriptors",
  ],
  "services without end": [
    answering(() => list(...Array.from({ length: 51 }, (_, i) => `s${i}`))),
    Status.RESOURCE_EXHAUSTED,
    "Cannot reflect: the server has 51 services, and more than 50 files",
  ],
};

for (const [name, [service, status, message]] of Object.entries(HOSTILE)) {
  Deno.test(`reflect() rejects when a server sends ${name}`, async () => {
    await using served = await connect([service]);
    const limits = { maxFiles: 50, maxBytes: 10_000 };
    await assertStatus(
      status,
      () => soon(reflect(served.channel, limits)),
      message,
    );
  });
}

Deno.test("reflect() asks once for a file that a server sends under another name", async () => {
  let count = 0;
  await using served = await connect([
    serving(["test.Service"], (name) => {
      count++;
      return name === "test.Service"
        ? { ...callOf("test.M", "a.proto"), messageType: [{ name: "M" }] }
        : { name: `not_${name}`, dependency: ["a.proto"] };
    }),
  ]);
  const { services } = await soon(reflect(served.channel));
  assertEquals([services.length, count], [1, 2]);
});

/** Answers to the first question, and to no other. */
function silent(): Service {
  return createService(V1, {
    async *serverReflectionInfo(requests, { signal }) {
      for await (const { messageRequest } of requests) {
        if (messageRequest.case === "listServices") {
          yield { messageResponse: list("a")! };
        }
      }
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
}

Deno.test("reflect() rejects when the server is silent and time is over", async () => {
  await using served = await connect([silent()]);
  await assertStatus(
    Status.DEADLINE_EXCEEDED,
    () => soon(reflect(served.channel, { timeoutMs: 100 })),
  );
});

Deno.test("reflect() rejects when its signal aborts", async () => {
  await using served = await connect([silent()]);
  const controller = new AbortController();
  const { signal } = controller;
  const reflecting = reflect(served.channel, { signal });
  reflecting.catch(() => {});
  setTimeout(() => controller.abort(), 50);
  await assertStatus(Status.CANCELLED, () => soon(reflecting));
});

Deno.test("reflect() does not wait for a server that does not end the call", async () => {
  await using served = await connect([
    createService(V1, {
      async *serverReflectionInfo(requests, { signal }) {
        for await (const _ of requests) yield { messageResponse: list()! };
        await new Promise((resolve) =>
          signal.addEventListener("abort", resolve)
        );
      },
    }),
  ]);
  const { services } = await soon(reflect(served.channel));
  assertEquals(services, []);
});

Deno.test("reflect() rejects limits that are none, before it calls", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  const wrong = [{ maxFiles: 0 }, { maxBytes: 1.5 }, { maxFiles: NaN }];
  for (const options of wrong) {
    const [[name, value]] = Object.entries(options) as [[string, number]];
    await assertRejects(
      () => reflect(channel, options),
      RangeError,
      `Cannot reflect: ${name} must be an integer of at least 1, received ${value}`,
    );
  }
});

Deno.test("reflect() loads extensions that are in the files of services", async () => {
  const files = [extensions, all];
  await using served = await connect([
    serving(
      ["test.all.Service", "test.extensions.first"],
      (name) =>
        files.find(({ proto }) => name === proto.name)?.proto ??
          (name.startsWith("test.all") ? all : extensions).proto,
    ),
  ]);
  const { registry } = await reflect(served.channel);
  const outer = registry.getMessage("test.all.Outer")!;
  assertEquals(registry.getExtensionFor(outer, 101)?.name, "first");
});
