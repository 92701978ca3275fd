/**
 * Checks that one thing has one name, which is the one that gRPC and HTTP/2 give
 * it: whoever searches for that has to find it here.
 *
 *     deno task words
 *
 * The glossary is in docs/architecture.md. What is below are the words that
 * came up for the same things before, and what is said now.
 *
 * @module
 */

/** Words that are not used, and what is said in their place. */
const WORDS: readonly (readonly [found: RegExp, instead: string])[] = [
  [/\b(goodbye|farewells?|bade|bids? farewell)\b/i, "GOAWAY"],
  [/\bsen[dt]s? (\w+ ){0,4}anew\b/i, "transparent retry, or retry"],
  [/\banew\b/i, "again"],
  [/\btrailers-only answer\b/i, "Trailers-Only reply"],
  [/\b[Ss]erver-side streaming\b/, "server streaming"],
  [/\b[Cc]lient-side streaming\b/, "client streaming"],
  [/\b(shuts?|shutting) down softly\b/i, "graceful shutdown"],
];

/** Files that say such words because of what they are. */
const EXCEPT = [
  /^CHANGELOG\.md$/,
  /^_tools\/check_words(_test)?\.ts$/,
  /(^|\/)(gen|proto|node_modules)\//,
];

/** A word that should be another. */
export interface Finding {
  /** The file. */
  readonly path: string;
  /** The line, from 1. */
  readonly line: number;
  /** What is there, and what to say in its place. */
  readonly message: string;
}

/**
 * Finds words that should be others.
 *
 * @param path The file, relative to the repository.
 * @param text What is in it.
 * @returns What was found, by line.
 */
export function checkWords(path: string, text: string): Finding[] {
  if (EXCEPT.some((pattern) => pattern.test(path))) return [];
  return text.split("\n").flatMap((content, index) => {
    // The first that fits: those behind it are more general.
    for (const [found, instead] of WORDS) {
      const [word] = found.exec(content) ?? [];
      if (word === undefined) continue;
      return [{ path, line: index + 1, message: `"${word}": say ${instead}` }];
    }
    return [];
  });
}

/** The paths of all texts of the repository that people write. */
async function* textsUnder(dir: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(dir || ".")) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* textsUnder(`${dir}${name}/`);
    else if (/\.(ts|md)$/.test(name)) yield dir + name;
  }
}

if (import.meta.main) {
  let files = 0;
  const found: Finding[] = [];
  for await (const path of textsUnder("")) {
    files++;
    found.push(...checkWords(path, await Deno.readTextFile(path)));
  }
  for (const { path, line, message } of found) {
    console.error(`${path}:${line} ${message}`);
  }
  console.log(
    found.length === 0
      ? `${files} files use the words of the glossary`
      : `${found.length} words in ${files} files should be others`,
  );
  if (found.length > 0) Deno.exit(1);
}
