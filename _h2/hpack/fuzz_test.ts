import { assert } from "@std/assert";
import { fuzzDecoder } from "../../_testdata/hpack_fuzz.ts";

Deno.test("HpackDecoder.decode() throws nothing but HpackError for 20 000 mutated blocks", () => {
  const { decoded, tooLarge, rejected } = fuzzDecoder({
    blocks: 20_000,
    seed: 9113,
  });
  // They are neither all well-formed nor all hopeless.
  assert(decoded > 4_000, `${decoded}`);
  assert(rejected > 4_000, `${rejected}`);
  assert(tooLarge > 50, `${tooLarge}`);
});
