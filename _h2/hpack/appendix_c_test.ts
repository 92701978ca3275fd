/**
 * The examples of RFC 7541.
 * https://www.rfc-editor.org/rfc/rfc7541#appendix-C
 */

import { assertEquals } from "@std/assert";
import {
  decodeHex,
  encodeHex,
  hex,
  tableOf,
} from "../../_testdata/hpack_blocks.ts";
import { ByteWriter } from "../byte_writer.ts";
import { BlockReader } from "./block_reader.ts";
import { writeInteger } from "./block_writer.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import type { HeaderList } from "./header_list.ts";

// C.1: integers

const INTEGERS: [
  section: string,
  value: number,
  mask: number,
  bytes: string,
][] = [
  ["C.1.1", 10, 0x1f, "0a"],
  ["C.1.2", 1337, 0x1f, "1f9a0a"],
  ["C.1.3", 42, 0xff, "2a"],
];

for (const [section, value, mask, bytes] of INTEGERS) {
  Deno.test(`BlockReader reads the integer of ${section}`, () => {
    const reader = new BlockReader();
    reader.open(hex(bytes), 0, bytes.length / 2);
    assertEquals(reader.integer(mask), value);
    assertEquals(reader.at, reader.end);
  });

  Deno.test(`writeInteger() writes the integer of ${section}`, () => {
    const out = new ByteWriter(0);
    writeInteger(out, value, mask, 0);
    assertEquals(out.bytes.subarray(0, out.length).toHex(), bytes);
  });
}

// C.2 to C.6: blocks

/** A block, its fields, and the table after it. */
interface Example {
  readonly block: string;
  readonly fields: HeaderList;
  readonly table: readonly HeaderList[];
}

/** Blocks of one direction of a connection. */
interface Examples {
  readonly tableSize?: number;
  readonly blocks: readonly Example[];
}

const CUSTOM = ["custom-key", "custom-header"];
const CUSTOM_VALUE = ["custom-key", "custom-value"];
const AUTHORITY = [":authority", "www.example.com"];
const NO_CACHE = ["cache-control", "no-cache"];
const GET = [":method", "GET"];
const HTTP = [":scheme", "http"];
const HTTPS = [":scheme", "https"];
const ROOT = [":path", "/"];
const INDEX = [":path", "/index.html"];

const REQUESTS = [
  {
    fields: [GET, HTTP, ROOT, AUTHORITY].flat(),
    table: [AUTHORITY],
  },
  {
    fields: [GET, HTTP, ROOT, AUTHORITY, NO_CACHE].flat(),
    table: [NO_CACHE, AUTHORITY],
  },
  {
    fields: [GET, HTTPS, INDEX, AUTHORITY, CUSTOM_VALUE].flat(),
    table: [CUSTOM_VALUE, NO_CACHE, AUTHORITY],
  },
];

const S302 = [":status", "302"];
const S307 = [":status", "307"];
const S200 = [":status", "200"];
const PRIVATE = ["cache-control", "private"];
const DATE_21 = ["date", "Mon, 21 Oct 2013 20:13:21 GMT"];
const DATE_22 = ["date", "Mon, 21 Oct 2013 20:13:22 GMT"];
const LOCATION = ["location", "https://www.example.com"];
const GZIP = ["content-encoding", "gzip"];
const COOKIE = [
  "set-cookie",
  "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
];

const RESPONSES = [
  {
    fields: [S302, PRIVATE, DATE_21, LOCATION].flat(),
    table: [LOCATION, DATE_21, PRIVATE, S302],
  },
  {
    fields: [S307, PRIVATE, DATE_21, LOCATION].flat(),
    table: [S307, LOCATION, DATE_21, PRIVATE],
  },
  {
    fields: [S200, PRIVATE, DATE_22, LOCATION, GZIP, COOKIE].flat(),
    table: [COOKIE, GZIP, DATE_22],
  },
];

/** Puts examples and their bytes together. */
function blocks(
  examples: readonly Omit<Example, "block">[],
  bytes: readonly string[],
): Example[] {
  return examples.map((example, i) => ({ ...example, block: bytes[i]! }));
}

const EXAMPLES: Record<string, Examples> = {
  "C.2.1": {
    blocks: [{
      block: "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
      fields: CUSTOM,
      table: [CUSTOM],
    }],
  },
  "C.2.2": {
    blocks: [{
      block: "040c 2f73 616d 706c 652f 7061 7468",
      fields: [":path", "/sample/path"],
      table: [],
    }],
  },
  "C.2.3": {
    blocks: [{
      block: "1008 7061 7373 776f 7264 0673 6563 7265 74",
      fields: ["password", "secret"],
      table: [],
    }],
  },
  "C.2.4": { blocks: [{ block: "82", fields: GET, table: [] }] },
  "C.3": {
    blocks: blocks(REQUESTS, [
      "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "8286 84be 5808 6e6f 2d63 6163 6865",
      "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ]),
  },
  "C.4": {
    blocks: blocks(REQUESTS, [
      "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
      "8286 84be 5886 a8eb 1064 9cbf",
      "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ]),
  },
  "C.5": {
    tableSize: 256,
    blocks: blocks(RESPONSES, [
      "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420" +
      "3230 3133 2032 303a 3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77" +
      "7777 2e65 7861 6d70 6c65 2e63 6f6d",
      "4803 3330 37c1 c0bf",
      "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32" +
      "3220 474d 54c0 5a04 677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a" +
      "584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33" +
      "3630 303b 2076 6572 7369 6f6e 3d31",
    ]),
  },
  "C.6": {
    tableSize: 256,
    blocks: blocks(RESPONSES, [
      "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81" +
      "66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
      "4883 640e ffc1 c0bf",
      "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a" +
      "839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36" +
      "72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ]),
  },
};

/** An update of the table's size, so that a decoder has what the example has. */
function update(size: number): string {
  const out = new ByteWriter();
  writeInteger(out, size, 0x1f, 0x20);
  return out.bytes.subarray(0, out.length).toHex();
}

for (
  const [section, { blocks, tableSize = 4096 }] of Object.entries(EXAMPLES)
) {
  Deno.test(`HpackDecoder decodes the blocks of ${section}`, () => {
    const decoder = new HpackDecoder();
    decodeHex(decoder, update(tableSize));
    for (const { block, fields, table } of blocks) {
      assertEquals(decodeHex(decoder, block), fields);
      assertEquals(tableOf(decoder), table);
    }
  });
}

Deno.test("HpackEncoder writes the blocks of C.4", () => {
  const encoder = new HpackEncoder();
  for (const { block, fields } of EXAMPLES["C.4"]!.blocks) {
    assertEquals(encodeHex(encoder, fields), block.replaceAll(" ", ""));
  }
});
