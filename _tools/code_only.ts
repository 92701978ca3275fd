/**
 * Takes from a TypeScript source what is not code, so that a word can be
 * looked for without finding it in a comment or a string.
 *
 * It reads tokens only as far as that needs, which is a page instead of a parser.
 *
 * @module
 */

/** One thing that is blanked, from the place where it begins. */
const BLANKED = [
  /\/\/.*/y,
  /\/\*[^]*?\*\//y,
  /"(?:[^"\\\n]|\\[^])*"/y,
  /'(?:[^'\\\n]|\\[^])*'/y,
];

/** A regular expression literal: classes may hold a slash. */
const REGEXP = /\/(?![*/])(?:[^/\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;

/** The text of a template up to its end or the next substitution. */
const TEMPLATE = /(?:[^`\\$]|\\[^]|\$(?!\{))*(?:`|\$\{)/y;

/** Words after which a slash begins a regular expression. */
const BEFORE_REGEXP =
  /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|throw|await|yield|void|new|delete|instanceof)$/;

/**
 * Replaces comments, strings, regular expressions and the texts of templates
 * by spaces. Lines keep their number, and code its place.
 *
 * @param source A TypeScript source.
 * @returns The source with its code alone.
 */
export function codeOnly(source: string): string {
  let code = "";
  let at = 0;
  /** For every open substitution, how many braces are open in it. */
  const substitutions: number[] = [];

  /** Blanks what the pattern finds here, if it finds anything. */
  function blank(pattern: RegExp): string | undefined {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) return undefined;
    code += text.replace(/[^\n]/g, " ");
    at += text.length;
    return text;
  }

  /** Blanks a piece of a template, and notes whether a substitution follows. */
  function template(): void {
    if (blank(TEMPLATE)?.endsWith("${")) substitutions.push(0);
  }

  while (at < source.length) {
    if (BLANKED.some((pattern) => blank(pattern) !== undefined)) continue;
    const char = source[at] as string;
    if (char === "/" && regexpMayBegin(code) && blank(REGEXP)) continue;
    at++;
    const depth = substitutions.at(-1);
    if (char === "`" || (char === "}" && depth === 0)) {
      code += " ";
      if (char === "}") substitutions.pop();
      template();
      continue;
    }
    code += char;
    if (depth === undefined) continue;
    if (char === "{") substitutions[substitutions.length - 1] = depth + 1;
    if (char === "}") substitutions[substitutions.length - 1] = depth - 1;
  }
  return code;
}

/** Whether a slash after this code is the start of a literal, not a division. */
function regexpMayBegin(code: string): boolean {
  const before = code.slice(-200).trimEnd();
  return before === "" || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) ||
    BEFORE_REGEXP.test(before);
}
