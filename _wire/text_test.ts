import {
  assert,
  assertEquals,
  assertFalse,
  assertMatch,
  assertStrictEquals,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { seededRandom } from "../_testdata/seeded_random.ts";
import {
  decodeBin,
  decodeMessage,
  encodeBin,
  encodeMessage,
  isBin,
} from "./text.ts";

// --- percent-encoding

const MESSAGES: [string, string][] = [
  ["", ""],
  ["Not found", "Not found"],
  ["100%", "100%25"],
  ["%41", "%2541"],
  ["a\nb", "a%0Ab"],
  ["\t\r\n", "%09%0D%0A"],
  ["\0", "%00"],
  ["\x7f", "%7F"],
  ["~ !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}", "~ !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}"],
  [" lead and trail ", "%20lead and trail%20"],
  ["  ", "%20%20"],
  ["é", "%C3%A9"],
  ["\u00ff\u0080", "%C3%BF%C2%80"],
  ["Привет", "%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82"],
  ["日本", "%E6%97%A5%E6%9C%AC"],
  ["\u{1F600}", "%F0%9F%98%80"],
  ["ok \u{1F600}!", "ok %F0%9F%98%80!"],
  ["\ufeffbom", "%EF%BB%BFbom"],
  ["\u2028", "%E2%80%A8"],
  ["\uffff\ufffd", "%EF%BF%BF%EF%BF%BD"],
  ["e\u0301", "e%CC%81"],
];

Deno.test("encodeMessage() escapes all but 0x20-0x24 and 0x26-0x7E", () => {
  for (const [text, encoded] of MESSAGES) {
    assertEquals(encodeMessage(text), encoded);
  }
  for (let code = 0; code < 0x80; code++) {
    const char = String.fromCharCode(code);
    const hex = code.toString(16).toUpperCase().padStart(2, "0");
    const plain = code >= 0x20 && code <= 0x7e && code !== 0x25;
    assertEquals(encodeMessage(`a${char}b`), plain ? `a${char}b` : `a%${hex}b`);
  }
});

Deno.test("encodeMessage() escapes a space at either end, which HTTP/2 does not allow", () => {
  assertEquals(encodeMessage(" "), "%20");
  assertEquals(encodeMessage(" a b"), "%20a b");
  assertEquals(encodeMessage("a b "), "a b%20");
  assertEquals(encodeMessage(" é "), "%20%C3%A9%20");
});

Deno.test("encodeMessage() writes U+FFFD for a lone surrogate", () => {
  const cases: [string, string][] = [
    ["\ud83d", "%EF%BF%BD"],
    ["\ude00", "%EF%BF%BD"],
    ["a\ud83d", "a%EF%BF%BD"],
    ["\ud83db", "%EF%BF%BDb"],
    ["\ude00\ud83d", "%EF%BF%BD%EF%BF%BD"],
  ];
  for (const [text, encoded] of cases) {
    assertEquals(encodeMessage(text), encoded);
  }
});

Deno.test("decodeMessage() undoes encodeMessage()", () => {
  for (const [text, encoded] of MESSAGES) {
    assertEquals(decodeMessage(encoded), text);
  }
});

Deno.test("decodeMessage() undoes encodeMessage() for every character", () => {
  for (let start = 0; start < 0x110000; start += 0x100) {
    if (start >= 0xd800 && start < 0xe000) continue; // the surrogates
    let text = "";
    for (let i = 0; i < 0x100; i++) text += String.fromCodePoint(start + i);
    const encoded = encodeMessage(text);
    assertMatch(encoded, /^[\x20-\x7e]*$/);
    assertEquals(decodeMessage(encoded), text);
  }
});

Deno.test("decodeMessage() undoes encodeMessage() for random texts", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 2_000; i++) {
    let text = "";
    const length = Math.floor(random() * 20);
    for (let j = 0; j < length; j++) {
      // Half of them short, so that all lengths of UTF-8 meet.
      text += String.fromCodePoint(
        Math.floor(random() * (random() < 0.5 ? 0x80 : 0xd800)),
      );
    }
    assertEquals(decodeMessage(encodeMessage(text)), text);
  }
});

Deno.test("decodeMessage() takes lower-case digits", () => {
  assertEquals(decodeMessage("%c3%a9%0a"), "é\n");
});

Deno.test("decodeMessage() leaves broken escapes as they are", () => {
  const cases = [
    ...["%", "%%", "a%", "%4", "%zz", "%4g", "%g4", "% 41", "%-1", "%u0041"],
    ...["%0", "%x41", "100% sure", "%:0", "%0@", "%`0"],
  ];
  for (const text of cases) assertEquals(decodeMessage(text), text);
});

Deno.test("decodeMessage() decodes what is valid around what is not", () => {
  const cases: [string, string][] = [
    ["%%41", "%A"],
    ["%41%", "A%"],
    ["%4%41", "%4A"],
    ["%zz%C3%A9", "%zzé"],
    ["%2541", "%41"], // once only
  ];
  for (const [encoded, text] of cases) {
    assertEquals(decodeMessage(encoded), text);
  }
});

Deno.test("decodeMessage() writes U+FFFD for bytes that are not UTF-8", () => {
  const cases: [string, string][] = [
    ["%FF", "\ufffd"],
    ["a%FFb", "a\ufffdb"],
    ["%C3", "\ufffd"],
    ["%C3(", "\ufffd("],
    ["%ED%A0%BD", "\ufffd\ufffd\ufffd"], // a surrogate
    ["%80", "\ufffd"],
  ];
  for (const [encoded, text] of cases) {
    assertEquals(decodeMessage(encoded), text);
  }
});

Deno.test("decodeMessage() takes bytes without escape for UTF-8", () => {
  assertEquals(decodeMessage("caf\u00c3\u00a9"), "café");
  assertEquals(decodeMessage("\u00c3%A9"), "é");
  assertEquals(decodeMessage("caf\u00e9"), "caf\ufffd");
});

Deno.test("decodeMessage() keeps characters that are no bytes", () => {
  assertEquals(decodeMessage("日本%20\u{1F600}"), "日本 \u{1F600}");
  assertEquals(decodeMessage("\ud83d%41"), "\ufffdA");
  assertEquals(decodeMessage("\uffff".repeat(100)), "\uffff".repeat(100));
});

Deno.test("decodeMessage() never fails on random bytes", () => {
  const random = seededRandom(2);
  for (let i = 0; i < 5_000; i++) {
    let text = "";
    const length = Math.floor(random() * 30);
    for (let j = 0; j < length; j++) {
      text += random() < 0.4
        ? "%"
        : String.fromCharCode(Math.floor(random() * 0x100));
    }
    const decoded = decodeMessage(text);
    assert(decoded.isWellFormed());
    // What is decoded can be sent on.
    assertEquals(decodeMessage(encodeMessage(decoded)), decoded);
  }
});

Deno.test("encodeMessage() and decodeMessage() give plain text back itself", () => {
  const text = "Plain text: 1 + 1 = 2";
  assertStrictEquals(encodeMessage(text), text);
  assertStrictEquals(decodeMessage(text), text);
});

// --- base64

const BINARIES: [number[], string][] = [
  [[], ""],
  [[0], "AA"],
  [[0, 0], "AAA"],
  [[0, 0, 0], "AAAA"],
  [[1, 2, 3, 4], "AQIDBA"],
  [[0x66, 0x6f, 0x6f, 0x62, 0x61], "Zm9vYmE"],
  [[0xff, 0xfe, 0xfd], "//79"],
  [[0xfb, 0xff], "+/8"],
];

Deno.test("encodeBin() writes base64 without padding", () => {
  for (const [bytes, text] of BINARIES) {
    assertEquals(encodeBin(new Uint8Array(bytes)), text);
    assertEquals(encodeBin(Buffer.from(bytes)), text);
  }
  assertEquals(encodeBin(new Uint8Array([9, 0, 9]).subarray(1, 2)), "AA");
});

Deno.test("decodeBin() reads values with and without padding", () => {
  for (const [bytes, text] of BINARIES) {
    const padded = text + "=".repeat((4 - text.length % 4) % 4);
    assertEquals(decodeBin(text), new Uint8Array(bytes));
    assertEquals(decodeBin(padded), new Uint8Array(bytes));
    assert(isBin(text) && isBin(padded));
  }
});

Deno.test("decodeBin() reads the alphabet for URLs, too", () => {
  assertEquals(decodeBin("__79"), new Uint8Array([0xff, 0xfe, 0xfd]));
  assertEquals(decodeBin("-_8"), new Uint8Array([0xfb, 0xff]));
  assertEquals(decodeBin("-_8="), new Uint8Array([0xfb, 0xff]));
  assertEquals(decodeBin("-/8"), new Uint8Array([0xfb, 0xff]));
});

Deno.test("decodeBin() reads digits whose last bits are not zero", () => {
  assertEquals(decodeBin("AB"), new Uint8Array([0]));
  assertEquals(decodeBin("AAB"), new Uint8Array([0, 0]));
});

Deno.test("decodeBin() gives plain bytes", () => {
  assertStrictEquals(decodeBin("AQID")?.constructor, Uint8Array);
});

Deno.test("decodeBin() gives null when the text is malformed", () => {
  const cases = [
    ...[
      "A",
      "AAAAA",
      "A===",
      "=",
      "==",
      "===",
      "====",
      "AA=",
      "AAA==",
      "AAAA=",
    ],
    ...["AAAA==", "AAAA====", "A=AA", "AA=A", "AA==AA", "AA==AA==", "=AAA"],
    ...["AA AA", " AAAA", "AAAA ", "AAAA\n", "AA,AA", "AA.A", "AA*A", "Aé=="],
    ...["AA@A", "AA[A", "AA`A", "AA{A", "AA:A", "\u0100AAA", "AA%3D"],
  ];
  for (const text of cases) {
    assertEquals(decodeBin(text), null, text);
    assertFalse(isBin(text), text);
  }
});

Deno.test("decodeBin() undoes encodeBin() for random bytes", () => {
  const random = seededRandom(3);
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, () => random() * 256);
    const text = encodeBin(bytes);
    assertMatch(text, /^[A-Za-z0-9+/]*$/);
    assertEquals(decodeBin(text), bytes);
  }
});

Deno.test("decodeBin() never fails on random texts, and isBin() agrees with it", () => {
  const random = seededRandom(4);
  const alphabet = "ABz09+/-_=, \u00e9";
  for (let i = 0; i < 20_000; i++) {
    let text = "";
    const length = Math.floor(random() * 10);
    for (let j = 0; j < length; j++) {
      text += alphabet[Math.floor(random() * alphabet.length)];
    }
    assertEquals(decodeBin(text) !== null, isBin(text), text);
  }
});
