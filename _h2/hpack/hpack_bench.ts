/**
 * What a header block costs.
 *
 *     deno bench --allow-read=. _h2/hpack/hpack_bench.ts
 */

import { seededRandom } from "../../_testdata/seeded_random.ts";
import { ByteWriter } from "../byte_writer.ts";
import { HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { type HeaderList, NO_FIELDS } from "./header_list.ts";
import { decodeHuffman, encodeHuffman, huffmanLength } from "./huffman.ts";
import { latin1 } from "./latin1.ts";

const REQUEST: HeaderList = [
  ...[
    ":method",
    "POST",
    ":scheme",
    "http",
    ":path",
    "/helloworld.Greeter/SayHello",
  ],
  ...[":authority", "localhost:50051", "te", "trailers"],
  ...["content-type", "application/grpc", "user-agent", "grpclib-deno/0.1.0"],
];
const random = seededRandom(7);

/** What tracing and deadlines make new in every call. */
function ownOf(i: number): HeaderList {
  const digits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16))
      .join("");
  return [
    ...["grpc-timeout", `${1000 + i}m`],
    ...["traceparent", `00-${digits(32)}-${digits(16)}-01`],
    ...["x-request-id", digits(16)],
  ];
}

const OWN = Array.from({ length: 4096 }, (_, i) => ownOf(i));

/** The name of a literal as its index, and what happens to the field. */
const NAMES = {
  "new values": [0x0f, 0x30], // index 63
  "new values that enter the table": [0x7f, 0x00], // the same
};

/** A request with 5 fields of the tables and 3 literals. */
function blockOf(own: HeaderList, name: number[], huffman: boolean) {
  const block = [0x83, 0x86, 0x84, 0xbe, 0xbf];
  for (let i = 1; i < own.length; i += 2) {
    const value = own[i]!;
    const code = new Uint8Array(huffman ? huffmanLength(value) : value.length);
    if (huffman) encodeHuffman(value, code, 0);
    else new TextEncoder().encodeInto(value, code);
    block.push(...name, (huffman ? 0x80 : 0) | code.length, ...code);
  }
  return Uint8Array.from(block);
}

let i = 0;

for (const [what, name] of Object.entries(NAMES)) {
  for (const huffman of [false, true]) {
    const decoder = new HpackDecoder();
    const first = Uint8Array.from([0x40, 1, 0x61, 1, 0x62]);
    for (let n = 0; n < 2; n++) decoder.decode(first, 0, first.length);
    const blocks = OWN.map((own) => blockOf(own, name, huffman));
    Deno.bench(
      `decode 8 fields, 3 with ${what}${huffman ? ", Huffman" : ""}`,
      { group: "decode" },
      () => {
        const block = blocks[i++ & 4095]!;
        decoder.decode(block, 0, block.length);
      },
    );
  }
}

for (const list of [REQUEST, [...REQUEST, "authorization", "x".repeat(100)]]) {
  const encoder = new HpackEncoder();
  const decoder = new HpackDecoder();
  const out = new ByteWriter();
  for (let n = 0; n < 5; n++) {
    out.length = 0;
    encoder.encode(out, list);
    decoder.decode(out.bytes, 0, out.length);
  }
  Deno.bench(
    `decode a block of ${out.length} bytes that came before`,
    { group: "decode" },
    () => {
      decoder.decode(out.bytes, 0, out.length);
    },
  );
}

for (const count of [0, 1, 3]) {
  const encoder = new HpackEncoder();
  const out = new ByteWriter(65_536);
  const own = OWN.map((own) => own.slice(0, 2 * count));
  Deno.bench(
    `encode a shared list and ${count} own fields`,
    { group: "encode" },
    () => {
      out.length = 0;
      encoder.encode(out, REQUEST, own[i++ & 4095]!);
    },
  );
}

{
  const encoder = new HpackEncoder();
  const out = new ByteWriter(65_536);
  const lists = Array.from(
    { length: 16 },
    (_, i) => REQUEST.with(5, `/a.B/Method${i}`),
  );
  Deno.bench("encode one of 16 shared lists", { group: "encode" }, () => {
    out.length = 0;
    encoder.encode(out, lists[i++ & 15]!);
  });
}

{
  const encoder = new HpackEncoder();
  const out = new ByteWriter(65_536);
  encoder.encode(out, REQUEST);
  Deno.bench("encode known fields as own ones", { group: "encode" }, () => {
    out.length = 0;
    encoder.encode(out, NO_FIELDS, REQUEST);
  });
}

const TEXT = OWN[0]![3]!;
for (const length of [5, 16, 32, 55]) {
  const text = TEXT.slice(0, length);
  const bytes = new TextEncoder().encode(text);
  const code = new Uint8Array(huffmanLength(text));
  encodeHuffman(text, code, 0);
  Deno.bench(`latin1(), ${length} bytes`, { group: "strings" }, () => {
    latin1(bytes, 0, length);
  });
  Deno.bench(`decodeHuffman() to ${length} bytes`, { group: "strings" }, () => {
    decodeHuffman(code, 0, code.length);
  });
  Deno.bench(`encodeHuffman(), ${length} bytes`, { group: "strings" }, () => {
    encodeHuffman(text, code, 0);
  });
}
