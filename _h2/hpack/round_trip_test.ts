/**
 * What the encoder writes is what the decoder reads, whatever it is.
 */

import { assert, assertEquals } from "@std/assert";
import { RandomFields } from "../../_testdata/hpack_random.ts";
import { seededRandom } from "../../_testdata/seeded_random.ts";
import { ByteWriter } from "../byte_writer.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import type { HeaderList } from "./header_list.ts";

const SIZES = [0, 40, 100, 500, 4096, 10_000];

Deno.test("HpackDecoder reads what HpackEncoder writes while table sizes change", () => {
  for (let seed = 0; seed < 60; seed++) {
    const random = seededRandom(seed);
    const fields = new RandomFields(random);
    const encoder = new HpackEncoder({
      maxTableSize: SIZES[Math.floor(random() * SIZES.length)]!,
    });
    const decoder = new HpackDecoder({ maxListSize: Infinity });
    const lists = Array.from({ length: 12 }, () => fields.list());
    // The encoder refers to nothing that the decoder has let go, and what was
    // said of the size is done in the next block, or decode() would throw.
    for (let i = 0; i < 300; i++) {
      while (random() < 0.05) {
        const size = SIZES[Math.floor(random() * SIZES.length)]!;
        encoder.setPeerTableSize(size);
        decoder.setTableSize(size);
      }
      const shared = random() < 0.9
        ? lists[Math.floor(random() * lists.length)]!
        : fields.list();
      const own = random() < 0.7 ? fields.list() : undefined;
      const before = Math.floor(random() * 10);
      const out = new ByteWriter(before);
      out.length = before;
      encoder.encode(out, shared, own);
      assertEquals(
        decoder.decode(out.bytes, before, out.length),
        [...shared, ...own ?? []],
        `seed ${seed}, block ${i}`,
      );
    }
  }
});

Deno.test("HpackEncoder.encode() leaves no trace of a block that it refused", () => {
  for (let seed = 0; seed < 30; seed++) {
    const random = seededRandom(seed);
    const fields = new RandomFields(random);
    const encoder = new HpackEncoder();
    const decoder = new HpackDecoder();
    let refused = 0;
    for (let i = 0; i < 200; i++) {
      const shared = fields.list();
      let own: HeaderList = fields.list();
      if (random() < 0.2) own = [...own, "x-bad", "\u2026"];
      if (random() < 0.1) {
        encoder.setPeerTableSize(500 + Math.floor(random() * 4000));
      }
      const out = new ByteWriter(0);
      try {
        encoder.encode(out, shared, own);
      } catch (error) {
        assert(error instanceof TypeError);
        assertEquals(out.length, 0);
        refused++;
        continue;
      }
      assertEquals(decoder.decode(out.bytes, 0, out.length), [
        ...shared,
        ...own,
      ]);
    }
    assert(refused > 10);
  }
});
