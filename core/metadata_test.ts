import {
  assert,
  assertEquals,
  assertFalse,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import { inspect } from "node:util";
import {
  appendUnchecked,
  Metadata,
  type MetadataInit,
  metadataOnDemand,
  type MetadataValue,
  type MetadataValueOf,
  pairsToSend,
} from "./metadata.ts";

const BYTES = new Uint8Array([1, 2, 3]);

/** Every way to store a pair, with the word its errors use. */
const WAYS: [string, (key: string, value: MetadataValue) => Metadata][] = [
  ["create", (key, value) => new Metadata({ [key]: value })],
  ["create", (key, value) => new Metadata({ [key]: [value] })],
  ["create", (key, value) => new Metadata([[key, value]])],
  ["create", (key, value) => new Metadata(new Map([[key, value]]))],
  ["create", (key, value) => new Metadata(new Map([[key, [value]]]))],
  ["append", (key, value) => new Metadata().append(key, value)],
  ["set", (key, value) => new Metadata().set(key, value)],
  ["set", (key, value) => new Metadata().set(key, [value])],
];

/** Received metadata, as the library builds it. */
function received(...pairs: [string, MetadataValue][]): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of pairs) appendUnchecked(metadata, key, value);
  return metadata;
}

/** Compiles only if both types are the same. */
function assertSame<A, B>(
  _same: [A] extends [B] ? [B] extends [A] ? true : false : false,
): void {}

// --- making

Deno.test("Metadata is empty when made from nothing", () => {
  for (const metadata of [new Metadata(), new Metadata(undefined)]) {
    assertEquals(metadata.size, 0);
    assertEquals([...metadata], []);
  }
  assertEquals(new Metadata({}).size, 0);
  assertEquals(new Metadata([]).size, 0);
  assertEquals(new Metadata(new Map()).size, 0);
});

Deno.test("Metadata keeps the pairs of everything it can be made from, in order", () => {
  const pairs: [string, MetadataValue][] = [
    ["b", "1"],
    ["a-bin", BYTES],
    ["a", "2"],
    ["a", "3"],
  ];
  const entries = [["b", "1"], ["a-bin", BYTES], ["a", ["2", "3"]]] as const;
  const inits: [string, MetadataInit][] = [
    ["pairs", pairs],
    ["pairs with arrays", entries],
    [
      "a map",
      new Map<string, MetadataValue | readonly MetadataValue[]>(entries),
    ],
    ["an object", Object.fromEntries(entries)],
    ["an object without prototype", {
      __proto__: null,
      ...Object.fromEntries(entries),
    } as unknown as MetadataInit],
    [
      "a generator",
      (function* () {
        yield* pairs;
      })(),
    ],
    ["metadata", new Metadata(pairs)],
  ];
  for (const [name, init] of inits) {
    assertEquals([...new Metadata(init)], pairs, name);
  }
});

Deno.test("Metadata can be made from Headers", () => {
  const headers = new Headers({ "X-Id": "7" });
  assertEquals([...new Metadata(headers)], [["x-id", "7"]]);
});

Deno.test("Metadata is a copy of the metadata it is made from", () => {
  const original = new Metadata({ a: "1" });
  const copy = new Metadata(original);
  copy.append("a", "2");
  assertEquals([...original], [["a", "1"]]);
  original.append("b", "3").append("c", "4");
  assertEquals([...original], [["a", "1"], ["b", "3"], ["c", "4"]]);
  assertEquals([...copy], [["a", "1"], ["a", "2"]]);
  original.delete("a");
  assertEquals([...copy], [["a", "1"], ["a", "2"]]);
});

Deno.test("Metadata takes a key with an empty array for an absent one", () => {
  assertEquals(new Metadata({ a: [] }).size, 0);
  assertThrows(() => new Metadata({ A: [] }), TypeError, "lower-case");
});

Deno.test("Metadata refuses to be made from anything else", () => {
  const cases: [unknown, string][] = [
    [null, "null"],
    ["a", "string"],
    [5, "number"],
    [Promise.resolve({}), "Promise"],
    [new Date(), "Date"],
  ];
  for (const [init, kind] of cases) {
    assertThrows(
      () => new Metadata(init as MetadataInit),
      TypeError,
      `Cannot create metadata: it is made from an object, a map or pairs, received ${kind}`,
    );
  }
});

Deno.test("Metadata refuses items that are not pairs", () => {
  for (const item of ["ab", [], ["a"], ["a", "b", "c"], null, { 0: "a" }]) {
    assertThrows(
      () => new Metadata([item] as unknown as MetadataInit),
      TypeError,
      "Cannot create metadata: every item must be a pair of key and value",
    );
  }
});

// --- looking up

Deno.test("Metadata.get() gives the first value, or undefined", () => {
  const metadata = new Metadata({ a: ["1", "2"], "b-bin": BYTES, c: "" });
  assertEquals(metadata.get("a"), "1");
  assertStrictEquals(metadata.get("b-bin"), BYTES);
  assertEquals(metadata.get("c"), "");
  for (const key of ["d", "", "constructor", "__proto__", "b", "a "]) {
    assertEquals(metadata.get(key), undefined, key);
  }
});

Deno.test("Metadata.getAll() gives every value in order", () => {
  const metadata = new Metadata([["a", "1"], ["b", "x"], ["a", "2"]]);
  assertEquals(metadata.getAll("a"), ["1", "2"]);
  assertEquals(metadata.getAll("b"), ["x"]);
  assertEquals(metadata.getAll("c"), []);
});

Deno.test("Metadata.getAll() gives an array of its own", () => {
  const metadata = new Metadata({ a: "1" });
  metadata.getAll("a").push("2");
  assertEquals(metadata.getAll("a"), ["1"]);
});

Deno.test("Metadata.has() tells whether there is a value", () => {
  const metadata = new Metadata({ a: "", "b-bin": BYTES });
  assert(metadata.has("a"));
  assert(metadata.has("b-bin"));
  assertFalse(metadata.has("b"));
  assertFalse(metadata.has("constructor"));
});

Deno.test("Metadata looks up and deletes keys in any case", () => {
  for (const key of ["x-id", "X-Id", "X-ID"]) {
    const metadata = new Metadata({ "x-id": ["1", "2"] });
    assertEquals(metadata.get(key), "1");
    assertEquals(metadata.getAll(key), ["1", "2"]);
    assert(metadata.has(key));
    assert(metadata.delete(key));
    assertEquals(metadata.size, 0);
  }
});

Deno.test("Metadata.size counts pairs", () => {
  const metadata = new Metadata({ a: ["1", "2"], b: "3" });
  assertEquals(metadata.size, 3);
  metadata.delete("a");
  assertEquals(metadata.size, 1);
});

// --- changing

Deno.test("Metadata.append() adds behind what there is", () => {
  const metadata = new Metadata({ a: "1", b: "2" });
  assertStrictEquals(metadata.append("a", "3"), metadata);
  assertEquals([...metadata], [["a", "1"], ["b", "2"], ["a", "3"]]);
});

Deno.test("Metadata.set() replaces all values where the first one stood", () => {
  const pairs = [["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"]] as const;
  const cases: [string, string | string[], [string, string][]][] = [
    ["a", "x", [["a", "x"], ["b", "2"], ["c", "4"]]],
    ["a", ["x", "y"], [["a", "x"], ["a", "y"], ["b", "2"], ["c", "4"]]],
    ["c", "x", [["a", "1"], ["b", "2"], ["a", "3"], ["c", "x"]]],
    ["d", "x", [["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"], ["d", "x"]]],
    ["a", [], [["b", "2"], ["c", "4"]]],
    ["d", [], [["a", "1"], ["b", "2"], ["a", "3"], ["c", "4"]]],
  ];
  for (const [key, value, expected] of cases) {
    const metadata = new Metadata(pairs);
    assertStrictEquals(metadata.set(key, value), metadata);
    assertEquals([...metadata], expected);
  }
});

Deno.test("Metadata.set() changes nothing when one value is wrong", () => {
  const metadata = new Metadata({ a: "1" });
  assertThrows(() => metadata.set("a", ["2", "\n"]), RangeError);
  assertThrows(() => metadata.set("b", ["2", "\n"]), RangeError);
  assertEquals([...metadata], [["a", "1"]]);
});

Deno.test("Metadata.append() changes nothing when the value is wrong", () => {
  const metadata = new Metadata();
  assertThrows(() => metadata.append("a", "\n"), RangeError);
  assertEquals(metadata.size, 0);
});

Deno.test("Metadata.delete() deletes every value and says whether there was one", () => {
  const metadata = new Metadata([["a", "1"], ["b", "2"], ["a", "3"]]);
  assert(metadata.delete("a"));
  assertFalse(metadata.delete("a"));
  assertFalse(metadata.delete("c"));
  assertEquals([...metadata], [["b", "2"]]);
});

Deno.test("Metadata keeps bytes by reference", () => {
  for (const [, store] of WAYS) {
    assertStrictEquals(store("a-bin", BYTES).get("a-bin"), BYTES);
  }
});

// --- iterating

Deno.test("Metadata.keys() gives each key once, in order", () => {
  const metadata = new Metadata([["b", "1"], ["a", "2"], ["b", "3"]]);
  assertEquals([...metadata.keys()], ["b", "a"]);
});

Deno.test("Metadata.entries() and the iterator give every pair in order", () => {
  const pairs: [string, string][] = [["b", "1"], ["a", "2"], ["b", "3"]];
  const metadata = new Metadata(pairs);
  assertEquals([...metadata.entries()], pairs);
  assertEquals([...metadata], pairs);
  assertEquals(Object.fromEntries(metadata), { a: "2", b: "3" });
});

Deno.test("Metadata can be changed while it is iterated", () => {
  const metadata = new Metadata([["a", "1"], ["b", "2"], ["c", "3"]]);
  const seen: string[] = [];
  for (const [key] of metadata) {
    seen.push(key);
    metadata.delete(key);
    metadata.append("d", "4");
  }
  assertEquals(seen, ["a", "b", "c"]);
  for (const key of metadata.keys()) metadata.delete(key);
  assertEquals(metadata.size, 0);
});

// --- keys

Deno.test("Metadata accepts every key the protocol allows", () => {
  const keys = [
    ...["a", "0", "-", "_", ".", "a-b_c.d", "0123456789"],
    ...["abcdefghijklmnopqrstuvwxyz", "grpc", "xgrpc-a", "grpc_a", "date"],
    ...["authorization", "cookie", "tea", "hosts", "__proto__", "constructor"],
  ];
  for (const key of keys) {
    for (const [, store] of WAYS) {
      if (key === "__proto__" && store === WAYS[0]![1]) continue; // see below
      assertEquals([...store(key, "v")], [[key, "v"]], key);
    }
  }
});

Deno.test("Metadata refuses keys in upper case and says how to write them", () => {
  for (const key of ["A", "X-Id", "Trace-Bin", "GRPC-X"]) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(() => store(key, "v"), TypeError);
      assertEquals(
        error.message,
        `Cannot ${action} metadata: key "${key}" must be lower-case, use "${key.toLowerCase()}"`,
      );
    }
  }
});

Deno.test("Metadata refuses keys with any other character", () => {
  const keys = [
    "",
    " ",
    " a",
    "a ",
    "a\n",
    "\na",
    "a b",
    "A b",
    "é",
    "К",
    "a:",
  ];
  for (let code = 0; code < 0x100; code++) {
    const char = String.fromCharCode(code);
    if (!/[0-9A-Za-z_.-]/.test(char)) keys.push(char, `a${char}b`, `a${char}`);
  }
  for (const key of keys) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(() => store(key, "v"), TypeError);
      assertEquals(
        error.message,
        `Cannot ${action} metadata: key ${
          JSON.stringify(key)
        } must be one or more of the characters 0-9 a-z "_" "-" "."`,
      );
    }
  }
});

Deno.test("Metadata refuses reserved keys", () => {
  const keys = [
    ...["te", "content-type", "user-agent", "host", "connection"],
    ...["keep-alive", "proxy-connection", "transfer-encoding", "upgrade"],
    ...["content-length", "http2-settings", "grpc-", "grpc-timeout"],
    ...["grpc-status", "grpc-message", "grpc-encoding", "grpc-x"],
  ];
  for (const key of keys) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(() => store(key, "v"), TypeError);
      assertEquals(
        error.message,
        `Cannot ${action} metadata: key "${key}" is reserved`,
      );
    }
  }
  assertThrows(() => new Metadata().append("grpc-x-bin", BYTES), TypeError);
});

Deno.test("Metadata refuses keys that are not strings", () => {
  for (const key of [undefined, null, 5, Symbol("a"), {}]) {
    assertThrows(
      () => new Metadata([[key, "v"]] as unknown as MetadataInit),
      TypeError,
      "Cannot create metadata: key must be a string, received ",
    );
    assertThrows(
      () => new Metadata().append(key as unknown as string, "v"),
      TypeError,
      "Cannot append metadata: key must be a string, received ",
    );
  }
});

// --- values

Deno.test("Metadata accepts texts of printable ASCII, and the empty one", () => {
  const texts = ["", "a", "a b", "a  b", "%", "~", "a,b", '"quoted"'];
  for (let code = 0x21; code <= 0x7e; code++) {
    texts.push(String.fromCharCode(code));
  }
  for (const text of texts) {
    for (const [, store] of WAYS) assertEquals(store("a", text).get("a"), text);
  }
});

Deno.test("Metadata refuses texts with other characters, and says where they are", () => {
  const cases: [string, string, number][] = [
    ["\x7f", "U+007F", 0],
    ["a\n", "U+000A", 1],
    ["a\r\nb: c", "U+000D", 1],
    ["\u00a0", "U+00A0", 0],
    ["naïve", "U+00EF", 2],
    ["Привет", "U+041F", 0],
    ["ok \u{1F600}", "U+1F600", 3],
    ["\ud800", "U+D800", 0],
    ["\uffff", "U+FFFF", 0],
  ];
  for (let code = 0; code < 0x20; code++) {
    const hex = code.toString(16).toUpperCase().padStart(4, "0");
    cases.push([`a${String.fromCharCode(code)}b`, `U+${hex}`, 1]);
  }
  for (const [text, point, position] of cases) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(() => store("a", text), RangeError);
      assertEquals(
        error.message,
        `Cannot ${action} metadata: value of "a" must be printable ASCII, received ${point} at position ${position}`,
      );
    }
  }
});

Deno.test("Metadata refuses texts with spaces around them", () => {
  for (const text of [" ", "  ", " a", "a ", " a "]) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(() => store("a", text), RangeError);
      assertEquals(
        error.message,
        `Cannot ${action} metadata: value of "a" must not begin or end with a space`,
      );
    }
  }
});

Deno.test("Metadata never shows a value in an error", () => {
  for (const [, store] of WAYS) {
    const error = assertThrows(() => store("authorization", "Bearer x\n"));
    assert(error instanceof Error && !error.message.includes("Bearer"));
  }
});

Deno.test("Metadata accepts bytes under -bin keys", () => {
  const values = [
    new Uint8Array(),
    BYTES,
    BYTES.subarray(1, 2),
    Buffer.from("abc"),
  ];
  for (const key of ["a-bin", "-bin", "a-bin-bin"]) {
    for (const value of values) {
      for (const [, store] of WAYS) {
        assertStrictEquals(store(key, value).get(key), value);
      }
    }
  }
});

Deno.test("Metadata refuses anything but bytes under -bin keys", () => {
  const cases: [unknown, string][] = [
    ["AQID", "string"],
    ["", "string"],
    [undefined, "undefined"],
    [null, "null"],
    [5, "number"],
    [new ArrayBuffer(1), "ArrayBuffer"],
    [new Uint16Array(1), "Uint16Array"],
    [new DataView(new ArrayBuffer(1)), "DataView"],
  ];
  for (const [value, kind] of cases) {
    for (const [action, store] of WAYS) {
      const error = assertThrows(
        () => store("a-bin", value as MetadataValue),
        TypeError,
      );
      assertEquals(
        error.message,
        `Cannot ${action} metadata: value of "a-bin" must be a Uint8Array, received ${kind}`,
      );
    }
  }
});

Deno.test("Metadata refuses anything but texts under other keys", () => {
  const hint = ', end the key in "-bin"';
  const cases: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [5, "number"],
    [true, "boolean"],
    [{}, "Object"],
    [new String("a"), "String"],
    [BYTES, `Uint8Array${hint}`],
    [Buffer.from("a"), `Buffer${hint}`],
  ];
  for (const [value, kind] of cases) {
    for (const key of ["a", "bin", "a-bin-", "abin"]) {
      for (const [action, store] of WAYS) {
        const error = assertThrows(
          () => store(key, value as MetadataValue),
          TypeError,
        );
        assertEquals(
          error.message,
          `Cannot ${action} metadata: value of "${key}" must be a string, received ${kind}`,
        );
      }
    }
  }
});

Deno.test("Metadata refuses arrays in arrays", () => {
  assertThrows(
    () => new Metadata({ a: [["b"]] } as unknown as MetadataInit),
    TypeError,
    'value of "a" must be a string, received Array',
  );
});

// --- received metadata

Deno.test("appendUnchecked() takes any key and value", () => {
  const pairs: [string, MetadataValue][] = [
    ["content-length", "5"],
    ["a", "\u00e9\t"],
    ["grpc-x", " "],
    ["\u00e9", ""],
    ["a-bin", BYTES],
  ];
  assertEquals([...received(...pairs)], pairs);
});

Deno.test("Metadata copies received metadata as it is", () => {
  const pairs: [string, MetadataValue][] = [["host", "a"], ["a", "\u00e9"]];
  assertEquals([...new Metadata(received(...pairs))], pairs);
});

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("pairsToSend() lists keys and values in turn, bytes as text", () => {
  const metadata = new Metadata({ a: ["1", "2"], "b-bin": BYTES, c: "" });
  for (const one of [metadata, new Metadata(metadata)]) {
    assertEquals(pairsToSend(one, hex), [
      ...["a", "1", "a", "2", "b-bin", hex(BYTES), "c", ""],
    ]);
  }
  assertEquals(pairsToSend(new Metadata(), hex), []);
});

Deno.test("metadataOnDemand() is filled once, by whatever looks into it", () => {
  const looks: ((metadata: Metadata) => unknown)[] = [
    (it) => it.size,
    (it) => it.get("a"),
    (it) => it.getAll("a"),
    (it) => it.has("a"),
    (it) => it.set("a", "2"),
    (it) => it.append("a", "2"),
    (it) => it.delete("a"),
    (it) => [...it],
    (it) => [...it.keys()],
    (it) => [...it.entries()],
    (it) => new Metadata(it),
    (it) => pairsToSend(it, hex),
    (it) => appendUnchecked(it, "a", "2"),
    (it) => Deno.inspect(it),
  ];
  for (const look of looks) {
    let filled = 0;
    const metadata = metadataOnDemand((it, [key, value]) => {
      filled++;
      appendUnchecked(it, key!, value!);
    }, ["a", "1"]);
    assertEquals(filled, 0);
    look(metadata);
    look(metadata);
    assertEquals(filled, 1, `${look}`);
  }
  const changed = metadataOnDemand(
    (it, [key, value]) => appendUnchecked(it, key!, value!),
    ["a", "1"],
  );
  changed.append("a", "2");
  assertEquals(changed.getAll("a"), ["1", "2"]);
});

Deno.test("pairsToSend() leaves out what was received and must not be sent", () => {
  const metadata = received(
    ["a", "1"],
    ["content-length", "5"],
    ["a", "caf\u00e9"],
    ["a", "2"],
    ["b", " x"],
    ["Upper", "x"],
    ["grpc-x", "x"],
    ["c-bin", BYTES],
    ["c-bin", "text"],
    ["d", BYTES],
  );
  for (const one of [metadata, new Metadata(metadata)]) {
    assertEquals(pairsToSend(one, hex), [
      ...["a", "1", "a", "2", "c-bin", hex(BYTES)],
    ]);
  }
  assertEquals(metadata.size, 10);
});

Deno.test("Metadata still checks what is added to received metadata", () => {
  const metadata = received(["host", "a"]);
  assertThrows(() => metadata.append("host", "b"), TypeError, "reserved");
});

// --- types and printing

Deno.test("Metadata gives bytes for -bin keys and strings for others, in its types", () => {
  assertSame<MetadataValueOf<"a">, string>(true);
  assertSame<MetadataValueOf<"a-bin">, Uint8Array>(true);
  assertSame<MetadataValueOf<"A-Bin">, Uint8Array>(true);
  assertSame<MetadataValueOf<`${string}-bin`>, Uint8Array>(true);
  assertSame<MetadataValueOf<"a" | "a-bin">, MetadataValue>(true);
  assertSame<MetadataValueOf<string>, MetadataValue>(true);
  const metadata = new Metadata({ a: "1", "b-bin": BYTES });
  const text: string | undefined = metadata.get("a");
  const bytes: Uint8Array[] = metadata.getAll("b-bin");
  assertEquals([text, bytes], ["1", [BYTES]]);
  // @ts-expect-error: bytes belong under a key that ends in -bin
  assertThrows(() => metadata.append("a", BYTES), TypeError);
  // @ts-expect-error: text does not
  assertThrows(() => metadata.set("b-bin", ["1"]), TypeError);
});

Deno.test("Metadata prints its pairs", () => {
  const metadata = new Metadata({ id: "7" });
  assertEquals(Deno.inspect(metadata), 'Metadata [ [ "id", "7" ] ]');
  assertEquals(inspect(metadata), "Metadata [ [ 'id', '7' ] ]");
});
