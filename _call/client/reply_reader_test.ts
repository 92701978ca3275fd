import { assertEquals } from "@std/assert";
import { OK_HEAD, rawOf } from "../../_testdata/fake_stream.ts";
import type { Compressor } from "../../_wire/compression.ts";
import type { RawHeaders } from "../../_wire/headers.ts";
import { ProtoCodec } from "../../core/codec.ts";
import type { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import { Configuration } from "../../core/config.ts";
import { readReplyHead, type ReplyFormat } from "./reply_reader.ts";

const GZIP: Compressor = {
  name: "gzip",
  compress: (bytes) => bytes,
  decompress: (bytes) => bytes,
};

const METHOD: ReplyFormat = {
  host: {
    codec: new ProtoCodec(),
    compressors: new Map([["gzip", GZIP]]),
    config: new Configuration({ maxHeaderListSize: 1024 }),
  },
  replyType: "a type",
};

const MAX_BYTES = 99;

function faultOf(raw: RawHeaders, end: boolean): GRPCError | null {
  try {
    readReplyHead(METHOD, raw, { end, maxBytes: MAX_BYTES });
    return null;
  } catch (error) {
    return error as GRPCError;
  }
}

const check = (fields: Record<string, string>) => faultOf(rawOf(fields), true);

Deno.test("readReplyHead() finds no fault when the head is good", () => {
  assertEquals(check(OK_HEAD as Record<string, string>), null);
  assertEquals(check({ ...OK_HEAD, "grpc-status": "5" }), null);
});

Deno.test("readReplyHead() finds the status of HTTP when there is no other", () => {
  const fault = check({ ":status": "429", "content-type": "text/html" })!;
  assertEquals(fault.status, Status.UNAVAILABLE);
  assertEquals(fault.message, "Received :status = '429'");
});

Deno.test("readReplyHead() leaves the status of HTTP alone when there is a grpc-status", () => {
  const head = { ...OK_HEAD, ":status": "429", "grpc-status": "8" };
  assertEquals(check(head), null);
});

Deno.test("readReplyHead() finds a fault when the content-type is not of this codec", () => {
  const { "content-type": _, ...missing } = OK_HEAD as Record<string, string>;
  const faults = [missing, { ...OK_HEAD, "content-type": "text/html" }]
    .map((fields) => check(fields as Record<string, string>)!);
  assertEquals(faults.map(({ status, message }) => [status, message]), [
    [Status.UNKNOWN, "Missing content-type header"],
    [Status.UNKNOWN, "Invalid content-type: 'text/html'"],
  ]);
});

Deno.test("readReplyHead() goes by :status when a body follows a grpc-status", () => {
  const head = [
    ":status",
    "503",
    "content-type",
    "application/grpc",
    "grpc-status",
    "0",
  ];
  assertEquals(faultOf(head, true), null);
  assertEquals(
    faultOf(head, false)?.status,
    Status.UNAVAILABLE,
  );
});

Deno.test("readReplyHead() says how the messages are decoded", () => {
  const read = (encoding: string) =>
    readReplyHead(
      METHOD,
      rawOf({ ...OK_HEAD, "grpc-encoding": encoding }),
      { end: false, maxBytes: MAX_BYTES },
    );
  const { codec } = METHOD.host;
  assertEquals(read("gzip"), {
    what: "reply",
    codec,
    type: "a type",
    compressor: GZIP,
    maxBytes: MAX_BYTES,
    maxRatio: 1100,
  });
  assertEquals(read("identity").compressor, null);
});

Deno.test("readReplyHead() finds a fault when nothing decompresses the messages", () => {
  const fault = check({ ...OK_HEAD, "grpc-encoding": "snappy" })!;
  assertEquals([fault.status, fault.message], [
    Status.INTERNAL,
    'Unsupported grpc-encoding header: "snappy"',
  ]);
});
