import { assertEquals, assertThrows } from "@std/assert";
import {
  block,
  braced,
  type Doc,
  generic,
  hang,
  hangWhole,
  layOut,
  parenthesized,
} from "./layout.ts";

const LONG = "a".repeat(70);
const TOO_LONG = "a".repeat(90);

const cases: [name: string, doc: Doc, text: string][] = [
  ["keeps what fits", ["a", [" ", "b"]], "a b"],
  [
    "indents blocks",
    ["a ", block(["b", ["c ", block(["d"])]])],
    "a {\n  b\n  c {\n    d\n  }\n}",
  ],
  ["leaves empty lines empty", block(["a", "", "b"]), "{\n  a\n\n  b\n}"],
  ["closes empty blocks at once", block([]), "{}"],
  [
    "keeps arguments on the line",
    ["f", parenthesized(["a", "b"]), ";"],
    "f(a, b);",
  ],
  [
    "gives each argument a line",
    ["f", parenthesized([LONG, "b23456"]), ";"],
    `f(\n  ${LONG},\n  b23456,\n);`,
  ],
  [
    "counts what follows",
    ["f", parenthesized([LONG, "b234"]), ";"],
    `f(${LONG}, b234);`,
  ],
  [
    "breaks after 80 columns",
    ["f", parenthesized([LONG, "b2345"]), ";"],
    `f(\n  ${LONG},\n  b2345,\n);`,
  ],
  [
    "breaks types without a comma",
    generic("F", [LONG, LONG]),
    `F<\n  ${LONG},\n  ${LONG}\n>`,
  ],
  [
    "breaks from the outside in",
    ["f", parenthesized([["argument: ", generic("F", [LONG.slice(6)])]]), ";"],
    `f(\n  argument: F<${LONG.slice(6)}>,\n);`,
  ],
  [
    "breaks inside where that is not enough",
    ["f", parenthesized([["a: ", generic("F", [LONG, LONG])]]), ";"],
    `f(\n  a: F<\n    ${LONG},\n    ${LONG}\n  >,\n);`,
  ],
  ["puts spaces inside braces", braced(["a", "b"]), "{ a, b }"],
  [
    "keeps a single name between its braces",
    braced([TOO_LONG]),
    `{ ${TOO_LONG} }`,
  ],
  ["lets things follow", ["a:", hang("b"), ";"], "a: b;"],
  [
    "lets things follow on a new line",
    ["a:", hang(TOO_LONG), ";"],
    `a:\n  ${TOO_LONG};`,
  ],
  [
    "lets the start of things follow",
    ["a:", hang(generic("F", [LONG, LONG])), ";"],
    `a: F<\n  ${LONG},\n  ${LONG}\n>;`,
  ],
  [
    "lets all of a thing follow or nothing",
    ["a =>", hangWhole(["f", parenthesized([LONG, "b"])]), ","],
    `a =>\n  f(${LONG}, b),`,
  ],
  [
    "indents what hangs",
    [`${LONG}:`, hang(generic("Generic1", [LONG, LONG])), ";"],
    `${LONG}:\n  Generic1<\n    ${LONG},\n    ${LONG}\n  >;`,
  ],
];

for (const [name, doc, text] of cases) {
  Deno.test(`layOut() ${name}`, () => assertEquals(layOut(doc), text));
}

Deno.test("layOut() fills slots before it breaks lines", () => {
  const doc: Doc = ["f", parenthesized([{ slot: 1 }, { slot: 0 }])];
  assertEquals(layOut(doc, ["a", "b"]), "f(b, a)");
  assertEquals(layOut(doc, ["a", TOO_LONG]), `f(\n  ${TOO_LONG},\n  a,\n)`);
});

Deno.test("layOut() refuses a slot without a text", () => {
  assertThrows(() => layOut({ slot: 1 }, ["a"]), RangeError, "slot 1");
});
