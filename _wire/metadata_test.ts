import { assertEquals } from "@std/assert";
import {
  appendUnchecked,
  Metadata,
  type MetadataValue,
} from "../core/metadata.ts";
import {
  decodeMetadata,
  fitsWhenSplit,
  metadataFields,
  type RawHeaders,
} from "./metadata.ts";

const bytes = (...values: number[]) => new Uint8Array(values);

// --- in

Deno.test("decodeMetadata() leaves out what carries the call", () => {
  const raw = [
    ...[":method", "POST", ":path", "/a", ":status", "200", ":x", "y"],
    ...["te", "trailers", "content-type", "application/grpc"],
    ...["user-agent", "x", "grpc-timeout", "1S", "grpc-status", "0"],
    ...["grpc-message", "x", "grpc-status-details-bin", "AQ"],
    ...["grpc-anything", "x", "grpc-trace-bin", "AQ"],
  ];
  assertEquals(decodeMetadata(raw).size, 0);
  assertEquals(decodeMetadata([]).size, 0);
});

Deno.test("decodeMetadata() keeps everything else in order", () => {
  const raw = [
    "b",
    "1",
    "date",
    "today",
    "a",
    "2",
    "b",
    "3",
    "content-length",
    "5",
  ];
  assertEquals([...decodeMetadata(raw)], [
    ["b", "1"],
    ["date", "today"],
    ["a", "2"],
    ["b", "3"],
    ["content-length", "5"],
  ]);
});

Deno.test("decodeMetadata() keeps texts as they are", () => {
  for (const text of ["", " ", "a,b", "\u00e9", "%41", "a\tb", "AQ=="]) {
    assertEquals(decodeMetadata(["a", text]).getAll("a"), [text]);
  }
});

Deno.test("decodeMetadata() keeps names that resemble the call's", () => {
  for (const name of ["grpc", "tea", "grpcx-a", "x-te", "content-types", "-"]) {
    assertEquals(decodeMetadata([name, "v"]).get(name), "v");
  }
});

Deno.test("decodeMetadata() decodes -bin values, padded or not, joined or repeated", () => {
  const cases: [RawHeaders, Uint8Array[]][] = [
    [["a-bin", "AQI"], [bytes(1, 2)]],
    [["a-bin", "AQI="], [bytes(1, 2)]],
    [["a-bin", ""], [bytes()]],
    [["a-bin", "AQ,Ag"], [bytes(1), bytes(2)]],
    [["a-bin", "AQ==,Ag=="], [bytes(1), bytes(2)]],
    [["a-bin", "AQ==, Ag , Aw"], [bytes(1), bytes(2), bytes(3)]],
    [["a-bin", ",AQ,"], [bytes(), bytes(1), bytes()]],
    [["a-bin", "AQ", "b", "x", "a-bin", "Ag,Aw"], [
      bytes(1),
      bytes(2),
      bytes(3),
    ]],
    [["a-bin", "__8"], [bytes(255, 255)]],
  ];
  for (const [raw, values] of cases) {
    assertEquals(decodeMetadata(raw).getAll("a-bin"), values);
  }
});

Deno.test("decodeMetadata() leaves out -bin values that are malformed, and only those", () => {
  const raw = ["a-bin", "AQ,!,Ag", "b-bin", "A", "a-bin", "\u00e9", "c", "1"];
  const metadata = decodeMetadata(raw);
  assertEquals([...metadata], [
    ["a-bin", bytes(1)],
    ["a-bin", bytes(2)],
    ["c", "1"],
  ]);
});

Deno.test("fitsWhenSplit() counts each value of a list as a field", () => {
  const cases: [string[], number][] = [
    [["a-bin", "AQ,AQ"], 5 + 5 + 32 + 5 + 32],
    [["a-bin", ","], 5 + 1 + 32 + 5 + 32],
    [["a-bin", ",,"], 5 + 2 + 32 + 2 * (5 + 32)],
    [["a-bin", "AQ,AQ", "b", "x,y"], 5 + 5 + 32 + 5 + 32 + 1 + 3 + 32],
    [["a-bin", ",", "b-bin", ","], 2 * (5 + 1 + 32 + 5 + 32)],
  ];
  for (const [raw, bytes] of cases) {
    assertEquals(fitsWhenSplit(raw, bytes), true, `${raw}`);
    assertEquals(fitsWhenSplit(raw, bytes - 1), false, `${raw}`);
  }
  // Without a list they are for HTTP/2 to judge.
  assertEquals(fitsWhenSplit(["a-bin", "AQ", "b", "x,y"], 1), true);
  assertEquals(fitsWhenSplit(["grpc-status-details-bin", ",,"], 1), true);
  assertEquals(fitsWhenSplit([], 0), true);
});

Deno.test("decodeMetadata() ignores a name without value", () => {
  assertEquals([...decodeMetadata(["a", "1", "b"])], [["a", "1"]]);
});

// --- out

Deno.test("metadataFields() writes texts as they are and bytes as base64 without padding", () => {
  const metadata = new Metadata({
    text: "a b",
    empty: "",
    "a-bin": bytes(1, 2),
    "empty-bin": bytes(),
  });
  assertEquals(metadataFields(metadata), [
    ...["text", "a b"],
    ...["empty", ""],
    ...["a-bin", "AQI"],
    ...["empty-bin", ""],
  ]);
  assertEquals(metadataFields(new Metadata()), []);
});

Deno.test("metadataFields() writes each value of a repeated key", () => {
  const metadata = new Metadata([
    ["a", "1"],
    ["b-bin", [bytes(1), bytes(2)]],
    ["a", "2"],
  ]);
  assertEquals(metadataFields(metadata), [
    ...["a", "1"],
    ...["b-bin", "AQ"],
    ...["b-bin", "Ag"],
    ...["a", "2"],
  ]);
});

Deno.test("metadataFields() leaves out what was received and must not be sent", () => {
  const metadata = decodeMetadata([
    ...["content-length", "5", "host", "a", "x", "caf\u00e9", "y", "1"],
    ...["z-bin", "AQ", "connection", "close"],
  ]);
  assertEquals(metadataFields(metadata), ["y", "1", "z-bin", "AQ"]);
});

Deno.test("decodeMetadata() undoes metadataFields()", () => {
  const pairs: [string, MetadataValue][] = [
    ["a", "1"],
    ["a", "2"],
    ["b-bin", bytes(0, 255)],
    ["b-bin", bytes()],
    ["c", ""],
    ["__proto__", "x"],
    ["d", "a,b"],
  ];
  const fields = metadataFields(new Metadata(pairs));
  assertEquals([...decodeMetadata(fields)], pairs);
});

Deno.test("metadataFields() does not fail on received bytes under another key", () => {
  const metadata = new Metadata();
  appendUnchecked(metadata, "a", bytes(1));
  assertEquals(metadataFields(metadata), []);
});
