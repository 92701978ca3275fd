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

Deno.test({
  name: named("HpackDecoder reads what Python's hpack writes", {
    python: PYTHON,
  }),
  ignore: PYTHON === null,
  async fn() {
    await using peer = talkTo(PYTHON!, PEER);
    for (let seed = 0; seed < CONNECTIONS; seed++) {
      const random = seededRandom(seed);
      const fields = new RandomFields(random);
      const some = Array.from({ length: 8 }, () => fields.list());
      const steps: Step[] = [];
      for (let i = 0; i < BLOCKS; i++) {
        if (random() < 0.1) {
          steps.push(["size", SIZES[Math.floor(random() * SIZES.length)]!]);
        }
        steps.push(["encode", some[Math.floor(random() * 9)] ?? fields.list()]);
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
      const random = seededRandom(seed);
      const fields = new RandomFields(random);
      const some = Array.from({ length: 8 }, () => fields.list());
      const encoder = new HpackEncoder({ maxTableSize: 8192 });
      const steps: Step[] = [];
      const sent: (string[] | null)[] = [];
      for (let i = 0; i < BLOCKS; i++) {
        if (random() < 0.1) {
          const size = SIZES[Math.floor(random() * SIZES.length)]!;
          encoder.setPeerTableSize(size);
          steps.push(["size", size]);
          sent.push(null);
        }
        const shared = some[Math.floor(random() * 9)] ?? fields.list();
        const own = fields.list();
        steps.push(["decode", encodeHex(encoder, shared, own)]);
        sent.push([...shared, ...own]);
      }
      await peer.send(JSON.stringify(steps));
      assertEquals(await soon(peer.event()), sent);
    }
  },
});
