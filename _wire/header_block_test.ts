import { assertEquals } from "@std/assert";
import { HeaderBlock, headerListSize } from "./header_block.ts";

Deno.test("headerListSize() adds 32 to the lengths of each field", () => {
  const cases: [shared: string[], own: string[], size: number][] = [
    [[], [], 0],
    [["a", ""], [], 33],
    [[], ["grpc-status", "0"], 44],
    [["abc", "1"], ["abc", "22"], 2 * (3 + 32) + 3],
    [["a", "1", "b", "2"], [], 68],
  ];
  for (const [shared, own, size] of cases) {
    const block = new HeaderBlock(shared, own);
    assertEquals(headerListSize(block), size);
    const [twice, list] = [new HeaderBlock([], [], block), block.toList()];
    assertEquals(headerListSize(new HeaderBlock(own, shared, twice)), 2 * size);
    assertEquals(list, [...shared, ...own]);
    assertEquals(new HeaderBlock(list, [], twice).toList(), [...list, ...list]);
  }
});
