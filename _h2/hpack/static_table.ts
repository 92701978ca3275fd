/**
 * The fields that have an index from the beginning.
 * https://www.rfc-editor.org/rfc/rfc7541#appendix-A
 *
 * @module
 */

/** How many fields the static table has: the dynamic one goes on behind it. */
export const STATIC_COUNT = 61;

/** Name and value, in order, from index 1. */
const FIELDS: readonly string[] = [
  ...[":authority", "", ":method", "GET", ":method", "POST", ":path", "/"],
  ...[":path", "/index.html", ":scheme", "http", ":scheme", "https"],
  ...["200", "204", "206", "304", "400", "404", "500"]
    .flatMap((status) => [":status", status]),
  ...["accept-charset", "", "accept-encoding", "gzip, deflate"],
  ...`accept-language accept-ranges accept access-control-allow-origin age allow
    authorization cache-control content-disposition content-encoding
    content-language content-length content-location content-range content-type
    cookie date etag expect expires from host if-match if-modified-since
    if-none-match if-range if-unmodified-since last-modified link location
    max-forwards proxy-authenticate proxy-authorization range referer refresh
    retry-after server set-cookie strict-transport-security transfer-encoding
    user-agent vary via www-authenticate`
    .split(/\s+/).flatMap((name) => [name, ""]),
];

/** The name at each index; there is nothing at 0. */
export const STATIC_NAMES: readonly string[] = [
  "",
  ...FIELDS.filter((_, at) => at % 2 === 0),
];

/** The value at each index; there is nothing at 0. */
export const STATIC_VALUES: readonly string[] = [
  "",
  ...FIELDS.filter((_, at) => at % 2 === 1),
];

/** Where a name stands in the static table. */
export interface StaticName {
  /** The first index with this name. */
  readonly index: number;
  /** The values at that index and those behind it, which have this name too. */
  readonly values: readonly string[];
}

/** All names of the static table; the same name always stands in one piece. */
export const STATIC_BY_NAME: ReadonlyMap<string, StaticName> = new Map(
  Map.groupBy(STATIC_NAMES.keys().drop(1), (index) => STATIC_NAMES[index]!)
    .entries().map(([name, indexes]) => [name, {
      index: indexes[0]!,
      values: indexes.map((index) => STATIC_VALUES[index]!),
    }]),
);
