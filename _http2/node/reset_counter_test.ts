import { assertEquals } from "@std/assert";
import { ResetCounter } from "./reset_counter.ts";
import {
  frame,
  FrameType,
  PREFACE,
  uint32,
} from "../../_testdata/raw_frames.ts";

Deno.test("ResetCounter.push() counts RST_STREAM, however the bytes are cut", () => {
  const reset = frame(FrameType.RST_STREAM, { streamId: 1 }, uint32(8));
  const frames = [
    PREFACE,
    frame(FrameType.SETTINGS),
    reset,
    // Bytes that look like a reset, and are data.
    frame(FrameType.DATA, { streamId: 3 }, Uint8Array.of(...reset, ...reset)),
    frame(FrameType.HEADERS, { streamId: 5 }, new Uint8Array(300)),
    reset,
    reset,
  ];
  const bytes = Uint8Array.from(frames.flatMap((it) => [...it]));
  for (let size = 1; size <= bytes.length; size++) {
    const counter = new ResetCounter();
    let count = 0;
    for (let at = 0; at < bytes.length; at += size) {
      count += counter.push(bytes.subarray(at, at + size));
    }
    assertEquals(count, 3, `in pieces of ${size} bytes`);
  }
});
