/**
 * The blocks of http2jp/hpack-test-case, decoded and encoded again.
 */

import { assert, assertEquals } from "@std/assert";
import { decodeHex } from "../../_testdata/hpack_blocks.ts";
import { readCorpus } from "../../_testdata/hpack_corpus.ts";
import { ByteWriter } from "../byte_writer.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { NO_FIELDS } from "./header_list.ts";

const { encoders, stories } = readCorpus();

for (const name of Object.keys(encoders)) {
  Deno.test(`HpackDecoder decodes all blocks of ${name}`, () => {
    let count = 0;
    for (const { fields, blocks, tableSizes } of stories) {
      const decoder = new HpackDecoder();
      blocks[name]?.forEach((block, i) => {
        const size = tableSizes[name]?.[i] ?? null;
        if (size !== null) decoder.setTableSize(size);
        assertEquals(decodeHex(decoder, block), fields[i]!);
        count++;
      });
    }
    assert(count > 3000, `${count}`);
  });
}

/** How to divide the fields of a block into shared ones and its own. */
const DIVISIONS: Record<string, (count: number) => number> = {
  "shared fields": (count) => count,
  "own fields": () => 0,
  "shared and own fields": (count) => Math.floor(count / 4) * 2,
};

for (const tableSize of [4096, 256, 0]) {
  for (const [what, sharedOf] of Object.entries(DIVISIONS)) {
    Deno.test(`HpackEncoder encodes all stories as ${what} with a table of ${tableSize}`, () => {
      for (const { fields } of stories) {
        const encoder = new HpackEncoder();
        const decoder = new HpackDecoder();
        encoder.setPeerTableSize(tableSize);
        decoder.setTableSize(tableSize);
        for (const list of fields) {
          const out = new ByteWriter();
          const shared = sharedOf(list.length);
          encoder.encode(
            out,
            shared === 0 ? NO_FIELDS : list.slice(0, shared),
            list.slice(shared),
          );
          assertEquals(decoder.decode(out.bytes, 0, out.length), list);
        }
      }
    });
  }
}
