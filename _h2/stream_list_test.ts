import { assertEquals } from "@std/assert";
import { Random } from "../_testdata/engine_end.ts";
import { type Linked, StreamList, StreamTable } from "./stream_list.ts";

class Item implements Linked<Item> {
  list: StreamList<Item> | null = null;
  next: Item | null = null;
  previous: Item | null = null;
  chained: Item | null = null;
  constructor(readonly id: number) {}
}

function ids(list: StreamList<Item>): number[] {
  const found: number[] = [];
  for (let at = list.first; at !== null; at = at.next) found.push(at.id);
  return found;
}

Deno.test("StreamList() keeps the order when items come and go", () => {
  const random = new Random(3);
  const list = new StreamList<Item>();
  const expected: Item[] = [];
  for (let i = 0; i < 2_000; i++) {
    if (random.below(2) === 0 || expected.length === 0) {
      const item = new Item(i);
      expected.push(item);
      list.push(item);
      assertEquals(item.list, list);
    } else {
      const [item] = expected.splice(random.below(expected.length), 1);
      list.remove(item!);
      assertEquals([item!.list, item!.next, item!.previous], [
        null,
        null,
        null,
      ]);
    }
    if (i % 50 === 0) assertEquals(ids(list), expected.map(({ id }) => id));
  }
});

Deno.test("StreamTable() finds what is there, and nothing else", () => {
  const random = new Random(5);
  const table = new StreamTable<Item>();
  const expected = new Map<number, Item>();
  for (let id = 1; id < 20_001; id += 2) {
    const item = new Item(id);
    table.add(item);
    expected.set(id, item);
    // Some live long.
    for (const [old, gone] of expected) {
      if (expected.size < 100 + id / 20) break;
      if (random.below(50) === 0) continue;
      expected.delete(old);
      table.delete(gone);
      table.delete(gone);
    }
    assertEquals(table.size, expected.size);
    const any = 1 + 2 * random.below(id);
    assertEquals(table.get(any), expected.get(any) ?? null);
  }
  assertEquals(
    table.toArray().map(({ id }) => id).sort((a, b) => a - b),
    [...expected.keys()],
  );
});
