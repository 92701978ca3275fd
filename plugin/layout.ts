/**
 * Breaks lines of generated code where `deno fmt` would.
 *
 * A {@linkcode Doc} is text with places where a line may end. What fits into 80
 * columns stays on one line; what does not is broken from the outside in.
 *
 * @module
 */

/** The longest a line may be that can be broken. */
const WIDTH = 80;

/** How far what is inside stands to the right. */
const INDENT = 2;

/** Text, with places where a line may end. */
export type Doc =
  | string
  | readonly Doc[]
  | Slot
  | { readonly kind: "newline" | "indent" | "dedent" }
  | List
  | Hang;

/** A text that is not known yet: a name that an import will decide. */
export interface Slot {
  /** The place of the text among those that {@linkcode layOut} is given. */
  readonly slot: number;
}

/** Things between brackets: all on one line, or each on its own. */
interface List {
  readonly kind: "list";
  readonly open: string;
  readonly items: readonly Doc[];
  readonly close: string;
  /** What stands inside the brackets on one line. */
  readonly padding: string;
  /** What follows the last item when each has its own line. */
  readonly trailing: string;
}

/** Something that follows on the same line, or else on one of its own. */
interface Hang {
  readonly kind: "hang";
  readonly space: string;
  readonly body: Doc;
  /** How much of the body has to fit for it to stay on the same line. */
  readonly need: "all" | "start";
}

/** The end of a line. */
export const newline: Doc = { kind: "newline" };

const indent: Doc = { kind: "indent" };
const dedent: Doc = { kind: "dedent" };

/**
 * Puts lines between braces, further to the right than what is around them.
 *
 * @param lines The lines; none gives `{}`.
 * @returns The block, from brace to brace.
 */
export function block(lines: readonly Doc[]): Doc {
  if (lines.length === 0) return "{}";
  const inside = lines.map((line) => [newline, line]);
  return ["{", indent, inside, dedent, newline, "}"];
}

/**
 * Puts items between parentheses, such as arguments.
 *
 * @param items The items.
 * @returns The list, from bracket to bracket.
 */
export function parenthesized(items: readonly Doc[]): Doc {
  const rest = { items, padding: "", trailing: "," };
  return { kind: "list", open: "(", close: ")", ...rest };
}

/**
 * Puts items between braces, such as the names of an import. A single one
 * stays on the line however long that is.
 *
 * @param items The items, at least one.
 * @returns The list, from bracket to bracket.
 */
export function braced(items: readonly Doc[]): Doc {
  if (items.length === 1) return ["{ ", ...items, " }"];
  const rest = { items, padding: " ", trailing: "," };
  return { kind: "list", open: "{", close: "}", ...rest };
}

/**
 * Applies a generic type to its arguments.
 *
 * @param name The generic type.
 * @param items The arguments.
 * @returns The type.
 */
export function generic(name: Doc, items: readonly Doc[]): Doc {
  const rest = { items, padding: "", trailing: "" };
  return [name, { kind: "list", open: "<", close: ">", ...rest }];
}

/**
 * Lets something follow after a space if there is room for its start, up to
 * where it may be broken itself, and on a new line otherwise.
 *
 * @param body What follows.
 * @param space What stands between on the same line.
 * @returns Both.
 */
export function hang(body: Doc, space = " "): Doc {
  return { kind: "hang", space, body, need: "start" };
}

/**
 * Lets something follow after a space if there is room for all of it, and on a
 * new line otherwise.
 *
 * @param body What follows.
 * @returns The space and what follows.
 */
export function hangWhole(body: Doc): Doc {
  return { kind: "hang", space: " ", body, need: "all" };
}

/** Something to be written, and whether it is to stay on the line. */
interface Piece {
  readonly doc: Doc;
  readonly flat: boolean;
}

/**
 * Writes a document, breaking the lines that are too long.
 *
 * @param doc The document.
 * @param slots The texts for its slots.
 * @returns The text, without a newline at the end.
 */
export function layOut(doc: Doc, slots: readonly string[] = []): string {
  // What is still to be written, the next one last.
  const rest: Piece[] = [{ doc, flat: false }];
  let text = "";
  let column = 0;
  let depth = 0;
  const write = (piece: string) => {
    if (column === 0 && piece !== "") {
      text += " ".repeat(depth * INDENT);
      column = depth * INDENT;
    }
    text += piece;
    column += piece.length;
  };
  const push = (flat: boolean, ...docs: readonly Doc[]) => {
    for (const doc of docs.toReversed()) rest.push({ doc, flat });
  };
  for (let next = rest.pop(); next !== undefined; next = rest.pop()) {
    const { doc, flat } = next;
    if (typeof doc === "string") write(doc);
    else if (isArray(doc)) push(flat, ...doc);
    else if ("slot" in doc) write(textOf(doc, slots));
    else if (doc.kind === "indent") depth++;
    else if (doc.kind === "dedent") depth--;
    else if (doc.kind === "newline") {
      text += "\n";
      column = 0;
    } else if (doc.kind === "list") {
      const left = WIDTH - Math.max(column, depth * INDENT);
      if (flat || fits({ doc, flat: true }, rest, left, slots)) {
        push(true, flatList(doc));
      } else push(false, brokenList(doc));
    } else if (doc.kind === "hang") {
      const { space, body, need } = doc;
      const trial = { doc: [space, body], flat: need === "all" };
      if (flat || fits(trial, rest, WIDTH - column, slots)) {
        push(flat, space, body);
      } else push(false, indent, newline, body, dedent);
    }
  }
  return text;
}

/**
 * Whether something fits into what is left of the line, together with what
 * follows it up to the next place for a newline.
 */
function fits(
  trial: Piece,
  following: readonly Piece[],
  width: number,
  slots: readonly string[],
): boolean {
  let left = width;
  let nextFollowing = following.length;
  const stack = [trial];
  while (left >= 0) {
    const piece = stack.pop() ?? following[--nextFollowing];
    if (piece === undefined) return true;
    const { doc, flat } = piece;
    if (typeof doc === "string") left -= doc.length;
    else if (isArray(doc)) {
      for (const part of doc.toReversed()) stack.push({ doc: part, flat });
    } else if ("slot" in doc) left -= textOf(doc, slots).length;
    else if (doc.kind === "newline") return true;
    else if (doc.kind === "list") {
      if (!flat) return left >= doc.open.length;
      stack.push({ doc: flatList(doc), flat });
    } else if (doc.kind === "hang") {
      if (!flat) return true;
      stack.push({ doc: [doc.space, doc.body], flat });
    }
  }
  return false;
}

function flatList({ open, items, close, padding }: List): Doc {
  const inside = items.map((item, i) => i === 0 ? item : [", ", item]);
  return [open, padding, inside, padding, close];
}

function brokenList({ open, items, close, trailing }: List): Doc {
  const lines = items.map((item, i) => {
    return [newline, item, i === items.length - 1 ? trailing : ","];
  });
  return [open, indent, lines, dedent, newline, close];
}

function textOf({ slot }: Slot, slots: readonly string[]): string {
  const text = slots[slot];
  if (text === undefined) throw new RangeError(`Cannot lay out slot ${slot}`);
  return text;
}

/** `Array.isArray()` for read-only arrays. */
function isArray(doc: Doc): doc is readonly Doc[] {
  return Array.isArray(doc);
}
