/** Which requests a server takes, and what it answers to the others. */

import { assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { FakeClock } from "../../_testdata/fake_clock.ts";
import { FakeServer, requestFields } from "../../_testdata/fake_server.ts";
import {
  CLEAN,
  closed,
  type Fields,
  textFrame,
} from "../../_testdata/fake_stream.ts";
import { allTurns } from "../../_testdata/states.ts";
import type { Codec } from "../../core/codec.ts";
import { Status } from "../../core/status.ts";
import { deadlines } from "../cancellation.ts";

/** A server that answers every request with its own text. */
function echo(options: { codec?: Codec } = {}): FakeServer {
  return new FakeServer({
    async UNARY_UNARY(stream) {
      await stream.sendMessage(await stream.recvMessage());
    },
    async STREAM_STREAM(stream) {
      for await (const message of stream) await stream.sendMessage(message);
    },
  }, options);
}

function without(name: string): Fields {
  const { [name]: _, ...fields } = requestFields("UNARY_UNARY");
  return fields;
}

function withField(name: string, value: string): Fields {
  return { ...requestFields("UNARY_UNARY"), [name]: value };
}

interface Refusal {
  readonly when: string;
  readonly fields: Fields;
  readonly http: string;
  readonly status: Status;
  readonly message: string;
  readonly more?: Fields;
}

const TE_MISSING = 'Required "te: trailers" header is missing';

const REFUSALS: readonly Refusal[] = [
  ...["GET", "PUT", "post"].map((method): Refusal => ({
    when: `the method is ${method}`,
    fields: withField(":method", method),
    http: "405",
    status: Status.UNKNOWN,
    message: `Cannot serve ${method}: gRPC uses POST`,
  })),
  {
    when: "there is no content-type",
    fields: without("content-type"),
    http: "415",
    status: Status.UNKNOWN,
    message: "Missing content-type header",
  },
  ...[
    "text/invalid",
    "application/grpc+invalid",
    "application/grpc-web+proto",
    "application/grpcx",
  ].map((type): Refusal => ({
    when: `the content-type is ${type}`,
    fields: withField("content-type", type),
    http: "415",
    status: Status.UNKNOWN,
    message: `Unacceptable content-type header: "${type}"`,
  })),
  {
    when: "there is no te",
    fields: without("te"),
    http: "400",
    status: Status.UNKNOWN,
    message: TE_MISSING,
  },
  {
    when: "te is gzip",
    fields: withField("te", "gzip"),
    http: "400",
    status: Status.UNKNOWN,
    message: TE_MISSING,
  },
  {
    when: "nobody serves the path",
    fields: withField(":path", "/test.Test/Nothing"),
    http: "200",
    status: Status.UNIMPLEMENTED,
    message: "Method not found: /test.Test/Nothing",
  },
  {
    when: "nobody serves the path, which is longer than a message may be",
    fields: withField(":path", `/${"%".repeat(25_000)}`),
    http: "200",
    status: Status.UNIMPLEMENTED,
    message: `Method not found: /${"%25".repeat(1024 - 19)}`,
  },
  {
    when: "there is no path",
    fields: without(":path"),
    http: "200",
    status: Status.UNIMPLEMENTED,
    message: "Method not found:%20",
  },
  ...["invalid", "5", "S", "100000000S", "1.5S", "-1S", ""].map((
    timeout,
  ): Refusal => ({
    when: `the grpc-timeout is '${timeout}'`,
    fields: withField("grpc-timeout", timeout),
    http: "200",
    status: Status.UNKNOWN,
    message: `Invalid grpc-timeout header: "${timeout}"`,
  })),
  {
    when: "a -bin field is not base64",
    fields: withField("trace-bin", "AQID,A"),
    http: "200",
    status: Status.INTERNAL,
    message: 'Invalid metadata: the value of "trace-bin" is not base64',
  },
  {
    when: "the messages are compressed",
    fields: withField("grpc-encoding", "gzip"),
    http: "200",
    status: Status.UNIMPLEMENTED,
    message: 'Unsupported grpc-encoding header: "gzip"',
    more: { "grpc-accept-encoding": "identity" },
  },
];

for (const { when, fields, http, status, message, more } of REFUSALS) {
  Deno.test(`serve() answers with one head and starts nothing when ${when}`, async () => {
    const server = echo();
    const stream = server.openRaw(fields);
    stream.peerBytes(textFrame("Ada"));
    stream.peerEnds();
    stream.close(CLEAN);
    await allTurns();
    assertEquals(stream.log, ["head end"]);
    assertEquals(stream.head, {
      ":status": http,
      "content-type": "application/grpc+proto",
      "grpc-status": `${status}`,
      "grpc-message": message,
      ...more,
    });
    assertEquals(server.counts, [0, 0]);
    assertEquals(server.errors, []);
    assertEquals(deadlines.size, 0);
  });
}

for (
  const [name, value] of [
    ["content-type", "application/grpc+proto"],
    ["content-type", "application/grpc; charset=utf-8"],
    ["content-type", "Application/gRPC"],
    ["grpc-encoding", "identity"],
    ["grpc-accept-encoding", "gzip,deflate"],
    ["trace-bin", "AQID,BA=="],
    ["tag", "ä"],
    ["grpc-timeout", "99999999H"],
  ] as const
) {
  Deno.test(`serve() takes a request when its ${name} is ${value}`, async () => {
    const server = echo();
    const stream = server.request("UNARY_UNARY", ["Ada"], { [name]: value });
    await allTurns();
    assertEquals(stream.log, ["head", "message Ada", "trailers"]);
    assertEquals(stream.trailers, { "grpc-status": "0" });
    assertEquals(deadlines.size, 0);
  });
}

Deno.test("serve() answers in its own content-type when the codec is not proto", async () => {
  const codec: Codec = {
    contentSubtype: "text",
    encode: (message) => new TextEncoder().encode(message as string),
    decode: (bytes) => new TextDecoder().decode(bytes),
  };
  for (const subtype of ["", "+proto", "+text"]) {
    const server = echo({ codec });
    const type = `application/grpc${subtype}`;
    const stream = server.open("UNARY_UNARY", { "content-type": type });
    stream.peerBytes(new Uint8Array([0, 0, 0, 0, 1, 0x41]));
    stream.peerEnds();
    await allTurns();
    const taken = subtype === "+text";
    assertEquals(stream.head![":status"], taken ? "200" : "415");
    assertEquals(stream.head!["content-type"], "application/grpc+text");
  }
});

// --- the way of a call

Deno.test("serve() tells the server of the begin and the end when a call is served", async () => {
  const server = echo();
  const stream = server.open("UNARY_UNARY");
  assertEquals(server.counts, [1, 0]);
  stream.peerSends("Ada");
  await allTurns();
  assertEquals(server.counts, [1, 0]);
  stream.peerEnds();
  await allTurns();
  assertEquals(server.counts, [1, 1]);
  stream.close(CLEAN);
  await allTurns();
  assertEquals(server.counts, [1, 1]);
  assertStrictEquals(server.call.peer, server.peer);
});

Deno.test("serve() starts a handler at once when the requests are many", async () => {
  let started = false;
  const server = new FakeServer({
    async STREAM_UNARY(stream) {
      started = true;
      await stream.sendMessage({ value: "Early" });
    },
  });
  const stream = server.open("STREAM_UNARY");
  await allTurns();
  assertEquals(started, true);
  assertEquals(stream.log, ["head", "message Early", "trailers"]);
});

Deno.test("serve() starts a handler when the request is complete and not before", async () => {
  let started = 0;
  const server = new FakeServer({
    UNARY_STREAM: () => void started++,
  });
  const stream = server.open("UNARY_STREAM");
  stream.peerSends("Ada");
  await allTurns();
  assertEquals(started, 0);
  stream.peerEnds();
  await allTurns();
  assertEquals(started, 1);
});

Deno.test("serve() starts no handler when the call has ended before its turn", async () => {
  let started = 0;
  const server = new FakeServer({
    UNARY_UNARY: () => void started++,
    STREAM_UNARY: () => void started++,
  });
  for (const kind of ["UNARY_UNARY", "STREAM_UNARY"] as const) {
    const stream = server.request(kind, ["Ada"]);
    stream.close(closed(Status.CANCELLED, "Stream was reset"));
  }
  await allTurns();
  assertEquals(started, 0);
  assertEquals(server.counts, [2, 2]);
  assertEquals(server.errors, []);
});

// --- deadlines before a handler

for (const kind of ["UNARY_UNARY", "STREAM_STREAM"] as const) {
  for (const timeout of ["0n", "0S"]) {
    Deno.test(`serve() calls no handler of ${kind} when its grpc-timeout is ${timeout}`, async () => {
      let called = false;
      const server = new FakeServer({ [kind]: () => called = true });
      const stream = server.request(kind, ["Ada"], { "grpc-timeout": timeout });
      await allTurns();
      assertEquals(stream.log, ["head end"]);
      assertEquals(stream.head, {
        ":status": "200",
        "content-type": "application/grpc+proto",
        "grpc-status": "4",
        "grpc-message": "Deadline exceeded",
      });
      assertFalse(called);
      assertEquals(server.counts, [1, 1]);
      assertEquals(server.errors, []);
      assertEquals(deadlines.size, 0);
    });
  }
}

Deno.test("serve() calls no handler when the deadline comes before the request is complete", () => {
  using clock = new FakeClock();
  let called = false;
  const server = new FakeServer({ UNARY_UNARY: () => called = true });
  const stream = server.open("UNARY_UNARY", { "grpc-timeout": "100m" });
  stream.peerSends("Ada");
  clock.advance(100);
  stream.peerEnds();
  assertEquals(stream.log, ["head end"]);
  assertEquals(stream.head!["grpc-status"], "4");
  assertFalse(called);
  assertEquals(server.counts, [1, 1]);
});

Deno.test("serve() obeys the shortest when there are several timeouts", () => {
  using clock = new FakeClock();
  const server = new FakeServer({ UNARY_UNARY: () => {} });
  const stream = server.open("UNARY_UNARY", {
    "grpc-timeout": ["1S", "100m", "1M"],
  });
  clock.advance(99);
  assertEquals(stream.log, []);
  clock.advance(1);
  assertEquals(stream.log, ["head end"]);
});
