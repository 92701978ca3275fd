import { assertEquals } from "@std/assert";
import { mendExports, mendImports } from "./imports.ts";

Deno.test("mendImports() joins types and values of a module", () => {
  const head = `// A comment.

import type { B, c } from "./a.ts";
import { a as a$1, D } from "./a.ts";
import type { X } from "./b.ts";
`;
  assertEquals(
    mendImports(head),
    `// A comment.

import { a as a$1, type B, type c, D } from "./a.ts";
import type { X } from "./b.ts";`,
  );
});

Deno.test("mendImports() puts packages before files", () => {
  const head = `import { a } from "./z.ts";
import { b } from "../y.ts";
import { c } from "x/y";
import { d } from "jsr:@x/x";`;
  assertEquals(
    mendImports(head),
    `import { d } from "jsr:@x/x";
import { c } from "x/y";
import { b } from "../y.ts";
import { a } from "./z.ts";`,
  );
});

Deno.test("mendImports() sorts names as deno fmt does", () => {
  assertEquals(
    mendImports(`import { b, B_c, A, Bc, B, a, b$1, b1 } from "x";`),
    `import { A, a, B, b, b$1, b1, B_c, Bc } from "x";`,
  );
});

Deno.test("mendImports() breaks lines that are too long", () => {
  const [a, b] = ["a".repeat(40), "b".repeat(40)];
  assertEquals(
    mendImports(`import { ${a}, ${b} } from "x";`),
    `import {\n  ${a},\n  ${b},\n} from "x";`,
  );
  assertEquals(
    mendImports(`"use strict";\nconst { ${a}, ${b}: c } = require("x");`),
    `"use strict";\nconst {\n  ${a},\n  ${b}: c,\n} = require("x");`,
  );
});

Deno.test("mendImports() leaves alone what only looks like an import", () => {
  const head = `// import { b, a } from "x";\n\nimport { a } from "y";`;
  assertEquals(mendImports(head), head);
});

Deno.test("mendExports() breaks lines that are too long", () => {
  const name = "a".repeat(40);
  assertEquals(
    mendExports(`\nexports.a = a;\nexports.${name} = ${name};\n`),
    `\nexports.a = a;\nexports.${name} =\n  ${name};\n`,
  );
});
