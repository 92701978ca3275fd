/**
 * Random messages of any type, from a seed.
 *
 * @module
 */

import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { isRequired } from "../fields.ts";
import { isJson, isUnwrapped, setOwn } from "../local.ts";

type Fields = Record<string, unknown>;

/** Makes random choices: the same from the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A number of 32 bits: mulberry32. */
  uint32(): number {
    this.#state = this.#state + 0x6d2b79f5 >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ mixed >>> 15, mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61);
    return (mixed ^ mixed >>> 14) >>> 0;
  }

  /** A number from 0 on, below another. */
  below(limit: number): number {
    return this.uint32() % limit;
  }

  /** Whether something happens that does so once in a number of times. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of some values. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }
}

const CHARACTERS = [
  ..."abcXYZ 019_",
  ...["\0", "\x7f", "é", "Ж", "\ufffd", "\ufeff", "€", "\u{1f600}"],
];

/** Text: short or long, in ASCII or not, at times with half a surrogate pair. */
function randomText(random: Random): string {
  const length = random.pick([0, 1, 5, 20, 31, 32, 33, 64, 65, 130, 300]);
  const ascii = !random.once(3);
  const text = Array.from(
    { length },
    () => random.pick(ascii ? CHARACTERS.slice(0, 12) : CHARACTERS),
  ).join("");
  return random.once(40) ? `${text}\ud800` : text;
}

function randomFloat(random: Random): number {
  return random.pick([
    ...[0, -0, 1, -1.5, 0.1, NaN, Infinity, -Infinity],
    ...[3.4028234663852886e38, 1e-45, random.uint32(), 1 / random.uint32()],
  ]);
}

function randomInt(random: Random): number {
  return random.pick([
    ...[0, 1, -1, 127, 128, -128, 16383, 16384, 2 ** 21, 2 ** 28],
    ...[2 ** 31 - 1, -(2 ** 31), random.uint32() | 0],
  ]);
}

function randomLong(random: Random): bigint {
  const any = BigInt(random.uint32()) << 32n | BigInt(random.uint32());
  return BigInt.asIntN(
    64,
    random.pick([
      ...[0n, 1n, -1n, 127n, 128n, 2n ** 28n, 2n ** 32n, 2n ** 35n, 2n ** 56n],
      ...[2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), any, any >> 20n],
    ]),
  );
}

function randomScalar(random: Random, type: ScalarType): unknown {
  switch (type) {
    case ScalarType.DOUBLE:
      return random.once(2)
        ? randomFloat(random)
        : 1e300 * Math.sin(random.uint32());
    case ScalarType.FLOAT:
      return randomFloat(random);
    case ScalarType.BOOL:
      return random.once(2);
    case ScalarType.STRING:
      return randomText(random);
    case ScalarType.BYTES:
      return random.bytes(random.pick([0, 1, 10, 127, 128, 300]));
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return randomInt(random);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return randomInt(random) >>> 0;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return BigInt.asUintN(64, randomLong(random));
    default:
      return randomLong(random);
  }
}

function randomJson(random: Random, depth: number): unknown {
  const kind = random.below(depth > 0 ? 6 : 4);
  if (kind === 0) return null;
  if (kind === 1) return random.once(2);
  if (kind === 2) return randomInt(random) / 8;
  if (kind === 3) return randomText(random);
  if (kind === 4) {
    return Array.from(
      { length: random.below(4) },
      () => randomJson(random, depth - 1),
    );
  }
  return randomObject(random, depth - 1);
}

function randomObject(random: Random, depth: number): unknown {
  const object: Fields = {};
  for (let i = random.below(4); i > 0; i--) {
    const key = random.once(9) ? "__proto__" : randomText(random);
    setOwn(object, key, randomJson(random, depth));
  }
  return object;
}

function randomValue(random: Random, field: DescField, depth: number): unknown {
  if (field.message !== undefined) {
    const message = field as DescField & { message: DescMessage };
    if (isJson(message)) return randomObject(random, depth - 1);
    if (isUnwrapped(message)) {
      return randomScalar(random, field.message.fields[0]!.scalar!);
    }
    return randomMessage(random, field.message, depth - 1);
  }
  if (field.enum !== undefined) {
    return field.enum.open && random.once(4)
      ? randomInt(random)
      : random.pick(field.enum.values).number;
  }
  const value = randomScalar(random, field.scalar);
  return "longAsString" in field && field.longAsString ? String(value) : value;
}

function randomMap(
  random: Random,
  field: DescField & { fieldKind: "map" },
  depth: number,
): unknown {
  const map: Fields = {};
  for (let i = random.below(4); i > 0; i--) {
    const key = random.once(20) && field.mapKey === ScalarType.STRING
      ? "__proto__"
      : String(randomScalar(random, field.mapKey));
    setOwn(map, key, randomValue(random, field, depth));
  }
  return map;
}

/** A field that the type does not have. */
function randomUnknown(random: Random, desc: DescMessage) {
  let no: number;
  do no = random.pick([2, 99, 15_000, 20_000, 536_870_911]) +
    random.below(3); while (
    desc.fields.some(({ number }) => number === no) || no > 536_870_911
  );
  const [wireType, data] = random.pick(
    [
      [0, [5]],
      [0, [0x80, 0x80, 0x01]],
      [1, random.bytes(8)],
      [2, [3, ...random.bytes(3)]],
      [5, random.bytes(4)],
    ] as const,
  );
  return { no, wireType, data: Uint8Array.from(data) };
}

/**
 * Makes a message.
 *
 * @param random The source of all choices.
 * @param desc The type of the message.
 * @param depth How many messages may be within each other.
 * @returns A message with some of its fields, and sometimes with unknown ones.
 */
export function randomMessage(
  random: Random,
  desc: DescMessage,
  depth: number,
): Message {
  const message = create(desc);
  const fields = message as unknown as Fields;
  // Few fields, or most of them, in any order.
  const chance = random.pick([1, 2, 5, 20, 50]);
  for (const field of desc.fields) {
    // A message whose required fields are messages again never ends.
    if (field.message !== undefined && depth <= 0) continue;
    if (!isRequired(field) && !random.once(chance)) continue;
    let value: unknown;
    if (field.fieldKind === "list") {
      const length = random.pick([0, 1, 2, 3, field.message ? 2 : 40]);
      value = Array.from({ length }, () => randomValue(random, field, depth));
    } else if (field.fieldKind === "map") {
      value = randomMap(random, field, depth);
    } else value = randomValue(random, field, depth);
    if (field.oneof === undefined) fields[field.localName] = value;
    else fields[field.oneof.localName] = { case: field.localName, value };
  }
  if (random.once(8)) {
    message.$unknown = Array.from(
      { length: 1 + random.below(3) },
      () => randomUnknown(random, desc),
    );
  }
  return message;
}
