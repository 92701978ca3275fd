import {
  createMutableRegistry,
  createRegistry,
  type DescMessage,
  fromBinary,
} from "@bufbuild/protobuf";
import { EmptySchema, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { assertEquals, assertThrows } from "@std/assert";
import {
  Cardinality,
  Channel,
  createService,
  createStub,
  mapping,
  Server,
  type Service,
} from "../mod.ts";
import { echo, echoWith } from "../_testdata/echo_service.ts";
import { all, extensions, fileOf } from "../_testdata/files.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../_testdata/gen/echo_pb.ts";
import { soon } from "../_testdata/waiting.ts";
import { ServerReflection as V1 } from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "./gen/grpc/reflection/v1alpha/reflection_pb.ts";
import {
  ServerReflection,
  type ServerReflectionOptions,
} from "./server_reflection.ts";

/** A question with a text, as the request has it. */
interface Question {
  case:
    | "fileByFilename"
    | "fileContainingSymbol"
    | "allExtensionNumbersOfType"
    | "listServices";
  value: string;
}

type Asked = Question | { case: "extension"; value: [string, number] } | {
  case: undefined;
};

const VERSIONS = [V1, V1Alpha];

/** A server and a stream to it. */
async function connect(
  services: Service[],
  options: ServerReflectionOptions & { version?: typeof V1 | typeof V1Alpha } =
    {},
) {
  const { version = V1, ...rest } = options;
  await using stack = new AsyncDisposableStack();
  const server = stack.use(new Server(ServerReflection.extend(services, rest)));
  await server.start("127.0.0.1");
  const channel = stack.use(new Channel("127.0.0.1", server.port!));
  // The requests of these tests are the same in both versions.
  const stub = createStub(version as typeof V1, channel);
  const stream = stack.use(stub.serverReflectionInfo.open());
  const owned = stack.move();

  /** Asks a question, and gives the whole response. */
  async function respond(question: Asked, host = "") {
    await stream.sendMessage({
      host,
      messageRequest: question.case === "extension"
        ? {
          case: "fileContainingExtension",
          value: {
            containingType: question.value[0],
            extensionNumber: question.value[1],
          },
        }
        : question,
    });
    const response = await soon(stream.recvMessage());
    if (response === null) throw new Error("The stream has ended");
    return response;
  }

  return {
    respond,
    /** Asks a question, and gives what is in the reply. */
    async ask(question: Asked): Promise<unknown> {
      const { messageResponse: answer } = await respond(question);
      switch (answer.case) {
        case "fileDescriptorResponse":
          return answer.value.fileDescriptorProto.map((bytes) =>
            fromBinary(FileDescriptorProtoSchema, bytes).name
          );
        case "allExtensionNumbersResponse":
          return [answer.value.baseTypeName, ...answer.value.extensionNumber];
        case "listServicesResponse":
          return answer.value.service.map(({ name }) => name);
        case "errorResponse":
          return [answer.value.errorCode, answer.value.errorMessage];
        default:
          return undefined;
      }
    },
    async end(): Promise<void> {
      await stream.end();
      assertEquals(await soon(stream.recvMessage()), null);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

Deno.test("ServerReflection answers file_by_filename, with the file or NOT_FOUND", async () => {
  for (const version of VERSIONS) {
    await using client = await connect([echo], { version });
    const by = (value: string) => client.ask({ case: "fileByFilename", value });
    assertEquals(await by("echo.proto"), ["echo.proto"]);
    assertEquals(await by("none.proto"), [
      5,
      'No file is named "none.proto"',
    ]);
    await client.end();
  }
});

Deno.test("ServerReflection answers file_containing_symbol, with the file or NOT_FOUND", async () => {
  for (const version of VERSIONS) {
    await using client = await connect([echo], { version });
    const of = (value: string) =>
      client.ask({ case: "fileContainingSymbol", value });
    const symbols = ["Echo", "Echo.Unary", "EchoRequest", "EchoReply.index"];
    for (const symbol of symbols) {
      assertEquals(await of(`grpclib.test.${symbol}`), ["echo.proto"], symbol);
    }
    assertEquals(await of("grpclib.test.None"), [
      5,
      'No file declares "grpclib.test.None"',
    ]);
    await client.end();
  }
});

Deno.test("ServerReflection answers questions about extensions", async () => {
  const registry = createRegistry(extensions);
  for (const version of VERSIONS) {
    await using client = await connect([echo], { version, registry });
    const numbers = (value: string) =>
      client.ask({ case: "allExtensionNumbersOfType", value });
    assertEquals(await numbers("grpclib.test.EchoRequest"), [
      "grpclib.test.EchoRequest",
    ]);
    assertEquals(await numbers("test.all.Outer"), [
      "test.all.Outer",
      ...[101, 102, 103],
    ]);
    assertEquals(await numbers("test.all.None"), [
      5,
      'No message is named "test.all.None"',
    ]);
    const of = (...value: [string, number]) =>
      client.ask({ case: "extension", value });
    assertEquals(await of("test.all.Outer", 102), [
      "test/extensions.proto",
      "test/all.proto",
    ]);
    assertEquals(await of("test.all.Outer", 9), [
      5,
      'No file declares extension 9 of "test.all.Outer"',
    ]);
    await client.end();
  }
});

Deno.test("ServerReflection answers list_services with the services that it was given", async () => {
  const codec = {
    [mapping]: () => ({
      "/test.Text/Call": {
        handle: () => {},
        cardinality: Cardinality.UNARY_UNARY,
        requestType: "text",
        replyType: "text",
      },
    }),
  };
  for (const version of VERSIONS) {
    await using client = await connect([echo, codec], { version });
    const list = { case: "listServices", value: "whatever" } as const;
    assertEquals(await client.ask(list), ["grpclib.test.Echo", "test.Text"]);
    // Of the other nothing is known but its name.
    const question = { case: "fileContainingSymbol", value: "test.Text" };
    assertEquals(await client.ask(question as Question), [
      5,
      'No file declares "test.Text"',
    ]);
    await client.end();
  }
});

Deno.test("ServerReflection answers a request without a question with INVALID_ARGUMENT, and goes on", async () => {
  for (const version of VERSIONS) {
    await using client = await connect([echo], { version });
    assertEquals(await client.ask({ case: undefined }), [
      3,
      "Request has none of the questions that this server knows",
    ]);
    assertEquals(await client.ask({ case: "listServices", value: "" }), [
      "grpclib.test.Echo",
    ]);
    await client.end();
  }
});

Deno.test("ServerReflection fills in the host and the request that it answers", async () => {
  for (const version of VERSIONS) {
    await using client = await connect([echo], { version });
    const questions: Asked[] = [
      { case: "listServices", value: "*" },
      { case: "fileByFilename", value: "none.proto" },
      { case: "fileContainingSymbol", value: "grpclib.test.Echo" },
    ];
    for (const question of questions) {
      const { validHost, originalRequest } = await client.respond(
        question,
        "some.host",
      );
      assertEquals(validHost, "some.host");
      assertEquals(originalRequest?.host, "some.host");
      assertEquals(originalRequest?.messageRequest, question as Question);
    }
    await client.end();
  }
});

Deno.test("ServerReflection sends what a file imports once in a stream, and the file whenever it is asked for", async () => {
  const left = fileOf({ name: "left.proto" }, all);
  const right = fileOf({ name: "right.proto" }, all);
  const top = fileOf(
    {
      name: "top.proto",
      messageType: [{ name: "Top" }],
    },
    left,
    right,
  );
  await using client = await connect([], { registry: createRegistry(top) });
  const by = (value: string) => client.ask({ case: "fileByFilename", value });
  assertEquals(await by("left.proto"), ["left.proto", "test/all.proto"]);
  assertEquals(await by("top.proto"), ["top.proto", "right.proto"]);
  assertEquals(await by("test/all.proto"), ["test/all.proto"]);
  assertEquals(await by("left.proto"), ["left.proto"]);
  await client.end();
});

Deno.test("ServerReflection finds what is added to a registry while it runs, and no more what was removed", async () => {
  const registry = createMutableRegistry();
  await using client = await connect([echo], { registry });
  const of = (value: string) =>
    client.ask({ case: "fileContainingSymbol", value });
  const none = [5, 'No file declares "test.all.Outer"'];
  assertEquals(await of("test.all.Outer"), none);
  registry.add(all.messages[0]!);
  assertEquals(await of("test.all.Outer"), ["test/all.proto"]);
  assertEquals(await of("test.all.Service.Call"), ["test/all.proto"]);
  registry.remove(all.messages[0]!);
  assertEquals(await of("test.all.Outer"), none);
  await client.end();
});

Deno.test("ServerReflection describes itself, though it does not list itself", async () => {
  await using client = await connect([]);
  assertEquals(await client.ask({ case: "listServices", value: "" }), []);
  for (const version of ["v1", "v1alpha"]) {
    const name = `grpc.reflection.${version}.ServerReflection`;
    const file = `grpc/reflection/${version}/reflection.proto`;
    const question = { case: "fileContainingSymbol", value: name } as const;
    assertEquals(await client.ask(question), [file]);
  }
  await client.end();
});

Deno.test("ServerReflection describes services by their files, however they were made", async () => {
  const service = {
    name: "lonely.proto",
    package: "test",
    service: [{
      name: "Lonely",
      method: [{
        name: "Call",
        inputType: ".google.protobuf.Empty",
        outputType: ".google.protobuf.Empty",
      }],
    }],
  };
  // No message leads to this file.
  const lonely = fileOf(service, EmptySchema.file);
  const call = () => ({});
  const made = createService(lonely.services[0]!, { call } as never);
  const written = { [mapping]: made[mapping] };
  const cases: [Service, ServerReflectionOptions, string][] = [
    [made, {}, "lonely.proto"],
    [written, { registry: createRegistry(lonely) }, "lonely.proto"],
    // From its handlers alone.
    [written, {}, "test.Lonely.proto"],
  ];
  for (const [service, options, file] of cases) {
    await using client = await connect([service], options);
    assertEquals(
      await client.ask({ case: "fileContainingSymbol", value: "test.Lonely" }),
      [file, "google/protobuf/empty.proto"],
    );
    await client.end();
  }
  await using client = await connect([echoWith({})]);
  assertEquals(
    await client.ask({
      case: "fileContainingSymbol",
      value: "grpclib.test.Echo",
    }),
    ["echo.proto"],
  );
  await client.end();
});

/** A service without a file. */
function handWritten(
  paths: Record<string, [Cardinality, unknown, unknown]>,
): Service {
  return {
    [mapping]: () =>
      Object.fromEntries(
        Object.entries(paths).map(([path, [cardinality, ...types]]) => [
          path,
          {
            handle: () => {},
            cardinality,
            requestType: types[0],
            replyType: types[1],
          },
        ]),
      ),
  };
}

Deno.test("ServerReflection makes a file for a service that was written by hand", async () => {
  const inner = all.messages[0]!.nestedMessages[0]!;
  const echoTypes = [EchoRequestSchema, EchoReplySchema] as const;
  await using client = await connect([handWritten({
    "/hand.v1.Written/One": [Cardinality.UNARY_UNARY, ...echoTypes],
    "/hand.v1.Written/Many": [Cardinality.UNARY_STREAM, EmptySchema, inner],
    "/hand.v1.Written/From": [Cardinality.STREAM_UNARY, inner, EmptySchema],
    "/hand.v1.Written/Both": [Cardinality.STREAM_STREAM, ...echoTypes],
    "/Bare/One": [Cardinality.UNARY_UNARY, ...echoTypes],
  })]);
  assertEquals(await client.ask({ case: "listServices", value: "" }), [
    "hand.v1.Written",
    "Bare",
  ]);
  const { messageResponse } = await client.respond({
    case: "fileContainingSymbol",
    value: "hand.v1.Written.Both",
  });
  const [file] = (messageResponse.value as {
    fileDescriptorProto: Uint8Array<ArrayBuffer>[];
  }).fileDescriptorProto;
  const proto = fromBinary(FileDescriptorProtoSchema, file!);
  assertEquals(proto.name, "hand.v1.Written.proto");
  assertEquals(proto.package, "hand.v1");
  assertEquals(proto.dependency.toSorted(), [
    "echo.proto",
    "google/protobuf/empty.proto",
    "test/all.proto",
  ]);
  const methods = proto.service[0]!.method.map((method) => [
    method.name,
    method.clientStreaming,
    method.serverStreaming,
    method.inputType,
    method.outputType,
  ]);
  const request = ".grpclib.test.EchoRequest";
  const reply = ".grpclib.test.EchoReply";
  const [empty, deep] = [".google.protobuf.Empty", ".test.all.Outer.Inner"];
  assertEquals(methods, [
    ["One", false, false, request, reply],
    ["Many", false, true, empty, deep],
    ["From", true, false, deep, empty],
    ["Both", true, true, request, reply],
  ]);
  const bare = { case: "fileContainingSymbol", value: "Bare.One" } as const;
  assertEquals(await client.ask(bare), ["Bare.proto"]);
  await client.end();
});

Deno.test("ServerReflection lists a service by its name alone where it cannot be described", async () => {
  const one = fileOf({
    name: "same.proto",
    package: "one",
    messageType: [{ name: "M" }],
  });
  const two = fileOf({
    name: "same.proto",
    package: "two",
    messageType: [{ name: "M" }],
  });
  const messages: [DescMessage, DescMessage] = [
    one.messages[0]!,
    two.messages[0]!,
  ];
  const { UNARY_UNARY } = Cardinality;
  const services = {
    "/not-a-name/Call": [UNARY_UNARY, EmptySchema, EmptySchema],
    "/test.Dotted/a.b": [UNARY_UNARY, EmptySchema, EmptySchema],
    "/test.Half/Call": [UNARY_UNARY, EmptySchema, "text"],
    "/test.None/Call": [UNARY_UNARY, null, undefined],
    "/test.Twice/Call": [UNARY_UNARY, ...messages],
  } satisfies Record<string, [Cardinality, unknown, unknown]>;
  await using client = await connect([handWritten(services)]);
  const names = Object.keys(services).map((path) => path.split("/")[1]!);
  assertEquals(await client.ask({ case: "listServices", value: "" }), names);
  for (const value of names) {
    const answer = await client.ask({ case: "fileContainingSymbol", value });
    assertEquals(answer, [5, `No file declares "${value}"`]);
  }
  await client.end();
});

Deno.test("ServerReflection.extend() leaves the services as they are, and adds one", () => {
  const services = [echo];
  const extended = ServerReflection.extend(services);
  assertEquals(services.length, 1);
  assertEquals(extended.length, 2);
  assertEquals(extended[0], echo);
  assertEquals(ServerReflection.extend(new Set(extended)).length, 3);
});

Deno.test("ServerReflection.extend() throws when a service is none", () => {
  const none: [unknown, string][] = [[null, "null"], [{}, "object"]];
  for (const [service, received] of none) {
    assertThrows(
      () => ServerReflection.extend([service as Service]),
      TypeError,
      `Cannot describe services: a service needs a [mapping]() method, received ${received}`,
    );
  }
});

Deno.test("ServerReflection describes the standard details of errors", async () => {
  await using reflection = await connect([echo]);
  const details = "google/rpc/error_details.proto";
  for (
    const [name, files] of [
      ["RetryInfo", [details, "google/protobuf/duration.proto"]],
      // What the client has got is not sent again.
      ["BadRequest.FieldViolation", [details]],
    ] as const
  ) {
    const value = `google.rpc.${name}`;
    const answer = await reflection.ask({
      case: "fileContainingSymbol",
      value,
    });
    assertEquals(answer, [...files]);
  }
  assertEquals(
    await reflection.ask({ case: "listServices", value: "" }),
    ["grpclib.test.Echo"],
  );
  await reflection.end();
});
