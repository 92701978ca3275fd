// What a server answers to requests that are none, sent frame by frame. Each of
// them has to get the status that the documents give it, before any handler
// runs, and the connection has to stay good for the calls that follow.

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { Status } from "../../core/status.ts";
import {
  type EchoHandlers,
  PATHS,
  startEcho,
} from "../../_testdata/echo_service.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import {
  grpcMessage,
  RawConnection,
  type Reply,
  requestFields,
} from "../../_testdata/raw_h2.ts";
import { compressors } from "../../_zlib.ts";
import { soon } from "../../_testdata/waiting.ts";

const HELLO = toBinary(
  EchoRequestSchema,
  create(EchoRequestSchema, { text: "hello" }),
);
const GOOD = grpcMessage(HELLO);
const MIB = 1024 * 1024;

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** A request, as far as it differs from a good unary one. */
interface BadRequest {
  readonly what: string;
  readonly path?: string;
  readonly fields?: Readonly<Record<string, string | null>>;
  readonly body?: Uint8Array;
  /** Whether the request ends with its body, or stays open. */
  readonly end?: boolean;
  readonly http?: string;
  readonly status: Status;
  readonly message: RegExp;
}

const UNKNOWN_PATHS = [
  "/grpclib.test.Echo/Nope",
  "/nope/Unary",
  "/",
  "/grpclib.test.Echo/Unary/",
];

const HEAD_FAULTS: readonly BadRequest[] = [
  ...["GET", "PUT", "OPTIONS", "HEAD"].map((method) => ({
    what: `has the method ${method}`,
    fields: { ":method": method },
    http: "405",
    status: Status.UNKNOWN,
    message: /POST/,
  })),
  ...[
    null,
    "text/html",
    "application/json",
    "application/grpc-web",
    "application/grpc+json",
    "",
  ]
    .map((contentType) => ({
      what: `has the content-type ${contentType}`,
      fields: { "content-type": contentType },
      http: "415",
      status: Status.UNKNOWN,
      message: /content-type/,
    })),
  {
    what: "lacks te",
    fields: { te: null },
    http: "400",
    status: Status.UNKNOWN,
    message: /te: trailers/,
  },
  ...["soon", "1", "S", "-1S", "1.5S", "123456789S", "1s", "10 S", ""].map((
    timeout,
  ) => ({
    what: `has the timeout "${timeout}"`,
    fields: { "grpc-timeout": timeout },
    status: Status.UNKNOWN,
    message: /grpc-timeout/,
  })),
  {
    what: "has a timeout that is over",
    fields: { "grpc-timeout": "0n" },
    status: Status.DEADLINE_EXCEEDED,
    message: /Deadline/,
  },
  ...["snappy", "GZIP", "x"].map((encoding) => ({
    what: `names the encoding ${encoding}`,
    fields: { "grpc-encoding": encoding },
    status: Status.UNIMPLEMENTED,
    message: /grpc-encoding/,
  })),
  ...["a", "!!!!", "AAAA,a", "AA=A"].map((value) => ({
    what: `has the binary metadata "${value}"`,
    fields: { "trace-bin": value },
    status: Status.INTERNAL,
    message: /trace-bin/,
  })),
  {
    what: "has binary metadata that is a list of thousands of values",
    fields: { "trace-bin": ",".repeat(10_000) },
    status: Status.RESOURCE_EXHAUSTED,
    message: /65536 bytes of maxHeaderListSize/,
  },
  ...UNKNOWN_PATHS.map((path) => ({
    what: `asks for the path ${path}`,
    path,
    status: Status.UNIMPLEMENTED,
    message: /not found/i,
  })),
];

const BODY_FAULTS: readonly BadRequest[] = [
  {
    what: "announces a message of 4 GiB",
    body: grpcMessage(HELLO, { length: 0xffff_ffff }),
    end: false,
    status: Status.RESOURCE_EXHAUSTED,
    message: /4294967295 bytes .* 4194304/,
  },
  {
    what: "announces a message of a byte more than the limit",
    body: grpcMessage(HELLO, { length: 4 * MIB + 1 }),
    end: false,
    status: Status.RESOURCE_EXHAUSTED,
    message: /4194305 bytes/,
  },
  {
    what: "ends in the middle of a message",
    body: grpcMessage(HELLO, { length: HELLO.length + 1 }),
    status: Status.INTERNAL,
    message: /middle of a message/,
  },
  {
    what: "ends in the middle of a prefix",
    body: Uint8Array.of(0, 0, 0),
    status: Status.INTERNAL,
    message: /middle of a message/,
  },
  {
    what: "ends in the middle of a second message",
    body: joined(GOOD, Uint8Array.of(0)),
    status: Status.INTERNAL,
    message: /middle of a message/,
  },
  ...[2, 0x80, 0xff].map((flag) => ({
    what: `has the flag byte ${flag}`,
    body: grpcMessage(HELLO, { flag }),
    end: false,
    status: Status.INTERNAL,
    message: /flag/,
  })),
  {
    what: "has a compressed message without naming an encoding",
    body: grpcMessage(HELLO, { flag: 1 }),
    status: Status.INTERNAL,
    message: /compressed/,
  },
  {
    what: "has a compressed message and names the encoding identity",
    fields: { "grpc-encoding": "identity" },
    body: grpcMessage(HELLO, { flag: 1 }),
    status: Status.INTERNAL,
    message: /compressed/,
  },
  ...[...compressors.values()].flatMap((compressor) => [
    {
      what: `has a compressed message that is no ${compressor.name}`,
      fields: { "grpc-encoding": compressor.name },
      body: grpcMessage(HELLO, { flag: 1 }),
      status: Status.INTERNAL,
      message: new RegExp(`not well-formed ${compressor.name}`),
    },
    {
      what:
        `has a message that inflates to more than the limit by ${compressor.name}`,
      fields: { "grpc-encoding": compressor.name },
      body: grpcMessage(compressor.compress(new Uint8Array(4 * MIB + 1)), {
        flag: 1,
      }),
      status: Status.RESOURCE_EXHAUSTED,
      message: /inflates to more than the 4194304/,
    },
  ]),
  {
    what: "has no message",
    body: new Uint8Array(),
    status: Status.UNIMPLEMENTED,
    message: /no message/,
  },
  {
    what: "has two messages",
    body: joined(GOOD, GOOD),
    status: Status.UNIMPLEMENTED,
    message: /more than one message/,
  },
  {
    what: "has two messages and goes on",
    body: joined(GOOD, GOOD),
    end: false,
    status: Status.UNIMPLEMENTED,
    message: /more than one message/,
  },
  {
    what: "has a message that is not of the request's type",
    body: grpcMessage(Uint8Array.of(0x0a, 0x7f, 0x00)),
    status: Status.INTERNAL,
    message: /decode/,
  },
];

/** A server whose handlers count. */
async function startCounting() {
  let started = 0;
  const count = () => void started++;
  const handlers: EchoHandlers = {
    unary: async (stream) => {
      count();
      const { text } = await stream.recvMessage();
      await stream.sendMessage({ text });
    },
    serverStream: count,
    clientStream: count,
    bidi: count,
  };
  const pair = await startEcho({ handlers });
  return {
    port: pair.port,
    get started() {
      return started;
    },
    [Symbol.asyncDispose]: () => pair[Symbol.asyncDispose](),
  };
}

async function send(
  connection: RawConnection,
  streamId: number,
  request: Partial<BadRequest>,
): Promise<Reply> {
  const { path = PATHS.unary, fields = {}, body = GOOD, end = true } = request;
  await connection.headers(streamId, requestFields(path, fields));
  await connection.data(streamId, body, { end });
  return await soon(connection.reply(streamId), "a reply");
}

function assertGood(reply: Reply): void {
  assertEquals(reply.trailers["grpc-status"], "0");
  assertEquals(
    fromBinary(EchoReplySchema, reply.data.subarray(5)).text,
    "hello",
  );
}

for (const request of [...HEAD_FAULTS, ...BODY_FAULTS]) {
  const { what, fields, http = "200", status, message } = request;
  Deno.test(`Server refuses the call when the request ${what}`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.port);

    const answer = await send(connection, 1, request);
    assertEquals(answer.head[":status"], http);
    assertEquals(answer.head["content-type"], "application/grpc+proto");
    assertEquals(answer.trailers["grpc-status"], `${status}`);
    assertMatch(decodeURIComponent(answer.trailers["grpc-message"]!), message);
    if (status === Status.UNIMPLEMENTED && fields?.["grpc-encoding"]) {
      assertEquals(
        answer.head["grpc-accept-encoding"],
        "identity,gzip,deflate,zstd,br",
      );
    }
    assertEquals(answer.data.length, 0);
    assert(answer.ended);
    assertEquals(server.started, 0);

    assertGood(await send(connection, 3, {}));
    assertEquals(server.started, 1);
  });
}

const TOLERATED: readonly (Partial<BadRequest> & { readonly what: string })[] =
  [
    {
      what: "has the content-type in capitals",
      fields: { "content-type": "Application/GRPC" },
    },
    {
      what: "has the content-type application/grpc+proto",
      fields: { "content-type": "application/grpc+proto" },
    },
    {
      what: "has a content-type with parameters",
      fields: { "content-type": "application/grpc; charset=utf-8" },
    },
    { what: "has padded binary metadata", fields: { "trace-bin": "AAE=" } },
    {
      what: "has a list of binary metadata",
      fields: { "trace-bin": "AAE, AAI=,AA" },
    },
    {
      what: "has metadata with bytes that are not ASCII",
      fields: { "trace": "\xfc\xff" },
    },
    { what: "has an empty field", fields: { "trace": "" } },
    ...[...compressors.values()].flatMap((compressor) => [
      {
        what: `has a message compressed by ${compressor.name}`,
        fields: { "grpc-encoding": compressor.name },
        body: grpcMessage(compressor.compress(HELLO), { flag: 1 }),
      },
      {
        what: `names the encoding ${compressor.name} and does not use it`,
        fields: { "grpc-encoding": compressor.name },
      },
    ]),
    {
      what: "names the encoding identity",
      fields: { "grpc-encoding": "identity" },
    },
  ];

for (const request of TOLERATED) {
  Deno.test(`Server serves the call when the request ${request.what}`, async () => {
    await using server = await startCounting();
    using connection = await RawConnection.open(server.port);
    assertGood(await send(connection, 1, request));
    assertEquals(server.started, 1);
  });
}

Deno.test("Server compresses replies for clients alone that accept it", async () => {
  const text = "words ".repeat(1000);
  const cases: [string | null, string | undefined][] = [
    [null, undefined],
    ["identity", undefined],
    ["identity,deflate", undefined],
    ["identity, gzip", "gzip"],
  ];
  for (const [accepted, expected] of cases) {
    await using pair = await startEcho({ server: { compression: "gzip" } });
    using connection = await RawConnection.open(pair.port);
    const { head, data, trailers } = await send(connection, 1, {
      fields: { "grpc-accept-encoding": accepted },
      body: grpcMessage(
        toBinary(EchoRequestSchema, create(EchoRequestSchema, { text })),
      ),
    });
    assertEquals(trailers["grpc-status"], "0");
    assertEquals(head["grpc-encoding"], expected);
    assertEquals(data[0], expected === undefined ? 0 : 1);
  }
});
