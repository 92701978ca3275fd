import { assert } from "@std/assert";
import { fuzzEngine } from "../_testdata/h2_fuzz.ts";

for (const role of ["server", "client"] as const) {
  Deno.test(`Http2Connection.receive() throws nothing, keeps little and forgets all as a ${role} for 20 000 mutated inputs`, () => {
    const { connections, streams, complete, streamErrors } = fuzzEngine({
      role,
      inputs: 20_000,
      seed: 9113,
    });
    // They are neither all well-formed nor all hopeless.
    assert(streams > connections, `${streams}`);
    assert(complete > 200, `${complete}`);
    assert(streamErrors > 1_000, `${streamErrors}`);
  });
}
