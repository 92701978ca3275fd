/**
 * What messages cost, beside `toBinary()` and `fromBinary()`:
 *
 *     deno bench _protobuf
 *
 * @module
 */

import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ByteSink, decode, encode, encodeInto } from "./mod.ts";
import {
  DeepSchema,
  LargeSchema,
  MediumSchema,
  SmallSchema,
} from "./testdata/gen/bench_pb.ts";

type Init = MessageInitShape<typeof MediumSchema>;

/** Memory that is used again for each message, as a slab of frames nearly is. */
class Memory implements ByteSink {
  buffer = new Uint8Array(256 * 1024);
  position = 0;
  reserve(): void {
    throw new RangeError("The memory is too small");
  }
}

const items = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    sku: `sku-${i}`,
    quantity: i,
    price: i * 1.25,
  }));

const MEDIUM: Init = {
  id: "0190a1b2-c3d4",
  name: "Ada Lovelace",
  count: 42,
  created: 1_700_000_000_123n,
  enabled: true,
  price: 3.25,
  ratio: 0.5,
  flags: 7,
  hash: 0x123456789abcdefn,
  offset: -3,
  crc: 0xdeadbeef,
  token: 99n,
  payload: new Uint8Array(24),
  kind: 1,
  owner: { name: "Charles Babbage", email: "cb@example.org", since: 12345n },
  tags: ["alpha", "beta", "gamma"],
  scores: [1, 2, 300, 40_000],
  items: items(3),
  labels: { env: "prod", zone: "eu-west-1" },
  comment: "nothing to add",
};

function deep(levels: number): MessageInitShape<typeof DeepSchema> {
  return levels === 0
    ? { level: 1 }
    : { child: deep(levels - 1), level: levels };
}

function add<Desc extends DescMessage>(
  name: string,
  desc: Desc,
  init: MessageInitShape<Desc>,
): void {
  const message = create(desc, init);
  const bytes = toBinary(desc, message);
  const memory = new Memory();
  const write = `encode ${name}`;
  const read = `decode ${name}`;
  Deno.bench(`toBinary() ${name}`, { group: write, baseline: true }, () => {
    toBinary(desc, message);
  });
  Deno.bench(`encode() ${name}`, { group: write }, () => {
    encode(desc, message);
  });
  Deno.bench(`encodeInto() ${name}`, { group: write }, () => {
    memory.position = 0;
    encodeInto(desc, message, memory);
  });
  Deno.bench(`fromBinary() ${name}`, { group: read, baseline: true }, () => {
    fromBinary(desc, bytes);
  });
  Deno.bench(`decode() ${name}`, { group: read }, () => {
    decode(desc, bytes);
  });
}

add("small, one string", SmallSchema, {
  text: "abcdefghijklmnopqrstuvwxyz0123",
});
add("medium, 20 fields", MediumSchema, MEDIUM);
add("large, 64 KiB of bytes", LargeSchema, { data: new Uint8Array(65_536) });
add("large, 10 000 integers", LargeSchema, {
  numbers: Array.from({ length: 10_000 }, (_, i) => i * 7),
});
add("large, 10 000 characters", LargeSchema, {
  text: "0123456789".repeat(1_000),
});
add("large, 1 000 messages", LargeSchema, { items: items(1_000) });
add("deep, 50 messages in each other", DeepSchema, deep(50));
