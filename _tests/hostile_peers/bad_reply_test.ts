// What a client makes of answers that are none, sent frame by frame: each has to
// end the call with the status that the documents give it, at once, and leave a
// channel on which the next call goes well.

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { deadlines } from "../../_call/cancellation.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  CALLS,
  REPLY,
  REPLY_MESSAGE,
  type Replying,
  replyWith,
  serveFirst,
} from "../../_testdata/raw_replies.ts";
import {
  type Field,
  grpcMessage,
  OK_TRAILERS,
  RESPONSE_HEAD,
} from "../../_testdata/raw_h2.ts";
import { compressors } from "../../_zlib.ts";
import { soon } from "../../_testdata/waiting.ts";

function statusHead(status: string, ...more: Field[]): Field[] {
  return [[":status", status], ...more];
}

function headOf(encoding: string | null): readonly Field[] {
  if (encoding === null) return RESPONSE_HEAD;
  return [...RESPONSE_HEAD, ["grpc-encoding", encoding]];
}

function trailersOnly(...trailers: Field[]): Replying {
  return replyWith([...RESPONSE_HEAD, ...trailers]);
}

interface BadAnswer {
  readonly what: string;
  readonly replying: Replying;
  readonly status: Status;
  readonly message: RegExp;
  /** What kind of call it is bad for, if not for each. */
  readonly only?: string;
}

const HTML: Field = ["content-type", "text/html"];
const LIST: Field = ["trace-bin", ",".repeat(10_000)];
const PAGE = new TextEncoder().encode("<html>".padEnd(3000, "Sorry! "));

// https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
const STATUS_OF_HTTP: Readonly<Record<string, Status>> = {
  204: Status.UNKNOWN,
  302: Status.UNKNOWN,
  400: Status.INTERNAL,
  401: Status.UNAUTHENTICATED,
  403: Status.PERMISSION_DENIED,
  404: Status.UNIMPLEMENTED,
  415: Status.UNKNOWN,
  429: Status.UNAVAILABLE,
  431: Status.UNKNOWN,
  500: Status.UNKNOWN,
  502: Status.UNAVAILABLE,
  503: Status.UNAVAILABLE,
  504: Status.UNAVAILABLE,
};

const HEADS: readonly BadAnswer[] = [
  ...Object.entries(STATUS_OF_HTTP).map(([http, status]) => ({
    what: `has the HTTP status ${http}`,
    replying: replyWith(statusHead(http)),
    status,
    message: new RegExp(`:status = '${http}'`),
  })),
  {
    what: "is an HTML page with the HTTP status 503",
    replying: replyWith(statusHead("503", HTML), PAGE),
    status: Status.UNAVAILABLE,
    message: /503/,
  },
  {
    what: "is an HTML page with the HTTP status 503 that does not end",
    replying: async (connection, streamId) => {
      await connection.headers(streamId, statusHead("503", HTML));
      await connection.data(streamId, PAGE);
    },
    status: Status.UNAVAILABLE,
    message: /503/,
  },
  {
    what: "is an HTML page with the HTTP status 200",
    replying: replyWith(statusHead("200", HTML), PAGE),
    status: Status.UNKNOWN,
    message: /content-type: 'text\/html'/,
  },
  {
    what: "has no content-type",
    replying: replyWith(statusHead("200"), REPLY_MESSAGE, OK_TRAILERS),
    status: Status.UNKNOWN,
    message: /Missing content-type/,
  },
  {
    what: "has the content-type of another codec",
    replying: replyWith(
      statusHead("200", ["content-type", "application/grpc+json"]),
      REPLY_MESSAGE,
      OK_TRAILERS,
    ),
    status: Status.UNKNOWN,
    message: /grpc\+json/,
  },
];

const LISTS: readonly BadAnswer[] = [
  {
    what: "has thousands of values in a list of its initial metadata",
    replying: replyWith([...RESPONSE_HEAD, LIST], REPLY_MESSAGE, OK_TRAILERS),
    status: Status.RESOURCE_EXHAUSTED,
    message: /initial metadata .* 65536 bytes of maxHeaderListSize/,
  },
  {
    what: "has thousands of values in a list of its trailing metadata",
    replying: replyWith(RESPONSE_HEAD, REPLY_MESSAGE, [...OK_TRAILERS, LIST]),
    status: Status.RESOURCE_EXHAUSTED,
    message: /trailing metadata .* 65536 bytes of maxHeaderListSize/,
  },
  {
    what: "is only trailers with thousands of values in a list",
    replying: trailersOnly(...OK_TRAILERS, LIST),
    status: Status.RESOURCE_EXHAUSTED,
    message: /metadata .* 65536 bytes of maxHeaderListSize/,
  },
];

const BODIES: readonly BadAnswer[] = [
  {
    what: "has a message cut off by its trailers",
    replying: replyWith(
      RESPONSE_HEAD,
      REPLY_MESSAGE.subarray(0, 9),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /middle of a message/,
  },
  {
    what: "announces a message of 4 GiB",
    replying: async (connection, streamId) => {
      await connection.headers(streamId, RESPONSE_HEAD);
      const message = grpcMessage(REPLY, { length: 0xffff_ffff });
      await connection.data(streamId, message);
    },
    status: Status.RESOURCE_EXHAUSTED,
    message: /4294967295 bytes .* 4194304/,
  },
  {
    what: "has a message over the limit",
    replying: replyWith(
      RESPONSE_HEAD,
      grpcMessage(REPLY, { length: 4 * 1024 * 1024 + 1 }),
      OK_TRAILERS,
    ),
    status: Status.RESOURCE_EXHAUSTED,
    message: /4194305 bytes/,
  },
  ...[null, "identity"].map((encoding) => ({
    what: `has a compressed message and names the encoding ${encoding}`,
    replying: replyWith(
      headOf(encoding),
      grpcMessage(REPLY, { flag: 1 }),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /compressed/,
  })),
  ...["snappy", "GZIP", ""].map((encoding) => ({
    what: `names the encoding "${encoding}"`,
    replying: replyWith(headOf(encoding), REPLY_MESSAGE, OK_TRAILERS),
    status: Status.INTERNAL,
    message: /Unsupported grpc-encoding/,
  })),
  ...[...compressors.values()].flatMap((compressor) => [
    {
      what: `has a compressed message that is no ${compressor.name}`,
      replying: replyWith(
        headOf(compressor.name),
        grpcMessage(REPLY, { flag: 1 }),
        OK_TRAILERS,
      ),
      status: Status.INTERNAL,
      message: /not well-formed/,
    },
    {
      what:
        `has a message that inflates to more than the limit by ${compressor.name}`,
      replying: replyWith(
        headOf(compressor.name),
        grpcMessage(compressor.compress(new Uint8Array(4 * 1024 * 1024 + 1)), {
          flag: 1,
        }),
        OK_TRAILERS,
      ),
      status: Status.RESOURCE_EXHAUSTED,
      message: /inflates to more than the 4194304/,
    },
  ]),
  {
    what: "has a message with the flag byte 2",
    replying: replyWith(
      RESPONSE_HEAD,
      grpcMessage(REPLY, { flag: 2 }),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /flag/,
  },
  {
    what: "has a message that is not of the reply's type",
    replying: replyWith(
      RESPONSE_HEAD,
      grpcMessage(Uint8Array.of(0x0a, 0x7f)),
      OK_TRAILERS,
    ),
    status: Status.INTERNAL,
    message: /decode/,
  },
  {
    what: "has two messages",
    replying: replyWith(
      RESPONSE_HEAD,
      Uint8Array.of(...REPLY_MESSAGE, ...REPLY_MESSAGE),
      OK_TRAILERS,
    ),
    status: Status.UNIMPLEMENTED,
    message: /more than one message/,
    only: "a unary reply",
  },
  {
    what: "has no message",
    replying: replyWith(RESPONSE_HEAD, undefined, OK_TRAILERS),
    status: Status.UNIMPLEMENTED,
    message: /no message/,
    only: "a unary reply",
  },
  {
    what: "is trailers with OK alone",
    replying: trailersOnly(...OK_TRAILERS),
    status: Status.UNIMPLEMENTED,
    message: /no message/,
    only: "a unary reply",
  },
];

const BAD_STATUSES = ["abc", "-1", "17", "1.5", "", "0x5", "99999999999", "OK"];

const TRAILERS: readonly BadAnswer[] = [
  {
    what: "ends without trailers",
    replying: replyWith(RESPONSE_HEAD, REPLY_MESSAGE),
    status: Status.INTERNAL,
    message: /without a status/,
  },
  {
    what: "ends with its head",
    replying: replyWith(RESPONSE_HEAD),
    status: Status.UNKNOWN,
    message: /Missing grpc-status/,
  },
  {
    what: "has trailers without grpc-status",
    replying: replyWith(RESPONSE_HEAD, REPLY_MESSAGE, [["trace", "a"]]),
    status: Status.UNKNOWN,
    message: /Missing grpc-status/,
  },
  ...BAD_STATUSES.flatMap((status) => [
    {
      what: `has the grpc-status "${status}"`,
      replying: replyWith(RESPONSE_HEAD, REPLY_MESSAGE, [[
        "grpc-status",
        status,
      ]]),
      status: Status.UNKNOWN,
      message: /Invalid grpc-status/,
    },
    {
      what: `is trailers with the grpc-status "${status}" alone`,
      replying: trailersOnly(["grpc-status", status]),
      status: Status.UNKNOWN,
      message: /Invalid grpc-status/,
    },
  ]),
  {
    what: "has two grpc-status fields",
    replying: replyWith(RESPONSE_HEAD, REPLY_MESSAGE, [
      ...OK_TRAILERS,
      ...OK_TRAILERS,
    ]),
    status: Status.UNKNOWN,
    message: /Invalid grpc-status: '0, 0'/,
  },
  {
    what: "is trailers with an error alone",
    replying: trailersOnly(
      ["grpc-status", "5"],
      ["grpc-message", "nicht gefunden: %F0%9F%94%8D %zz %"],
    ),
    status: Status.NOT_FOUND,
    message: /^nicht gefunden: 🔍 %zz %$/,
  },
  {
    what: "is trailers with an error alone, and the HTTP status 400",
    replying: replyWith([
      ...statusHead("400", RESPONSE_HEAD[1]!),
      ["grpc-status", "3"],
      ["grpc-message", "no"],
    ]),
    status: Status.INVALID_ARGUMENT,
    message: /^no$/,
  },
];

for (
  const { what, replying, status, message, only } of [
    ...HEADS,
    ...LISTS,
    ...BODIES,
    ...TRAILERS,
  ]
) {
  for (const [kind, call] of Object.entries(CALLS)) {
    if (only !== undefined && only !== kind) continue;
    Deno.test(`Channel fails the call when the reply to a call for ${kind} ${what}`, async () => {
      await using server = serveFirst(replying);
      await using channel = new Channel("127.0.0.1", server.port);
      const stub = createStub(Echo, channel);
      const error = await assertRejects(() => soon(call(stub)), GRPCError);
      assertEquals(error.status, status);
      assertMatch(error.message, message);
      assertEquals(deadlines.size, 0);

      assertEquals(await soon(call(stub)), ["hello"]);
      assertEquals(server.accepted, 1);
    });
  }
}
