/** The page on testing, and the code on it. */

import { assert, assertEquals } from "@std/assert";

/** The blocks of the page that `deno test --doc` does not run. */
async function blocksOf(url: URL): Promise<string[]> {
  const text = await Deno.readTextFile(url);
  return [...text.matchAll(/^```ts ignore\n(.*?)^```$/gms)]
    .map(([, code = ""]) => code);
}

// `deno test --doc` makes a test of each block, and no test can register another.
Deno.test("docs/testing.md shows tests that stand in examples/testing/, and run there", async () => {
  const examples = new URL("../examples/testing/", import.meta.url);
  const sources: string[] = [];
  for await (const { name } of Deno.readDir(examples)) {
    assert(name.endsWith("_test.ts"), name);
    sources.push(await Deno.readTextFile(new URL(name, examples)));
  }
  const page = new URL("../docs/testing.md", import.meta.url);
  assertEquals((await blocksOf(page)).sort(), sources.sort());
  assertEquals(sources.length, 4);
});
