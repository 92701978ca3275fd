import { assertEquals } from "@std/assert";
import {
  checkFrameHeader,
  frameName,
  FrameType,
  putFrameHeader,
  readUint31,
  readUint32,
} from "./frames.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS } = FrameType;
const { PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } = FrameType;

/** Which lengths are right, on a stream and on none; null for none at all. */
const LENGTHS: readonly [
  type: number,
  flags: number,
  onStream: ((length: number) => boolean) | null,
  onNone: ((length: number) => boolean) | null,
][] = [
  [DATA, 0, () => true, null],
  [DATA, 0x8, (n) => n >= 1, null],
  [HEADERS, 0, () => true, null],
  [HEADERS, 0x8, (n) => n >= 1, null],
  [HEADERS, 0x20, (n) => n >= 5, null],
  [HEADERS, 0x28, (n) => n >= 6, null],
  [PRIORITY, 0, () => true, null],
  [RST_STREAM, 0, (n) => n === 4, null],
  [SETTINGS, 0, null, (n) => n % 6 === 0],
  [SETTINGS, 1, null, (n) => n === 0],
  [PUSH_PROMISE, 0, () => true, null],
  [PING, 0, null, (n) => n === 8],
  [PING, 1, null, (n) => n === 8],
  [GOAWAY, 0, null, (n) => n >= 8],
  [WINDOW_UPDATE, 0, (n) => n === 4, (n) => n === 4],
  [CONTINUATION, 0, () => true, null],
  [0xa, 0xff, () => true, () => true],
];

for (const [type, flags, ...rules] of LENGTHS) {
  const name = frameName(type);
  Deno.test(`checkFrameHeader() knows the lengths and streams of ${name} when its flags are ${flags}`, () => {
    rules.forEach((rule, index) => {
      for (let length = 0; length < 20; length++) {
        const streamId = index === 0 ? 3 : 0;
        const found = checkFrameHeader(type, flags, length, streamId);
        const expected = rule === null
          ? "PROTOCOL"
          : rule(length)
          ? null
          : "SIZE";
        const codes = { 1: "PROTOCOL", 6: "SIZE" } as Record<number, string>;
        assertEquals(found === null ? null : codes[found.code], expected);
        assertEquals(found?.kind ?? "connection", "connection");
      }
    });
  });
}

Deno.test("putFrameHeader() writes all of a header", () => {
  const bytes = new Uint8Array(11).fill(0xee);
  putFrameHeader(bytes, 1, 0x123456, 7, 0x2d, 0x7edcba98);
  assertEquals(
    [...bytes],
    [0xee, 0x12, 0x34, 0x56, 7, 0x2d, 0x7e, 0xdc, 0xba, 0x98, 0xee],
  );
});

Deno.test("readUint32() and readUint31() differ in the first bit", () => {
  const bytes = Uint8Array.of(0, 0xff, 0xee, 0xdd, 0xcc);
  assertEquals(readUint32(bytes, 1), 0xffeeddcc);
  assertEquals(readUint31(bytes, 1), 0x7feeddcc);
});
