/** The status that a client call ends with, for each reply that is no good. */

import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { FakeChannel } from "../../_testdata/fake_channel.ts";
import {
  CLEAN,
  type FakeStream,
  type Fields,
  frameOf,
  OK_HEAD,
  textFrame,
} from "../../_testdata/fake_stream.ts";
import { GRPCError, StreamTerminatedError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";

/** A reply of the peer, and what the caller of a unary method gets. */
interface Case {
  readonly when: string;
  readonly replies: (stream: FakeStream) => void;
  readonly status: Status;
  readonly message: string | RegExp;
  /** What the call does to the stream then; nothing if left out. */
  readonly then?: string;
}

const head = (fields: Fields) => (stream: FakeStream) =>
  stream.peerHead(fields);
const only = (fields: Fields) => (stream: FakeStream) => {
  stream.peerHead({ ...OK_HEAD, ...fields }, true);
  stream.close(CLEAN);
};
const trailers = (fields: Fields) => (stream: FakeStream) => {
  stream.peerHead();
  stream.peerEnds(fields);
};
const bytes = (chunk: Uint8Array) => (stream: FakeStream) => {
  stream.peerHead();
  stream.peerBytes(chunk);
};

const HTTP: Record<string, Status> = {
  "301": Status.UNKNOWN,
  "400": Status.INTERNAL,
  "401": Status.UNAUTHENTICATED,
  "403": Status.PERMISSION_DENIED,
  "404": Status.UNIMPLEMENTED,
  "429": Status.UNAVAILABLE,
  "431": Status.UNKNOWN,
  "500": Status.UNKNOWN,
  "502": Status.UNAVAILABLE,
  "503": Status.UNAVAILABLE,
  "504": Status.UNAVAILABLE,
  "508": Status.UNKNOWN,
};

const CASES: readonly Case[] = [
  ...Object.entries(HTTP).map(([http, status]): Case => ({
    when: `the HTTP status is ${http}`,
    replies: head({ ":status": http, "content-type": "text/html" }),
    status,
    message: `Received :status = '${http}'`,
    then: "reset CANCEL",
  })),
  {
    when: "there is no HTTP status",
    replies: head({ "content-type": "application/grpc" }),
    status: Status.UNKNOWN,
    message: "Received :status = 'NaN'",
    then: "reset CANCEL",
  },
  {
    when: "a grpc-status comes with an HTTP status",
    replies: only({
      ":status": "503",
      "grpc-status": "7",
      "grpc-message": "No entry",
    }),
    status: Status.PERMISSION_DENIED,
    message: "No entry",
  },
  {
    when: "there is no content-type, not even with status OK",
    replies: (stream) =>
      stream.peerHead({ ":status": "200", "grpc-status": "0" }, true),
    status: Status.UNKNOWN,
    message: "Missing content-type header",
    then: "reset CANCEL",
  },
  ...[
    "text/invalid",
    "application/grpc-web",
    "application/grpcx",
    "application/grpc+json",
  ].map((contentType): Case => ({
    when: `the content-type is ${contentType}`,
    replies: head({ ":status": "200", "content-type": contentType }),
    status: Status.UNKNOWN,
    message: `Invalid content-type: '${contentType}'`,
    then: "reset CANCEL",
  })),
  ...[["in trailers only", only], ["in trailers", trailers]].map((
    [where, replies],
  ): Case[] => {
    const replyWith = replies as typeof only;
    return [
      {
        when: `a status without a message comes ${where}`,
        replies: replyWith({ "grpc-status": "15" }),
        status: Status.DATA_LOSS,
        message: "",
      },
      {
        when: `a status with an encoded message comes ${where}`,
        replies: replyWith({
          "grpc-status": "15",
          "grpc-message": "Gr%C3%B6%C3%9Fe%20%zz",
        }),
        status: Status.DATA_LOSS,
        message: "Größe %zz",
      },
      {
        when: `there is no grpc-status ${where}`,
        replies: replyWith({ "x": "y" }),
        status: Status.UNKNOWN,
        message: "Missing grpc-status header",
      },
      ...["invalid_number", "-42", "17", "", "0x0", " 0"].map((code): Case => ({
        when: `the grpc-status ${where} is '${code}'`,
        replies: replyWith({ "grpc-status": code }),
        status: Status.UNKNOWN,
        message: `Invalid grpc-status: '${code}'`,
      })),
      {
        when: `status OK comes ${where} without a message before`,
        replies: replyWith({ "grpc-status": "0" }),
        status: Status.UNIMPLEMENTED,
        message: "Received no message in reply to a call with a unary reply",
      },
    ];
  }).flat(),
  {
    when: "a status follows a message",
    replies: (stream) => {
      stream.peerHead();
      stream.peerSends("Hello");
      stream.peerEnds({ "grpc-status": "8", "grpc-message": "Too much" });
    },
    status: Status.RESOURCE_EXHAUSTED,
    message: "Too much",
  },
  {
    when: "there are two messages",
    replies: (stream) => {
      stream.peerHead();
      stream.peerSends("Hello", "Hello");
    },
    status: Status.UNIMPLEMENTED,
    message:
      "Received more than one message in reply to a call with a unary reply",
    then: "reset CANCEL",
  },
  {
    when: "the stream ends without trailers",
    replies: trailers({}),
    status: Status.INTERNAL,
    message: "The server ended the stream without a status",
  },
  {
    when: "the stream is closed in good order without a status",
    replies: (stream) => {
      stream.peerHead();
      stream.close(CLEAN);
    },
    status: Status.INTERNAL,
    message: "The server ended the stream without a status",
  },
  {
    when: "status OK comes in the middle of a message",
    replies: (stream) => {
      bytes(textFrame("Hello").subarray(0, 7))(stream);
      stream.peerEnds({ "grpc-status": "0" });
    },
    status: Status.INTERNAL,
    message: "The server ended the stream in the middle of a message",
  },
  {
    when: "a status comes in the middle of a message",
    replies: (stream) => {
      bytes(textFrame("Hello").subarray(0, 3))(stream);
      stream.peerEnds({ "grpc-status": "5", "grpc-message": "Not here" });
    },
    status: Status.NOT_FOUND,
    message: "Not here",
  },
  {
    when: "a message is larger than allowed",
    replies: bytes(frameOf(new Uint8Array(1001)).subarray(0, 5)),
    status: Status.RESOURCE_EXHAUSTED,
    message: /^Received message is too large: 1001 bytes/,
    then: "reset CANCEL",
  },
  {
    when: "the flag of a message is neither 0 nor 1",
    replies: bytes(frameOf(new Uint8Array(), 2)),
    status: Status.INTERNAL,
    message: /^Received message is malformed/,
    then: "reset CANCEL",
  },
  {
    when: "a message is compressed",
    replies: (stream) => {
      bytes(frameOf(new Uint8Array(), 1))(stream);
      stream.peerEnds({ "grpc-status": "0" });
    },
    status: Status.INTERNAL,
    message: /^Received a compressed message/,
  },
  {
    when: "a message cannot be decoded",
    replies: (stream) => {
      bytes(frameOf(new Uint8Array([0xff])))(stream);
      stream.peerEnds({ "grpc-status": "0" });
    },
    status: Status.INTERNAL,
    message: "Cannot decode the reply",
  },
];

for (const { when, replies, status, message, then } of CASES) {
  Deno.test(`ClientCall() fails with the status of the documents when ${when}`, async () => {
    const channel = new FakeChannel({
      config: { maxReceiveMessageSize: 1000 },
    });
    const reply = channel.unaryUnary({ value: "Ada" });
    replies(channel.stream);
    const error = await assertRejects(() => reply, GRPCError);
    assertEquals(error.status, status);
    if (typeof message === "string") assertEquals(error.message, message);
    else assertMatch(error.message, message);
    assertEquals(error instanceof StreamTerminatedError, false);
    assertEquals(channel.stream.log, [
      "head",
      "message Ada end",
      ...(then === undefined ? [] : [then]),
    ]);
  });
}
