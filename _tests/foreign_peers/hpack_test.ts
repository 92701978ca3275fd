// HPACK of both kinds: ours, and that of Python's hpack.

import { assertEquals } from "@std/assert";
import { HpackDecoder, HpackEncoder } from "../../_h2/hpack/mod.ts";
import { decodeHex, encodeHex } from "../../_testdata/hpack_blocks.ts";
import { RandomFields } from "../../_testdata/hpack_random.ts";
import { named, python, talkTo } from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";
import { seededRandom } from "../../_testdata/seeded_random.ts";

const PEER = new URL("../../_testdata/hpack_peer.py", import.meta.url).pathname;
const PYTHON = python();

const CONNECTIONS = 20;
const BLOCKS = 60;
const SIZES = [0, 64, 256, 4096, 16_384];

type Step =
  | readonly ["size", number]
  | readonly ["decode", string]
  | readonly ["encode", readonly string[]];

/** The blocks of one connection: what is in them, and when the table changes. */
function* blocks(
  seed: number,
): Generator<{ fields: string[]; own: () => string[]; size: number | null }> {
  const random = seededRandom(seed);
  const fields = new RandomFields(random);
  const own = () => fields.list();
  const some = Array.from({ length: 8 }, own);
  for (let i = 0; i < BLOCKS; i++) {
    const size = random() < 0.1
      ? SIZES[Math.floor(random() * SIZES.length)]!
      : null;
    yield { fields: some[Math.floor(random() * 9)] ?? own(), own, size };
  }
}

Deno.test({
  name: named("HpackDecoder reads what Python's hpack writes", {
    python: PYTHON,
  }),
  ignore: PYTHON === null,
  async fn() {
    await using peer = talkTo(PYTHON!, PEER);
    for (let seed = 0; seed < CONNECTIONS; seed++) {
      const steps: Step[] = [];
      for (const { fields, size } of blocks(seed)) {
        if (size !== null) steps.push(["size", size]);
        steps.push(["encode", fields]);
      }
      await peer.send(JSON.stringify(steps));
      const answers = await soon(peer.event<(string | null)[]>());
      const decoder = new HpackDecoder({ maxListSize: Infinity });
      steps.forEach(([what, argument], i) => {
        if (what === "size") decoder.setTableSize(argument);
        else assertEquals(decodeHex(decoder, answers[i]!), argument);
      });
    }
  },
});

Deno.test({
  name: named("Python's hpack reads what HpackEncoder writes", {
    python: PYTHON,
  }),
  ignore: PYTHON === null,
  async fn() {
    await using peer = talkTo(PYTHON!, PEER);
    for (let seed = 0; seed < CONNECTIONS; seed++) {
      const encoder = new HpackEncoder({ maxTableSize: 8192 });
      const steps: Step[] = [];
      const sent: (string[] | null)[] = [];
      for (const { fields, own, size } of blocks(seed)) {
        if (size !== null) {
          encoder.setPeerTableSize(size);
          steps.push(["size", size]);
          sent.push(null);
        }
        const more = own();
        steps.push(["decode", encodeHex(encoder, fields, more)]);
        sent.push([...fields, ...more]);
      }
      await peer.send(JSON.stringify(steps));
      assertEquals(await soon(peer.event()), sent);
    }
  },
});
