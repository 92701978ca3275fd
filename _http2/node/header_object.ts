/**
 * Fields to send, as `node:http2` takes them.
 *
 * @module
 */

import type { OutgoingHttpHeaders } from "node:http2";
import type { HeaderBlock, HeaderList } from "../../_wire/header_block.ts";

// Names that node:http2 refuses to send twice.
const SINGLE_VALUE: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-max-age",
  "access-control-request-method",
  "age",
  "authorization",
  "content-encoding",
  "content-language",
  "content-location",
  "content-md5",
  "content-range",
  "date",
  "dnt",
  "etag",
  "expires",
  "from",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-range",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "tk",
  "upgrade-insecure-requests",
  "x-content-type-options",
]);

type Fields = Record<string, string | string[]>;

/** What was made of the lists that many blocks share. */
const known = new WeakMap<HeaderList, Fields>();

/**
 * Makes the object that `node:http2` takes. An ordinary object: it is slower
 * with one that has no prototype.
 *
 * @param block The fields.
 * @returns The object; for a block with nothing of its own a shared one, not to
 *   be changed.
 */
export function headerObject(
  { shared, own, next }: HeaderBlock,
): OutgoingHttpHeaders {
  let fields = known.get(shared);
  if (fields === undefined) {
    fields = {};
    add(fields, shared);
    known.set(shared, fields);
  }
  if (own.length === 0 && next === null) return fields;
  const all = { ...fields };
  for (const [name, value] of Object.entries(all)) {
    if (typeof value !== "string") set(all, name, [...value]);
  }
  add(all, own);
  for (let more = next; more !== null; more = more.next) {
    add(all, more.shared);
    add(all, more.own);
  }
  return all;
}

function add(fields: Fields, list: HeaderList): void {
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    const before = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (before === undefined) {
      set(fields, name, value);
    } else if (SINGLE_VALUE.has(name)) {
      // "Duplicate header names may have their values joined with ',' as the
      // delimiter and be considered semantically equivalent."
      // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
      set(fields, name, `${before},${value}`);
    } else if (typeof before === "string") {
      set(fields, name, [before, value]);
    } else {
      before.push(value);
    }
  }
}

function set(fields: Fields, name: string, value: string | string[]): void {
  if (name !== "__proto__") {
    fields[name] = value;
    return;
  }
  // A legal name, which assignment would take for the prototype.
  Object.defineProperty(fields, name, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}
