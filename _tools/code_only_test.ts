import { assertEquals } from "@std/assert";
import { codeOnly } from "./code_only.ts";

/** What is left of a source, without the spaces that fill the gaps. */
function left(source: string): string {
  return codeOnly(source).replace(/ +/g, " ").trim();
}

const cases: [source: string, code: string][] = [
  ["a; // Deno", "a;"],
  ["a /* Deno\nDeno */ b", "a \n b"],
  ['f("Deno \\" Deno", x)', "f( , x)"],
  ["f('Deno')", "f( )"],
  ["f(`Deno`)", "f( )"],
  ["f(`Deno ${Deno.pid} Deno`)", "f( Deno.pid )"],
  ["f(`${ { a: `${b}` } } Deno`) + c", "f( { a: b } ) + c"],
  ["f(`\\` \\${Deno} $ {`, x)", "f( , x)"],
  ['a = /Deno[/"]Deno/g; b', "a = ; b"],
  ["return /'/.test(x) && y", "return .test(x) && y"],
  ["a / b / c", "a / b / c"],
  ["(a) / 2 // half", "(a) / 2"],
  ["a[0] / b['x'] / 2", "a[0] / b[ ] / 2"],
  ["x.of / 2 / 'y'", "x.of / 2 /"],
  ["const a = '//'; b", "const a = ; b"],
];

for (const [source, code] of cases) {
  Deno.test(`codeOnly() leaves ${JSON.stringify(code)} of ${JSON.stringify(source)}`, () => {
    assertEquals(left(source), code);
  });
}

Deno.test("codeOnly() keeps code in its place", () => {
  const source = "/* a\n */ b('x');\n// c\n`\n${d}\n` + e\n";
  const code = codeOnly(source);
  assertEquals(code.length, source.length);
  assertEquals(code.indexOf("b"), source.indexOf("b"));
  assertEquals(code.indexOf("e"), source.lastIndexOf("e"));
  assertEquals(code.split("\n").length, source.split("\n").length);
});
