import {
  assert,
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { decodeHex, tableOf } from "../../_testdata/hpack_blocks.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackError } from "./error.ts";
import type { HeaderList } from "./header_list.ts";
import { STATIC_NAMES, STATIC_VALUES } from "./static_table.ts";

/** A literal that enters the table: its value is one letter, many times. */
function entering(name: string, value: string): string {
  return "40" + string(name) + string(value);
}

/** A literal that does not. */
function literal(name: string, value: string): string {
  return "00" + string(name) + string(value);
}

function string(text: string): string {
  const bytes = new TextEncoder().encode(text);
  assert(bytes.length < 127);
  return bytes.length.toString(16).padStart(2, "0") + bytes.toHex();
}

Deno.test("HpackDecoder gives no fields for an empty block", () => {
  assertEquals(decodeHex(new HpackDecoder(), ""), []);
});

Deno.test("HpackDecoder knows the static table", () => {
  const decoder = new HpackDecoder();
  for (let index = 1; index <= 61; index++) {
    assertEquals(
      decodeHex(decoder, (0x80 | index).toString(16)),
      [STATIC_NAMES[index]!, STATIC_VALUES[index]!],
    );
  }
  // https://www.rfc-editor.org/rfc/rfc7541#appendix-A
  assertEquals(decodeHex(decoder, "81 86 8f 90 bc bd"), [
    ...[":authority", "", ":scheme", "http", "accept-charset", ""],
    ...["accept-encoding", "gzip, deflate"],
    ...["via", "", "www-authenticate", ""],
  ]);
});

// Section 5: integers and strings

const MALFORMED: [what: string, block: string][] = [
  ["an integer that ends in its prefix", "ff"],
  ["an integer that ends before its last byte", "ff 80"],
  ["an integer of more than six bytes", "ff 80 80 80 80 80 00"],
  ["an integer that is far too large", "ff ff ff ff ff ff ff ff ff ff 7f"],
  ["an index of 2³² and more", "ff ff ff ff ff 0f"],
  ["a name's index that ends in its prefix", "0f"],
  ["a name that is not there", "00"],
  ["a name without its last byte", "00 03 61 62"],
  ["a value that is not there", "00 01 61"],
  ["a value without its last byte", "00 01 61 02 62"],
  ["a value whose length ends in its prefix", "00 01 61 7f"],
  ["a value whose length is far too large", "00 01 61 7f ff ff ff ff 0f"],
  ["a value that ends after its length, in Huffman code", "00 01 61 81"],
  ["padding of eight bits", "00 01 61 82 1f ff"],
  ["padding that is not ones", "00 01 61 81 18"],
  ["EOS in a value", "00 01 61 84 ff ff ff ff"],
  ["EOS in a name", "00 84 ff ff ff ff 01 61"],
  // Section 2.3.3: indexes
  ["index 0", "80"],
  ["an index behind both tables, while the dynamic one is empty", "be"],
  ["an index behind both tables", entering("a", "b") + "bf"],
  ["a name's index behind both tables", entering("a", "b") + "7f 00 01 61"],
  ["the name's index of a literal behind both tables", "0f 2f 01 61"],
  ["a never-indexed name's index behind both tables", "1f 2f 01 61"],
  // Sections 4.2 and 6.3: updates of the table's size
  ["a table size over the limit", "3f e2 1f"],
  ["a table size over the limit behind one below it", "20 3f e2 1f"],
  ["a table size update behind a field", "82 20"],
  ["a table size update behind a literal", entering("a", "b") + "3f e1 1f"],
  ["a table size update that does not end", "3f"],
];

for (const [what, block] of MALFORMED) {
  Deno.test(`HpackDecoder.decode() rejects ${what}`, () => {
    assertThrows(
      () => decodeHex(new HpackDecoder(), block),
      HpackError,
      "Cannot decode header block: ",
    );
  });
}

Deno.test("HpackDecoder.decode() takes integers longer than they have to be", () => {
  assertEquals(
    decodeHex(new HpackDecoder(), "0f 80 80 80 80 00 01 61"),
    ["accept-charset", "a"],
  );
});

Deno.test("HpackDecoder.decode() reads literals of all three kinds", () => {
  const decoder = new HpackDecoder();
  for (const first of ["40", "00", "10"]) {
    assertEquals(decodeHex(decoder, `${first} 01 61 01 62`), ["a", "b"]);
  }
  assertEquals(tableOf(decoder), [["a", "b"]]);
  // The same with the name's index: of the static table, and of the dynamic.
  for (const first of ["44", "04", "14"]) {
    assertEquals(decodeHex(decoder, `${first} 01 62`), [":path", "b"]);
  }
  for (const first of ["0f 30", "1f 30", "7f 00"]) {
    assertEquals(decodeHex(decoder, `${first} 01 63`), ["a", "c"]);
  }
  assertEquals(tableOf(decoder), [["a", "c"], [":path", "b"], ["a", "b"]]);
});

Deno.test("HpackDecoder.decode() keeps bytes as they are", () => {
  assertEquals(
    decodeHex(new HpackDecoder(), "00 02 80 9f 04 00 ff e9 0a"),
    ["\x80\x9f", "\x00\xff\xe9\x0a"],
  );
});

// The dynamic table

Deno.test("HpackDecoder evicts the oldest fields when others enter", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f 45" + entering("a", "1")); // 100 bytes: 2 times 34, no 3
  decodeHex(decoder, entering("b", "2"));
  assertEquals(tableOf(decoder), [["b", "2"], ["a", "1"]]);
  decodeHex(decoder, entering("c", "3"));
  assertEquals(tableOf(decoder), [["c", "3"], ["b", "2"]]);
});

Deno.test("HpackDecoder fills its table to the last byte", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f 25" + entering("a", "1") + entering("b", "2")); // 68
  assertEquals(tableOf(decoder).length, 2);
  decodeHex(decoder, "3f 24"); // 67
  assertEquals(tableOf(decoder), [["b", "2"]]);
});

Deno.test("HpackDecoder takes the name of a field that is evicted for it", () => {
  // https://www.rfc-editor.org/rfc/rfc7541#section-4.4
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f 1f" + entering("abc", "1")); // 62 bytes: no room for 2
  assertEquals(decodeHex(decoder, "7e 02 32 32"), ["abc", "22"]);
  assertEquals(tableOf(decoder), [["abc", "22"]]);
});

Deno.test("HpackDecoder empties its table for a field larger than that", () => {
  // https://www.rfc-editor.org/rfc/rfc7541#section-4.4
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f 03" + entering("a", "1")); // 34 bytes
  assertEquals(tableOf(decoder), [["a", "1"]]);
  assertEquals(decodeHex(decoder, entering("a", "12")), ["a", "12"]);
  assertEquals(tableOf(decoder), []);
  decodeHex(decoder, entering("b", "2"));
  assertEquals(tableOf(decoder), [["b", "2"]]);
});

Deno.test("HpackDecoder keeps hundreds of fields in order, and turns them over", () => {
  const decoder = new HpackDecoder({ maxTableSize: 8192 });
  decodeHex(decoder, "3f e1 3f"); // 8192 bytes: 215 fields of 38
  const entered: HeaderList[] = [];
  for (let i = 1000; i < 2000; i++) {
    const field = [`n${i % 7}`, `${i}`];
    decodeHex(decoder, entering(field[0]!, field[1]!));
    entered.unshift(field);
    if (i % 100 === 99) {
      assertEquals(tableOf(decoder), entered.slice(0, 215));
    }
  }
});

// Updates of the table's size

Deno.test("HpackDecoder.decode() takes any number of updates at the beginning", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, entering("a", "1"));
  assertEquals(decodeHex(decoder, "3f e1 1f 20 3f 03 82"), [":method", "GET"]);
  assertEquals(tableOf(decoder), []);
  decodeHex(decoder, entering("a", "1") + entering("b", "2"));
  assertEquals(tableOf(decoder), [["b", "2"]]);
});

Deno.test("HpackDecoder.decode() takes an update as large as what was said", () => {
  const decoder = new HpackDecoder({ maxTableSize: 65_536 });
  decodeHex(decoder, "3f e1 ff 03");
  assertThrows(() => decodeHex(decoder, "3f e2 ff 03"), HpackError, "65537");
});

Deno.test("HpackDecoder binds nobody to less than 4096 bytes before it is acknowledged", () => {
  const decoder = new HpackDecoder({ maxTableSize: 0 });
  decodeHex(decoder, entering("a", "1"));
  assertEquals(decodeHex(decoder, "be"), ["a", "1"]);
  decodeHex(decoder, "3f e1 1f");
  decoder.setTableSize(0);
  assertThrows(
    () => decodeHex(decoder, "be"),
    HpackError,
    "update to at most 0",
  );
});

Deno.test("HpackDecoder.setTableSize() makes the next block begin with an update", () => {
  // https://www.rfc-editor.org/rfc/rfc7541#section-4.2
  for (const block of ["82", "be", "3f 45 82", "3f e1 1f 82"]) {
    const decoder = new HpackDecoder();
    decodeHex(decoder, entering("a", "1"));
    decoder.setTableSize(99);
    assertThrows(() => decodeHex(decoder, block), HpackError);
  }
  for (const block of ["3f 44 82", "20 82", "20 3f 44 82"]) {
    const decoder = new HpackDecoder();
    decoder.setTableSize(99);
    assertEquals(decodeHex(decoder, block), [":method", "GET"]);
    assertEquals(decodeHex(decoder, "82"), [":method", "GET"]);
  }
});

Deno.test("HpackDecoder.setTableSize() asks for the smallest of many sizes", () => {
  const sized = () => {
    const decoder = new HpackDecoder();
    decoder.setTableSize(99);
    decoder.setTableSize(4096);
    return decoder;
  };
  assertThrows(() => decodeHex(sized(), "82"), HpackError, "99");
  assertThrows(() => decodeHex(sized(), "3f e1 1f 82"), HpackError, "99");
  assertEquals(decodeHex(sized(), "3f 44 82"), [":method", "GET"]);
  assertEquals(decodeHex(sized(), "3f 44 3f e1 1f 82"), [":method", "GET"]);
});

Deno.test("HpackDecoder.setTableSize() asks for nothing when the table is small enough", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, "3f 44 82");
  decoder.setTableSize(99);
  assertEquals(decodeHex(decoder, "82"), [":method", "GET"]);
  decoder.setTableSize(8192);
  assertEquals(decodeHex(decoder, "3f e1 3f 82"), [":method", "GET"]);
});

Deno.test("HpackDecoder.setTableSize() asks even for a block that came often", () => {
  const decoder = new HpackDecoder();
  for (let i = 0; i < 5; i++) decodeHex(decoder, "82");
  decoder.setTableSize(0);
  assertThrows(() => decodeHex(decoder, "82"), HpackError);
});

// Blocks that came before

Deno.test("HpackDecoder.decode() gives the same list for a block that came often", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, entering("a", "1"));
  for (const block of ["82 be", "82", literal("a", "1"), "0f 2f 01 62"]) {
    decodeHex(decoder, block);
    const fields = decodeHex(decoder, block);
    assertStrictEquals(decodeHex(decoder, block), fields);
    assertStrictEquals(decodeHex(decoder, block), fields);
    assertNotStrictEquals(decodeHex(decoder, block + "84"), fields);
  }
});

Deno.test("HpackDecoder.decode() gives another list when the table changed", () => {
  const decoder = new HpackDecoder();
  decodeHex(decoder, entering("a", "1"));
  for (const block of ["be", "0f 2f 01 62"]) {
    for (let i = 0; i < 3; i++) decodeHex(decoder, block);
  }
  decodeHex(decoder, entering("c", "2"));
  for (let i = 0; i < 3; i++) {
    assertEquals(decodeHex(decoder, "be"), ["c", "2"]);
    assertEquals(decodeHex(decoder, "0f 2f 01 62"), ["c", "b"]);
  }
  decodeHex(decoder, "20 3f e1 1f");
  assertThrows(() => decodeHex(decoder, "be"), HpackError);
});

Deno.test("HpackDecoder.decode() gives the same list whatever the table, if it is of none", () => {
  const decoder = new HpackDecoder();
  const block = "83" + literal("a", "1");
  decodeHex(decoder, block);
  const fields = decodeHex(decoder, block);
  decodeHex(decoder, entering("c", "2"));
  assertStrictEquals(decodeHex(decoder, block), fields);
});

Deno.test("HpackDecoder.decode() never takes a block that changes the table as known", () => {
  const decoder = new HpackDecoder();
  for (let i = 1; i <= 5; i++) {
    decodeHex(decoder, entering("a", "1"));
    assertEquals(tableOf(decoder).length, i);
  }
  for (let i = 1; i <= 5; i++) decodeHex(decoder, "20 82");
  assertEquals(tableOf(decoder), []);
  for (let i = 1; i <= 5; i++) {
    decodeHex(decoder, "3f e1 1f 82");
    decodeHex(decoder, entering("a", "1"));
    decodeHex(decoder, "20 82");
    assertEquals(tableOf(decoder), []);
  }
});

Deno.test("HpackDecoder.decode() tells blocks apart by their last byte", () => {
  const decoder = new HpackDecoder();
  for (let round = 0; round < 4; round++) {
    for (let byte = 0x61; byte < 0x7b; byte++) {
      const value = "x".repeat(50) + String.fromCharCode(byte);
      assertEquals(decodeHex(decoder, literal("a", value)), ["a", value]);
    }
  }
});

Deno.test("HpackDecoder.decode() forgets blocks rather than mixing them up", () => {
  const decoder = new HpackDecoder();
  // Far more than it keeps, in count and in bytes, and each many times.
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 1000; i++) {
      const value = `${i}`.repeat(1 + i % 30);
      assertEquals(decodeHex(decoder, literal("n", value)), ["n", value]);
      assertEquals(decodeHex(decoder, literal("n", value)), ["n", value]);
    }
  }
});

// Limits

Deno.test("HpackDecoder.tooLarge tells when a list is over maxListSize", () => {
  const decoder = new HpackDecoder({ maxListSize: 2 * 34 });
  const two = literal("a", "1") + literal("b", "2");
  assertEquals(decodeHex(decoder, two), ["a", "1", "b", "2"]);
  assertEquals(decoder.tooLarge, false);
  assertEquals(decodeHex(decoder, literal("a", "1") + literal("b", "22")), []);
  assertEquals(decoder.tooLarge, true);
  assertEquals(decodeHex(decoder, two), ["a", "1", "b", "2"]);
  assertEquals(decoder.tooLarge, false);
});

Deno.test("HpackDecoder.tooLarge tells when there are more than maxFields", () => {
  const decoder = new HpackDecoder({ maxFields: 2 });
  assertEquals(decodeHex(decoder, "82 84").length, 4);
  assertEquals(decoder.tooLarge, false);
  assertEquals(decodeHex(decoder, "82 84 86"), []);
  assertEquals(decoder.tooLarge, true);
});

Deno.test("HpackDecoder.decode() keeps its table in step when a list is too large", () => {
  const decoder = new HpackDecoder({ maxListSize: 40 });
  const blocks = entering("a", "1") + entering("b", "2") + entering("c", "3");
  for (let round = 1; round <= 3; round++) {
    assertEquals(decodeHex(decoder, blocks), []);
    assertEquals(decoder.tooLarge, true);
    assertEquals(tableOf(decoder).length, 3 * round);
  }
});

Deno.test("HpackDecoder.decode() rejects a malformed block that is too large", () => {
  const decoder = new HpackDecoder({ maxFields: 1 });
  assertThrows(() => decodeHex(decoder, "82 84 86 80"), HpackError);
});

Deno.test("HpackDecoder.decode() keeps nothing of a block that expands to much", () => {
  // https://www.rfc-editor.org/rfc/rfc9113#section-10.5.1
  const decoder = new HpackDecoder();
  const value = "x".repeat(4000);
  const enter = new Uint8Array([0x40, 1, 0x62, 0x7f, 0xa1, 0x1e]);
  const block = new Uint8Array(enter.length + value.length);
  block.set(enter);
  block.set(new TextEncoder().encode(value), enter.length);
  assertEquals(decoder.decode(block, 0, block.length), ["b", value]);
  // 16 KiB that stand for 65 MB.
  const bomb = new Uint8Array(16_384).fill(0xbe);
  assertEquals(decoder.decode(bomb, 0, bomb.length), []);
  assertEquals(decoder.tooLarge, true);
  assertEquals(decodeHex(decoder, "be"), ["b", value]);
  assertEquals(decoder.tooLarge, false);
});

Deno.test("HpackDecoder.decode() keeps no reference to the bytes", () => {
  const decoder = new HpackDecoder();
  const block = Uint8Array.fromHex(literal("abc", "def"));
  for (let i = 0; i < 3; i++) decoder.decode(block, 0, block.length);
  const fields = decoder.decode(block, 0, block.length);
  block[2] = 0x7a;
  assertEquals(fields, ["abc", "def"]);
  assertEquals(decoder.decode(block, 0, block.length), ["zbc", "def"]);
});
