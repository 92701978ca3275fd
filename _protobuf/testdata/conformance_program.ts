/**
 * What the conformance suite of Protocol Buffers tests: a program that reads
 * requests and answers each.
 *
 *     deno run conformance_program.ts                  the codec
 *     deno run conformance_program.ts --protobuf-es    protobuf-es, to compare
 *
 * JSON is protobuf-es's in either case.
 *
 * @see {@link https://github.com/protocolbuffers/protobuf/tree/main/conformance}
 * @module
 */

import {
  create,
  createRegistry,
  type DescMessage,
  fromBinary,
  fromJsonString,
  type Message,
  toBinary,
  toJsonString,
} from "@bufbuild/protobuf";
import {
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { decode, encode } from "../mod.ts";
import {
  type ConformanceRequest,
  ConformanceRequestSchema,
  type ConformanceResponse,
  ConformanceResponseSchema,
  FailureSetSchema,
  TestCategory,
  WireFormat,
} from "./gen/conformance/conformance_pb.ts";
import { file_google_protobuf_test_messages_edition2023 } from "./gen/google/protobuf/test_messages_edition2023_pb.ts";
import { file_google_protobuf_test_messages_proto2_editions } from "./gen/google/protobuf/test_messages_proto2_editions_pb.ts";
import { file_google_protobuf_test_messages_proto2 } from "./gen/google/protobuf/test_messages_proto2_pb.ts";
import { file_google_protobuf_test_messages_proto3_editions } from "./gen/google/protobuf/test_messages_proto3_editions_pb.ts";
import { file_google_protobuf_test_messages_proto3 } from "./gen/google/protobuf/test_messages_proto3_pb.ts";

type Result = ConformanceResponse["result"];

// The last are for JSON in an Any.
const registry = createRegistry(
  file_google_protobuf_test_messages_proto2,
  file_google_protobuf_test_messages_proto3,
  file_google_protobuf_test_messages_proto2_editions,
  file_google_protobuf_test_messages_proto3_editions,
  file_google_protobuf_test_messages_edition2023,
  file_google_protobuf_any,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
);

const theirs = Deno.args.includes("--protobuf-es");
const read = theirs
  ? (desc: DescMessage, bytes: Uint8Array): Message => fromBinary(desc, bytes)
  : decode;
const write = theirs
  ? (desc: DescMessage, message: Message) => toBinary(desc, message)
  : encode;

function answer(request: ConformanceRequest): Result {
  const { messageType, payload, requestedOutputFormat: format } = request;
  // The first request asks which tests are known to fail.
  if (messageType === "conformance.FailureSet") {
    const value = toBinary(FailureSetSchema, create(FailureSetSchema));
    return { case: "protobufPayload", value };
  }
  const desc = registry.getMessage(messageType);
  if (desc === undefined) {
    return { case: "runtimeError", value: `There is no type ${messageType}` };
  }
  let message: Message;
  try {
    if (payload.case === "protobufPayload") message = read(desc, payload.value);
    else if (payload.case === "jsonPayload") {
      message = fromJsonString(desc, payload.value, {
        registry,
        ignoreUnknownFields: request.testCategory ===
          TestCategory.JSON_IGNORE_UNKNOWN_PARSING_TEST,
      });
    } else return { case: "skipped", value: "Neither binary nor JSON" };
  } catch (error) {
    return { case: "parseError", value: String(error) };
  }
  try {
    if (format === WireFormat.PROTOBUF) {
      return { case: "protobufPayload", value: write(desc, message) };
    }
    if (format === WireFormat.JSON) {
      const value = toJsonString(desc, message, { registry });
      return { case: "jsonPayload", value };
    }
    return { case: "skipped", value: "Neither binary nor JSON" };
  } catch (error) {
    return { case: "serializeError", value: String(error) };
  }
}

/** Reads a number of bytes; null at the end. */
function readBytes(count: number): Uint8Array | null {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = Deno.stdin.readSync(bytes.subarray(at));
    if (read === null) return null;
    at += read;
  }
  return bytes;
}

function writeBytes(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    at += Deno.stdout.writeSync(bytes.subarray(at));
  }
}

// Each message has its length before it, in four bytes.
for (;;) {
  const prefix = readBytes(4);
  if (prefix === null) break;
  const length = new DataView(prefix.buffer).getUint32(0, true);
  const bytes = readBytes(length);
  if (bytes === null) break;
  const result = answer(fromBinary(ConformanceRequestSchema, bytes));
  const response = toBinary(
    ConformanceResponseSchema,
    create(ConformanceResponseSchema, { result }),
  );
  const framed = new Uint8Array(4 + response.length);
  new DataView(framed.buffer).setUint32(0, response.length, true);
  framed.set(response, 4);
  writeBytes(framed);
}
