/** Frames, however their bytes are cut. */

import { assertEquals } from "@std/assert";
import {
  Flag,
  frame,
  FrameType,
  PREFACE,
  uint32,
} from "../_testdata/raw_frames.ts";
import {
  concat,
  type Frame,
  FrameScanner,
  goaway,
  rstStream,
} from "./_frame_scanner.ts";

const { END_HEADERS, END_STREAM, PADDED } = Flag;

const SETTINGS = frame(FrameType.SETTINGS);
const HEAD = frame(FrameType.HEADERS, { streamId: 1 }, new Uint8Array(20));
const MORE = frame(FrameType.CONTINUATION, { streamId: 1 }, new Uint8Array(5));
const LAST = frame(FrameType.CONTINUATION, {
  streamId: 1,
  flags: END_HEADERS,
}, new Uint8Array(3));
const DATA = frame(FrameType.DATA, {
  streamId: 1,
  flags: END_STREAM,
}, Uint8Array.of(1, 2, 3, 4, 5));
const LARGE = frame(FrameType.DATA, { streamId: 3 }, new Uint8Array(300));
const ALONE = frame(FrameType.HEADERS, {
  streamId: 2 ** 31 - 1,
  flags: END_HEADERS | END_STREAM,
});

const ALL = concat([PREFACE, SETTINGS, HEAD, MORE, LAST, DATA, LARGE, ALONE]);

const describe = ({ type, streamId, isOfCall, endsStream, bytes }: Frame) => [
  type,
  streamId,
  isOfCall,
  endsStream,
  bytes.length,
];

const EXPECTED = [
  [-1, 0, false, false, 24],
  [4, 0, false, false, 9],
  // HEADERS with all that belongs to them.
  [1, 1, true, false, 29 + 14 + 12],
  [0, 1, true, true, 14],
  [0, 3, true, false, 309],
  [1, 2 ** 31 - 1, true, true, 9],
];

Deno.test("FrameScanner gives the same frames wherever the bytes are cut", () => {
  for (const size of [1, 2, 7, 9, 10, 100, 1000]) {
    const scanner = new FrameScanner(true);
    const frames: Frame[] = [];
    for (let at = 0; at < ALL.length; at += size) {
      frames.push(...scanner.push(ALL.slice(at, at + size)));
    }
    assertEquals(frames.map(describe), EXPECTED);
    assertEquals(concat(frames.map(({ bytes }) => bytes)), ALL);
  }
});

Deno.test("FrameScanner expects no preface of a server", () => {
  const [first] = new FrameScanner(false).push(SETTINGS);
  assertEquals(first?.type, FrameType.SETTINGS);
});

Deno.test("Frame.withoutLast() shortens the payload of DATA and its length", () => {
  const [data] = new FrameScanner(false).push(DATA);
  const short = frame(
    FrameType.DATA,
    { streamId: 1, flags: END_STREAM },
    Uint8Array.of(1, 2, 3),
  );
  assertEquals(data!.withoutLast(2), short);
  assertEquals(
    data!.withoutLast(99),
    frame(FrameType.DATA, { streamId: 1, flags: END_STREAM }),
  );
  // Padding is left alone: no peer of these tests sends any.
  const padded = frame(
    FrameType.DATA,
    { streamId: 1, flags: PADDED },
    Uint8Array.of(1, 9, 0),
  );
  assertEquals(
    new FrameScanner(false).push(padded)[0]!.withoutLast(1),
    padded,
  );
});

Deno.test("rstStream() and goaway() write what HTTP/2 says", () => {
  assertEquals(
    rstStream(5, 8),
    frame(FrameType.RST_STREAM, { streamId: 5 }, uint32(8)),
  );
  assertEquals(
    goaway(7, 11, "hi"),
    frame(FrameType.GOAWAY, {}, Uint8Array.of(...uint32(7, 11), 0x68, 0x69)),
  );
});
