import { assert, assertEquals, assertThrows } from "@std/assert";
import { decodeHex, encodeHex, tableOf } from "../../_testdata/hpack_blocks.ts";
import { ByteWriter } from "../byte_writer.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder, type HpackEncoderOptions } from "./encoder.ts";
import type { HeaderList } from "./header_list.ts";

/** An encoder, and a decoder that checks all it writes. */
class Pair {
  readonly encoder: HpackEncoder;
  readonly decoder: HpackDecoder;

  constructor(options?: HpackEncoderOptions) {
    this.encoder = new HpackEncoder(options);
    this.decoder = new HpackDecoder({
      maxTableSize: 1 << 20,
      maxListSize: Infinity,
    });
  }

  /** Sends a block, and gives its bytes. */
  send(shared: HeaderList, own: HeaderList = []): string {
    const block = encodeHex(this.encoder, shared, own);
    assertEquals(decodeHex(this.decoder, block), [...shared, ...own]);
    return block;
  }

  /** What has entered the table, the newest first. */
  get table(): HeaderList[] {
    return tableOf(this.decoder);
  }
}

const HEAD = [
  ...[":method", "POST", ":scheme", "http", ":path", "/a.B/C"],
  ...["te", "trailers", "content-type", "application/grpc"],
];

Deno.test("HpackEncoder.encode() writes nothing for no fields", () => {
  assertEquals(new Pair().send([]), "");
});

Deno.test("HpackEncoder.encode() indexes shared fields from the second time on", () => {
  const pair = new Pair();
  const first = pair.send(HEAD);
  assert(first.length > 2 * 20);
  const second = pair.send(HEAD);
  assertEquals(second, "8386c0bfbe");
  assertEquals(pair.send(HEAD), second);
  assertEquals(pair.send([...HEAD]), second); // another list of the same fields
});

Deno.test("HpackEncoder.encode() writes shared lists again when others have entered", () => {
  const pair = new Pair();
  pair.send(HEAD);
  pair.send(HEAD);
  pair.send(["x-a", "1"]);
  assertEquals(pair.send(HEAD), "8386c1c0bf");
  assertEquals(pair.send(HEAD), "8386c1c0bf");
});

Deno.test("HpackEncoder.encode() writes parts in order, and indexes what they share", () => {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const definition = ["te", "trailers", "content-type", "application/grpc"];
  const lengths: number[] = [];
  for (let i = 0; i < 3; i++) {
    const out = new ByteWriter(64);
    encoder.encode(out, HEAD.slice(0, 6), ["grpc-timeout", `${i}S`], {
      shared: definition,
      own: ["x-a", `${i}`],
      next: { shared: [], own: ["x-b", `${i}`], next: null },
    });
    const fields = decoder.decode(
      out.bytes.slice(0, out.length),
      0,
      out.length,
    );
    assertEquals(fields, [
      ...[...HEAD.slice(0, 6), "grpc-timeout", `${i}S`, ...definition],
      ...["x-a", `${i}`, "x-b", `${i}`],
    ]);
    lengths.push(out.length);
  }
  assert(lengths[2]! < lengths[0]! - 40, lengths.join());
});

Deno.test("HpackEncoder.encode() writes fields of the static table as their index", () => {
  const pair = new Pair();
  const fields = [
    ...[":method", "GET", ":path", "/index.html", ":scheme", "https"],
    ...[":status", "500", "accept-encoding", "gzip, deflate"],
    ...[":authority", "", "www-authenticate", ""],
  ];
  assertEquals(pair.send(fields), "8285878e9081bd");
  assertEquals(pair.send([], fields), "8285878e9081bd");
});

Deno.test("HpackEncoder.encode() uses Huffman code where that is shorter", () => {
  const pair = new Pair();
  assertEquals(pair.send([":path", "/aaaaaaaa"]).slice(2, 4), "86");
  assertEquals(pair.send([":path", "{}{}{}"]).slice(2, 4), "06");
});

Deno.test("HpackEncoder.encode() writes own values as they are, once", () => {
  const pair = new Pair();
  assertEquals(
    pair.send([], ["date", "aaaaaaaa"]),
    "0f12" + "08" + "61".repeat(8),
  );
  assertEquals(pair.table, []);
});

Deno.test("HpackEncoder.encode() enters an own value that comes again", () => {
  const pair = new Pair();
  assertEquals(pair.send([], ["date", "a"]), "0f12" + "0161");
  assertEquals(pair.send([], ["date", "a"]), "61" + "0161");
  assertEquals(pair.send([], ["date", "a"]), "be");
  assertEquals(pair.table, [["date", "a"]]);
});

Deno.test("HpackEncoder.encode() enters an own name that comes again, once", () => {
  const pair = new Pair();
  for (let i = 0; i < 10; i++) {
    const block = pair.send([], ["x-request-id", `${i}`]);
    if (i >= 2) assertEquals(block, `0f2f01${(0x30 + i).toString(16)}`);
  }
  assertEquals(pair.table, [["x-request-id", "1"]]);
});

Deno.test("HpackEncoder.encode() leaves own values alone that never repeat", () => {
  const pair = new Pair();
  for (let i = 0; i < 1000; i++) {
    pair.send(HEAD, ["grpc-timeout", `${i}m`, "date", `${i}`]);
  }
  assertEquals(pair.table.length, 4);
});

Deno.test("HpackEncoder.encode() leaves half of the table to shared lists", () => {
  const pair = new Pair();
  for (let i = 0; i < 100; i++) {
    pair.send([], [`x-${i}`, "x".repeat(100)]);
    pair.send([], [`x-${i}`, "x".repeat(100)]);
  }
  const size = pair.table.reduce((sum, it) => sum + it.join("").length + 32, 0);
  assert(size > 1800 && size <= 2048, `${size}`);
  pair.send(HEAD);
  assertEquals(pair.send(HEAD), "8386c0bfbe");
});

Deno.test("HpackEncoder.encode() enters only so many values of an own name", () => {
  const pair = new Pair();
  for (let i = 0; i < 100; i++) {
    for (let again = 0; again < 3; again++) pair.send([], ["x-a", `${i}`]);
  }
  assertEquals(pair.table.length, 8);
});

// Secrets

for (const place of ["shared", "own"]) {
  Deno.test(`HpackEncoder.encode() never indexes secrets that are ${place}`, () => {
    const pair = new Pair({ neverIndexed: ["x-secret"] });
    const send = (fields: HeaderList) =>
      place === "own" ? pair.send([], fields) : pair.send(fields);
    const fields = ["x-secret", "1"];
    for (let i = 0; i < 5; i++) {
      assertEquals(send(["authorization", "{}"]), "1f08" + "027b7d");
      assertEquals(send(["cookie", ""]).slice(0, 4), "1f11");
      assertEquals(send(["set-cookie", "{}"]), "1f28" + "027b7d");
      assertEquals(send(["proxy-authorization", "{}"]), "1f22" + "027b7d");
      assert(send(fields).startsWith("10"));
    }
    assertEquals(pair.table, []);
    assertEquals(
      send(["x-open", "1"]).slice(0, 1),
      place === "own" ? "0" : "4",
    );
  });
}

// The size of the table

Deno.test("HpackEncoder.setPeerTableSize() is told with the next block", () => {
  // https://www.rfc-editor.org/rfc/rfc7541#section-4.2
  const pair = new Pair();
  pair.encoder.setPeerTableSize(100);
  assertEquals(pair.send([":method", "GET"]), "3f45" + "82");
  assertEquals(pair.send([":method", "GET"]), "82");
});

Deno.test("HpackEncoder.setPeerTableSize() of the size there is tells nothing", () => {
  const pair = new Pair();
  pair.encoder.setPeerTableSize(4096);
  assertEquals(pair.send([":method", "GET"]), "82");
  pair.encoder.setPeerTableSize(1 << 20); // more than its own maximum
  assertEquals(pair.send([":method", "GET"]), "82");
});

for (const sizes of [[1000, 4096], [1000, 0, 2000, 4096]]) {
  Deno.test(`HpackEncoder.setPeerTableSize() empties the table for ${sizes}`, () => {
    const pair = new Pair();
    const first = pair.send(HEAD);
    for (const size of sizes) pair.encoder.setPeerTableSize(size);
    assertEquals(pair.send(HEAD), "203fe11f" + first);
    assertEquals(pair.send(HEAD), "8386c0bfbe");
  });
}

Deno.test("HpackEncoder.setPeerTableSize() evicts what has no room", () => {
  const pair = new Pair();
  pair.send(HEAD);
  pair.send(HEAD);
  pair.encoder.setPeerTableSize(59); // content-type alone is larger
  pair.send(HEAD);
  pair.send(HEAD);
  assertEquals(pair.table, [[":path", "/a.B/C"]]);
  pair.encoder.setPeerTableSize(0);
  pair.send(HEAD);
  assertEquals(pair.table, []);
  pair.encoder.setPeerTableSize(4096);
  pair.send(HEAD);
  assertEquals(pair.send(HEAD), "8386c0bfbe");
});

Deno.test("HpackEncoder uses no more than maxTableSize, and says so", () => {
  const small = new Pair({ maxTableSize: 0 });
  const block = small.send(HEAD);
  assertEquals(block.slice(0, 2), "20");
  assertEquals(small.send(HEAD), block.slice(2));
  assertEquals(small.table, []);

  const large = new Pair({ maxTableSize: 8192 });
  assertEquals(large.send([":method", "GET"]), "82");
  large.encoder.setPeerTableSize(1 << 20);
  assertEquals(large.send([":method", "GET"]), "3fe13f82");
});

// More fields than there is room for

Deno.test("HpackEncoder.encode() evicts nothing while there are lists in use", () => {
  const pair = new Pair();
  const lists = Array.from(
    { length: 100 },
    (_, i) => [":path", `/${"x".repeat(60)}/${i}`],
  );
  for (const list of lists) pair.send(list);
  const before = pair.table;
  for (const list of lists) pair.send(list);
  assertEquals(pair.table, before);
});

Deno.test("HpackEncoder.encode() fills the table again for what is in use", () => {
  const pair = new Pair();
  for (let i = 0; i < 50; i++) pair.send([`x-${i}`, "x".repeat(60)]);
  const late = [":path", "/in/use".repeat(9), "x-late", "y".repeat(60)];
  const other = ["x-other", "yes"];
  const wanted = pair.send(late).length;
  let count = 0;
  while (pair.send(late).length >= wanted) assert(count++ < 1024);
  assert(count > 100, `${count}`);
  pair.send(other);
  assertEquals(pair.send(late), "c0bf");
  assertEquals(pair.send(other), "be");
});

Deno.test("HpackEncoder.encode() copes with any number of lists and names", () => {
  const pair = new Pair();
  for (let i = 0; i < 3000; i++) {
    pair.send(HEAD.with(5, `/${i % 300}`), [`n${i}`, "v", `m${i % 700}`, "w"]);
  }
});

// Mistakes

const WRONG: [what: string, shared: HeaderList, own: HeaderList][] = [
  ["a shared value", ["x-a", "1", "x-b", "\u0100"], []],
  ["a shared name", ["x-a", "1", "x-\u0100", "1"], []],
  ["an own value", ["x-a", "1"], ["x-b", "a\u{1f600}"]],
  ["an own name", ["x-a", "1"], ["\ufffd", ""]],
  ["a shared secret", ["x-a", "1", "cookie", "\u0100"], []],
  ["an own secret", ["x-a", "1"], ["authorization", "\u0100"]],
];

for (const [what, shared, own] of WRONG) {
  Deno.test(`HpackEncoder.encode() writes nothing when ${what} is not bytes`, () => {
    const pair = new Pair();
    pair.send(HEAD);
    pair.encoder.setPeerTableSize(2048);
    const out = new ByteWriter();
    out.length = 3;
    for (let again = 0; again < 3; again++) {
      assertThrows(
        () => pair.encoder.encode(out, shared, own),
        TypeError,
        "Cannot encode header field",
      );
      assertEquals(out.length, 3);
    }
    pair.send(HEAD, ["x-a", "1"]);
    pair.send(HEAD, ["x-a", "1"]);
    pair.send(["x-a", "1"]);
    pair.send(["x-b", "1"]);
    pair.send(HEAD);
    assertEquals(pair.send(HEAD).length, 10);
  });
}

Deno.test("HpackEncoder.encode() takes all 256 bytes, and strings of any length", () => {
  const pair = new Pair();
  const bytes = String.fromCharCode(...Array(256).keys());
  for (const length of [0, 1, 126, 127, 128, 254, 255, 256, 70_000]) {
    const text = bytes.repeat(Math.ceil(length / 256)).slice(0, length);
    pair.send(["x-a", text], ["x-b", text]);
    pair.send([text, text], [text, text]);
  }
});
