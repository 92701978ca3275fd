import { assertEquals } from "@std/assert";
import { encodeFields } from "../../_testdata/hpack.ts";
import { Flag, frame, FrameType, PREFACE } from "../../_testdata/raw_frames.ts";
import { EarlyHeaders } from "./early_headers.ts";

const MAX_LIST = 1024;
const { HEADERS, CONTINUATION, SETTINGS, DATA } = FrameType;
const END = { flags: Flag.END_HEADERS, streamId: 1 };
const PRIORITY = 0x20;

/** A field that enters the table, and stands for 500 bytes or so. */
function entered(): Uint8Array {
  const bytes = encodeFields([["x-long", "a".repeat(500)]]);
  bytes[0] = 0x40;
  return bytes;
}

/** That field by its index, some times. */
function indexed(count: number): Uint8Array {
  return new Uint8Array(count).fill(0x80 | 62);
}

const FIRST = frame(HEADERS, END, entered());
const SMALL = frame(HEADERS, END, indexed(7));
const BOMB = frame(HEADERS, END, indexed(8));
const ACK = frame(SETTINGS, { flags: Flag.ACK });

const CASES: readonly (readonly [
  name: string,
  frames: readonly Uint8Array[],
  isExcess: boolean,
])[] = [
  ["lists that are as large as may be", [FIRST, SMALL, SMALL], false],
  ["a list that is larger", [FIRST, BOMB], true],
  ["one after SETTINGS were acknowledged", [FIRST, ACK, BOMB], false],
  ["one before that", [FIRST, BOMB, ACK], true],
  ["one in pieces", [
    FIRST,
    frame(HEADERS, { streamId: 3 }, indexed(4)),
    frame(CONTINUATION, { streamId: 3 }),
    frame(CONTINUATION, END, indexed(4)),
  ], true],
  ["one in padding and with a priority", [
    FIRST,
    frame(
      HEADERS,
      { ...END, flags: Flag.END_HEADERS | Flag.PADDED | PRIORITY },
      Uint8Array.of(2, 0, 0, 0, 0, 0, ...indexed(8), 0, 0),
    ),
  ], true],
  ["padding that looks like one", [
    FIRST,
    frame(
      HEADERS,
      { ...END, flags: Flag.END_HEADERS | Flag.PADDED },
      Uint8Array.of(8, ...indexed(1), ...indexed(8)),
    ),
  ], false],
  ["data that looks like one", [
    FIRST,
    frame(DATA, { streamId: 1 }, BOMB),
    frame(SETTINGS, {}, new Uint8Array(6)),
    SMALL,
  ], false],
  ["a block that is larger itself", [
    frame(HEADERS, { streamId: 1 }, new Uint8Array(4 * MAX_LIST)),
    frame(CONTINUATION, { streamId: 1 }, new Uint8Array(1)),
  ], true],
  ["a malformed block, which nghttp2 is to see", [
    frame(HEADERS, END, indexed(1)),
  ], false],
  ["any block behind a malformed one", [
    frame(HEADERS, END, indexed(1)),
    FIRST,
  ], true],
];

for (const [name, frames, isExcess] of CASES) {
  Deno.test(`EarlyHeaders.push() ${isExcess ? "finds" : "bears"} ${name}, however the bytes are cut`, () => {
    const bytes = Uint8Array.from(
      [PREFACE, frame(SETTINGS), ...frames].flatMap((it) => [...it]),
    );
    for (const size of [1, 2, 3, 7, 10, 100, bytes.length]) {
      const early = new EarlyHeaders(MAX_LIST);
      let found = false;
      for (let at = 0; at < bytes.length && !found; at += size) {
        found = early.push(bytes.subarray(at, at + size));
      }
      assertEquals(found, isExcess, `in pieces of ${size} bytes`);
    }
  });
}
