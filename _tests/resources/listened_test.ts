// A long call that is listened to keeps nothing of its messages.

import { assertEquals, assertLess } from "@std/assert";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { soon } from "../../_testdata/waiting.ts";

const MESSAGES = 10_048; // a multiple of 64

/** What the heap may grow by, in bytes: less than a promise for each message. */
const MOST_GROWTH = 50 * MESSAGES;

for (const http2 of ["node", "native"]) {
  for (const speed of ["fast", "slow"]) {
    Deno.test(`a long call with ${speed} listeners keeps nothing of its messages on the engine "${http2}"`, async () => {
      await using process = new ChildProcess([
        "--allow-net=127.0.0.1",
        "--v8-flags=--expose-gc",
        import.meta.resolve("../../_testdata/listened_program.ts"),
        ...[`${MESSAGES}`, speed, http2],
      ]);
      const line = await soon(process.line(), "the program");
      assertEquals((await soon(process.leave())).code, 0);
      const { heard, grown } = JSON.parse(line!);
      // Sent and received, on either side.
      assertEquals(heard, 4 * MESSAGES);
      assertLess(grown, MOST_GROWTH);
    });
  }
}
