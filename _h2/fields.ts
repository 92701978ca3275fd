/**
 * Fields: which lists of them make a request, a response or trailers.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-8.2}
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-8.3}
 * @module
 */

import type { HeaderList } from "./hpack/mod.ts";

/** What a list of fields is meant to be. */
export type Section = "request" | "response" | "trailer";

/** What a list of fields says to HTTP/2. */
export interface CheckedFields {
  /** Why it is malformed, or null. */
  readonly fault: string | null;
  /** The status of a response; 0 in other lists. */
  readonly status: number;
  /** The `content-length`; -1 when there is none. */
  readonly contentLength: number;
}

/** For each character of a name: whether it may be there. */
const NAME_CHARACTERS = Uint8Array.from(
  { length: 256 },
  // https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1
  (_, c) =>
    c > 0x20 && c < 0x7f && !(c >= 0x41 && c <= 0x5a) && c !== 0x3a ? 1 : 0,
);

/** https://www.rfc-editor.org/rfc/rfc9113#section-8.2.2 */
const CONNECTION_SPECIFIC: ReadonlySet<string> = new Set([
  ...["connection", "proxy-connection", "keep-alive", "transfer-encoding"],
  "upgrade",
]);

/** For each length: whether a connection-specific name has it. */
const SPECIFIC_LENGTHS = new Uint8Array(32);
for (const name of CONNECTION_SPECIFIC) SPECIFIC_LENGTHS[name.length] = 1;

const NUL_CR_LF = /[\0\r\n]/;
const DIGITS = /^\d{1,15}$/;
const STATUS = /^[1-9]\d\d$/;
const COLON = 0x3a;
const SLASH = 0x2f;
const SPACE = 0x20;
const TAB = 0x09;

/** How many lists are remembered: more than a connection repeats at a time. */
const REMEMBERED = 4;

/** Names of which the value matters beyond its characters. */
const MEANINGFUL: ReadonlySet<string> = new Set([
  ...[":method", ":scheme", ":path", ":authority", ":status"],
  ...["te", "host", "content-length"],
]);

const FINE: CheckedFields = { fault: null, status: 0, contentLength: -1 };

/**
 * Checks lists of fields, each as a rule only once: a decoder gives the same
 * list again for the same block.
 */
export class FieldChecker {
  readonly #section: Section;
  readonly #lists: (HeaderList | null)[] = [null, null, null, null];
  readonly #results: CheckedFields[] = [FINE, FINE, FINE, FINE];
  #next = 0;
  #last = 0;

  /** @param section What the lists are meant to be. */
  constructor(section: Section) {
    this.#section = section;
  }

  /**
   * Checks a list.
   *
   * @param list The list.
   * @returns What it says.
   */
  check(list: HeaderList): CheckedFields {
    for (let i = 0; i < REMEMBERED; i++) {
      if (this.#lists[i] === list) return this.#results[i]!;
    }
    const last = this.#lists[this.#last]!;
    const result =
      last !== null && isAsGood(list, last, this.#results[this.#last]!)
        ? this.#results[this.#last]!
        : checkFields(list, this.#section);
    this.#last = this.#next;
    this.#lists[this.#next] = list;
    this.#results[this.#next] = result;
    this.#next = (this.#next + 1) % REMEMBERED;
    return result;
  }
}

/**
 * Tells whether a list is that of before but for the values of some fields, as
 * with metadata that differs from call to call: to see that takes a third of the
 * time of checking all of it.
 *
 * @param list The list.
 * @param known The one before.
 * @param result What that says.
 * @returns Whether this one says the same.
 */
function isAsGood(
  list: HeaderList,
  known: HeaderList,
  result: CheckedFields,
): boolean {
  if (list.length !== known.length || result.fault !== null) return false;
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    if (name !== known[i]) return false;
    const value = list[i + 1]!;
    if (value === known[i + 1]) continue;
    if (MEANINGFUL.has(name) || !isValue(value)) return false;
  }
  return true;
}

/**
 * Checks a list of fields.
 *
 * @param list The list.
 * @param section What it is meant to be.
 * @returns What it says, and what is wrong with it.
 */
export function checkFields(list: HeaderList, section: Section): CheckedFields {
  const isRequest = section === "request";
  const pseudo: PseudoFields = {};
  let regular = false;
  let host: string | undefined;
  let length: string | undefined;
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    if (!isValue(value)) return malformed(`a value of "${name}" is not valid`);
    if (name.charCodeAt(0) === COLON) {
      const known = isRequest
        ? name === ":method" || name === ":scheme" || name === ":path" ||
          name === ":authority"
        : section === "response" && name === ":status";
      if (!known) return malformed(`"${name}" is not for a ${section}`);
      if (regular) return malformed(`"${name}" is behind other fields`);
      const key = name as keyof PseudoFields;
      if (pseudo[key] !== undefined) return malformed(`"${name}" comes twice`);
      pseudo[key] = value;
      continue;
    }
    regular = true;
    if (!isName(name)) return malformed("a name is not valid");
    if (SPECIFIC_LENGTHS[name.length] === 1 && CONNECTION_SPECIFIC.has(name)) {
      return malformed(`"${name}" is for HTTP/1.1`);
    }
    if (name === "te" && value !== "trailers") {
      return malformed('"te" is not "trailers"');
    }
    if (name === "host") {
      if (host !== undefined && host !== value) {
        return malformed('"host" comes twice');
      }
      host = value;
    } else if (name === "content-length") {
      if (!DIGITS.test(value) || (length !== undefined && length !== value)) {
        return malformed('"content-length" is not valid');
      }
      length = value;
    }
  }
  const fault = isRequest
    ? requestFault(pseudo, host)
    : section === "response" && !STATUS.test(pseudo[":status"] ?? "")
    ? '":status" is missing or not valid'
    : null;
  if (fault !== null) return malformed(fault);
  return {
    fault: null,
    status: Number(pseudo[":status"] ?? 0),
    contentLength: length === undefined ? -1 : Number(length),
  };
}

interface PseudoFields {
  ":method"?: string;
  ":scheme"?: string;
  ":path"?: string;
  ":authority"?: string;
  ":status"?: string;
}

/**
 * Says what is wrong with the control data of a request.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1}
 */
function requestFault(
  pseudo: PseudoFields,
  host: string | undefined,
): string | null {
  const method = pseudo[":method"];
  const scheme = pseudo[":scheme"];
  const path = pseudo[":path"];
  const authority = pseudo[":authority"];
  if (!method) return '":method" is missing';
  if (method === "CONNECT") {
    // https://www.rfc-editor.org/rfc/rfc9113#section-8.5
    if (scheme !== undefined || path !== undefined || !authority) {
      return 'CONNECT is not with ":authority" alone';
    }
    return null;
  }
  if (!scheme) return '":scheme" is missing';
  if (path === undefined) return '":path" is missing';
  if (scheme === "http" || scheme === "https") {
    const isWhole = path === "*" && method === "OPTIONS";
    if (path.charCodeAt(0) !== SLASH && !isWhole) {
      return '":path" does not begin with "/"';
    }
    if (authority !== undefined && authority.includes("@")) {
      return '":authority" has user information';
    }
  }
  if (
    host !== undefined && authority !== undefined && host !== authority &&
    host.toLowerCase() !== authority.toLowerCase()
  ) return '"host" differs from ":authority"';
  return null;
}

function malformed(fault: string): CheckedFields {
  return { fault, status: 0, contentLength: -1 };
}

/** https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1 */
function isName(name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (NAME_CHARACTERS[name.charCodeAt(i)] !== 1) return false;
  }
  return name.length > 0;
}

/** https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1 */
function isValue(value: string): boolean {
  const { length } = value;
  if (length === 0) return true;
  return !isBlank(value.charCodeAt(0)) &&
    !isBlank(value.charCodeAt(length - 1)) && !NUL_CR_LF.test(value);
}

function isBlank(character: number): boolean {
  return character === SPACE || character === TAB;
}
