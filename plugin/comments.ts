/**
 * Carries comments of .proto files over to JSDoc.
 *
 * @module
 */

import type { DescMethod, DescService } from "@bufbuild/protobuf";
import type { Doc } from "./layout.ts";
import { getComments } from "./protoplugin.ts";

/**
 * Documents what is generated from a service or a method, as protoc-gen-es
 * documents messages.
 *
 * @param desc The service or method.
 * @returns The lines of the JSDoc block.
 */
export function docsOf(desc: DescService | DescMethod): Doc[] {
  const { leading, trailing } = getComments(desc);
  const deprecated = desc.deprecated ||
    desc.kind === "service" && desc.file.deprecated;
  const tags = [`@generated from ${desc.toString()}`];
  if (deprecated) tags.push("@deprecated");
  return jsDoc([paragraph(leading), paragraph(trailing), tags]);
}

/**
 * Writes a JSDoc block.
 *
 * @param paragraphs Its paragraphs, each with its lines. Empty ones are left
 *   out.
 * @returns The lines of the block.
 */
export function jsDoc(paragraphs: readonly (readonly string[])[]): Doc[] {
  const lines = paragraphs.filter((lines) => lines.length > 0)
    .flatMap((lines, i) => i === 0 ? lines : ["", ...lines])
    .map((line) => line.replaceAll("*/", "*\\/").trimEnd())
    // Of empty lines in a row, deno fmt leaves one.
    .filter((line, i, all) => line !== "" || all[i - 1] !== "");
  if (lines.length === 1) return [`/** ${lines[0]} */`];
  return ["/**", ...lines.map((line) => ` * ${line}`.trimEnd()), " */"];
}

/** The lines of a comment, without the space that follows the slashes. */
function paragraph(comment = ""): string[] {
  const lines = comment.split("\n").map((line) => line.replace(/^ /, ""));
  while (lines.at(-1)?.trim() === "") lines.pop();
  // A comment that begins with two stars leaves the second one here.
  while (/^\s*\*?\s*$/.test(lines[0] ?? "text")) lines.shift();
  return lines;
}
