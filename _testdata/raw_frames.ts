/**
 * The frames of HTTP/2 and the messages of gRPC, written byte by byte for a raw
 * peer.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-4}
 * @module
 */

import type { Field } from "./hpack.ts";

/** The types of frames. */
export const FrameType = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** The flags of frames. */
export const Flag = {
  ACK: 0x1,
  END_STREAM: 0x1,
  END_HEADERS: 0x4,
  PADDED: 0x8,
  PRIORITY: 0x20,
} as const;

/** The identifiers of settings. */
export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** The largest payload of a frame, as long as no SETTINGS say otherwise. */
export const MAX_PAYLOAD_BYTES = 16_384;

/** What a client's connection begins with. */
export const PREFACE: Uint8Array = new TextEncoder().encode(
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
);

/** Writes a frame: its head of nine bytes and its payload. */
export function frame(
  type: number,
  head: { readonly flags?: number; readonly streamId?: number } = {},
  payload: Uint8Array = new Uint8Array(),
): Uint8Array {
  const { flags = 0, streamId = 0 } = head;
  const bytes = new Uint8Array(9 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, payload.length << 8 | type);
  view.setUint8(4, flags);
  view.setUint32(5, streamId);
  bytes.set(payload, 9);
  return bytes;
}

/** Writes numbers of 32 bits, one after the other. */
export function uint32(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value));
  return bytes;
}

/** Writes a length-prefixed message of gRPC, with a prefix that may lie. */
export function grpcMessage(
  bytes: Uint8Array,
  prefix: { readonly flag?: number; readonly length?: number } = {},
): Uint8Array {
  const { flag = 0, length = bytes.length } = prefix;
  return Uint8Array.of(flag, ...uint32(length), ...bytes);
}

/** The head of a gRPC request; a change to null takes a field out. */
export function requestFields(
  path: string,
  changes: Readonly<Record<string, string | null>> = {},
): Field[] {
  const fields: Record<string, string | null> = {
    ":method": "POST",
    ":scheme": "http",
    ":path": path,
    ":authority": "raw",
    "te": "trailers",
    "content-type": "application/grpc",
    ...changes,
  };
  return Object.entries(fields)
    .filter((field): field is [string, string] => field[1] !== null);
}

/** The head of a gRPC response. */
export const RESPONSE_HEAD: readonly Field[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];

/** The trailers of a call that went well. */
export const OK_TRAILERS: readonly Field[] = [["grpc-status", "0"]];

/** Reads a number of 32 bits. */
export function uint32At(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset + offset).getUint32(0);
}
