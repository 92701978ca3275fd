/**
 * Fields to send, as names and values in turn.
 *
 * @module
 */

/** Fields: name, value, name, value; names in lower case. */
export type HeaderList = readonly string[];

const NONE: HeaderList = [];

/** What a field counts beside its name and its value. */
export const FIELD_OVERHEAD_BYTES = 32;

/**
 * The fields of one HEADERS frame: those that many calls have in common, and
 * then those of this call alone.
 *
 * The common part is one list for all of them, so that an engine can keep what
 * it made of it. Neither list may be changed once it is in a block.
 */
export class HeaderBlock {
  /** The fields that many blocks begin with; the same list each time. */
  readonly shared: HeaderList;
  /** The fields of this block alone, behind the shared ones. */
  readonly own: HeaderList;
  /** What comes behind these, if there is more. */
  readonly next: HeaderBlock | null;

  /**
   * @param shared The fields that many blocks begin with.
   * @param own The fields of this block alone.
   * @param next What comes behind these.
   */
  constructor(
    shared: HeaderList,
    own: HeaderList = NONE,
    next: HeaderBlock | null = null,
  ) {
    this.shared = shared;
    this.own = own;
    this.next = next;
  }

  /** All fields in order: name, value, name, value. */
  toList(): string[] {
    const list = [...this.shared, ...this.own];
    if (this.next !== null) list.push(...this.next.toList());
    return list;
  }
}

/**
 * Measures fields as HTTP/2 does.
 *
 * "The sum of all header fields, for each field the sum of the uncompressed
 * field name and value lengths plus 32, with binary values' lengths being
 * post-Base64."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @param block The fields.
 * @returns The size in bytes.
 */
export function headerListSize({ shared, own, next }: HeaderBlock): number {
  const size = sizeOfShared(shared) + sizeOf(own);
  return next === null ? size : size + headerListSize(next);
}

let measured: HeaderList = NONE;
let measuredSize = 0;

/** Measures a list that many blocks begin with: often it is that of the last. */
function sizeOfShared(list: HeaderList): number {
  if (list !== measured) {
    measured = list;
    measuredSize = sizeOf(list);
  }
  return measuredSize;
}

/** Measures a list of fields, in bytes. */
export function sizeOf(list: HeaderList): number {
  let size = list.length / 2 * FIELD_OVERHEAD_BYTES;
  for (const text of list) size += text.length;
  return size;
}
