import { assertEquals } from "@std/assert";
import { packageNames, parseFindings } from "./doc_lint.ts";

const output =
  `error[private-type-ref]: public type 'f' references private type 'Desc'
   --> /a/client.ts:209:1
    |
209 | export function f(desc: Desc): void;
    | ^

  info: all types must be public


error[missing-jsdoc]: exported symbol is missing JSDoc documentation
 --> /a/server.ts:12:1
  |

error: Found 2 documentation lint errors.

Stack backtrace:
   0: <unknown>
`;

Deno.test("parseFindings() tells where and what each finding is", () => {
  const found = parseFindings(output);
  assertEquals(
    found.map(({ path, privateType }) => [path, privateType]),
    [["/a/client.ts", "Desc"], ["/a/server.ts", undefined]],
  );
  assertEquals(found[1]?.text.split("\n").length, 3);
});

Deno.test("parseFindings() finds nothing in an empty output", () => {
  assertEquals(parseFindings(""), []);
  assertEquals(parseFindings("Checked 3 files\n"), []);
});

Deno.test("packageNames() finds names imported from packages only", () => {
  const names = packageNames(`
import type { Desc, Message as M } from "@bufbuild/protobuf";
import {
  create,
  type Shape,
} from "@bufbuild/protobuf";
import { Status } from "./status.ts";
import { half } from "../half.ts";
export type { GenMessage } from "@bufbuild/protobuf/codegenv2";
`);
  assertEquals([...names].sort(), [
    "Desc",
    "GenMessage",
    "Message",
    "Shape",
    "create",
  ]);
});
