/**
 * Frames in few words, for tables of what an engine makes of them.
 *
 * @module
 */

import { encodeFields, type Field } from "./hpack.ts";
import { Flag, frame, FrameType, PREFACE, uint32 } from "./raw_frames.ts";

const { END_STREAM, END_HEADERS, PADDED, PRIORITY, ACK } = Flag;
const text = new TextEncoder();

/** The fields of a request. */
export const REQUEST: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a"],
];

/** How these are told. */
export const REQUEST_WORDS = ":method=POST :scheme=http :path=/a";

/** The fields of a response. */
export const RESPONSE: readonly Field[] = [[":status", "200"]];

/** Trailers. */
export const TRAILERS: readonly Field[] = [["grpc-status", "0"]];

/** The preface and the SETTINGS of a client, and that it knows the server's. */
export const CLIENT_HELLO: readonly Uint8Array[] = [
  PREFACE,
  frame(FrameType.SETTINGS),
  frame(FrameType.SETTINGS, { flags: ACK }),
];

/** The same of a server. */
export const SERVER_HELLO: readonly Uint8Array[] = CLIENT_HELLO.slice(1);

/** HEADERS, which end the block. */
export function headers(
  streamId: number,
  fields: readonly Field[],
  options: { end?: boolean; padding?: number; priority?: boolean } = {},
): Uint8Array {
  const { end = false, padding, priority = false } = options;
  const payload = [
    ...padding === undefined ? [] : [padding],
    ...priority ? [0, 0, 0, 3, 16] : [],
    ...encodeFields(fields),
    ...new Uint8Array(padding ?? 0),
  ];
  const flags = END_HEADERS | (end ? END_STREAM : 0) |
    (padding === undefined ? 0 : PADDED) | (priority ? PRIORITY : 0);
  return frame(
    FrameType.HEADERS,
    { flags, streamId },
    Uint8Array.from(payload),
  );
}

/** HEADERS and CONTINUATION frames, cut after so many bytes of the block. */
export function cutHeaders(
  streamId: number,
  fields: readonly Field[],
  options: { cuts: readonly number[]; end?: boolean },
): Uint8Array[] {
  const block = encodeFields(fields);
  const bounds = [0, ...options.cuts, block.length];
  return bounds.slice(1).map((bound, i) => {
    const isLast = i === bounds.length - 2;
    const flags = (isLast ? END_HEADERS : 0) |
      (options.end && i === 0 ? END_STREAM : 0);
    const type = i === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
    return frame(type, { flags, streamId }, block.slice(bounds[i], bound));
  });
}

/** DATA. */
export function data(
  streamId: number,
  bytes: string | Uint8Array,
  options: { end?: boolean; padding?: number } = {},
): Uint8Array {
  const { end = false, padding } = options;
  const content = typeof bytes === "string" ? text.encode(bytes) : bytes;
  const flags = (end ? END_STREAM : 0) | (padding === undefined ? 0 : PADDED);
  const payload = new Uint8Array(
    content.length + (padding === undefined ? 0 : padding + 1),
  );
  payload[0] = padding ?? 0;
  payload.set(content, padding === undefined ? 0 : 1);
  return frame(FrameType.DATA, { flags, streamId }, payload);
}

/** RST_STREAM. */
export function rst(streamId: number, code: number): Uint8Array {
  return frame(FrameType.RST_STREAM, { streamId }, uint32(code));
}

/** SETTINGS. */
export function settings(
  ...pairs: readonly (readonly [id: number, value: number])[]
): Uint8Array {
  const payload = pairs.flatMap(([id, value]) => [0, id, ...uint32(value)]);
  return frame(FrameType.SETTINGS, {}, Uint8Array.from(payload));
}

/** SETTINGS with ACK. */
export const SETTINGS_ACK: Uint8Array = frame(FrameType.SETTINGS, {
  flags: ACK,
});

/** WINDOW_UPDATE. */
export function windowUpdate(streamId: number, increment: number): Uint8Array {
  return frame(FrameType.WINDOW_UPDATE, { streamId }, uint32(increment));
}

/** PING. */
export function ping(payload = "12345678", ack = false): Uint8Array {
  const flags = ack ? ACK : 0;
  return frame(FrameType.PING, { flags }, text.encode(payload));
}

/** GOAWAY. */
export function goaway(lastId: number, code = 0, debug = ""): Uint8Array {
  const payload = [...uint32(lastId, code), ...text.encode(debug)];
  return frame(FrameType.GOAWAY, {}, Uint8Array.from(payload));
}

/** Any frame. */
export function anyFrame(
  type: number,
  streamId: number,
  options: { flags?: number; bytes?: number } = {},
): Uint8Array {
  const { flags = 0, bytes = 0 } = options;
  return frame(type, { flags, streamId }, new Uint8Array(bytes));
}
