import { assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { BlockCache } from "./block_cache.ts";
import type { HeaderList } from "./header_list.ts";

const blockOf = (i: number) => Uint8Array.of(0x40, i >> 8, i & 255, 7 * i, 3);

const find = (cache: BlockCache, block: Uint8Array) =>
  cache.find(block, 0, block.length, 1);

/** Looks for a block, and adds it when it is time to. */
function look(cache: BlockCache, block: Uint8Array): HeaderList | undefined {
  const found = find(cache, block);
  if (found === undefined && cache.wanted) {
    cache.add(block, ["name", `${block}`], { listSize: 40, generation: 1 });
  }
  return found;
}

Deno.test("BlockCache finds a block from the third time on, and until the table changes", () => {
  const cache = new BlockCache();
  const block = blockOf(1);
  assertEquals(look(cache, block), undefined);
  assertFalse(cache.wanted);
  assertEquals(look(cache, block), undefined);
  const found = look(cache, block);
  assertEquals(found, ["name", `${block}`]);
  assertStrictEquals(look(cache, block), found);
  assertEquals(cache.find(block, 0, block.length, 2), undefined);
});

Deno.test("BlockCache keeps what it has when there are more and more blocks", () => {
  const cache = new BlockCache();
  const known = blockOf(0);
  for (let i = 0; i < 3; i++) look(cache, known);
  // Each comes once: they take no place of a block that is there.
  for (let i = 1; i < 1000; i++) {
    look(cache, blockOf(i));
    assertEquals(find(cache, known), ["name", `${known}`], `after ${i}`);
  }
});

Deno.test("BlockCache finds most of 60 blocks that come again and again", () => {
  const cache = new BlockCache();
  const all = Array.from({ length: 60 }, (_, i) => blockOf(i));
  for (let round = 0; round < 8; round++) {
    for (const block of all) for (let i = 0; i < 2; i++) look(cache, block);
  }
  const found = all.filter((block) => find(cache, block) !== undefined);
  for (const block of found) {
    assertEquals(find(cache, block), ["name", `${block}`]);
  }
  assertEquals(found.length > 30, true, `${found.length} of 60`);
});
