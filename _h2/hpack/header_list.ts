/**
 * Header fields, as both sides of HPACK see them.
 *
 * @module
 */

/**
 * Header fields: names and values in turn, in order, each byte a character up
 * to U+00FF. It never changes once it was given to somebody.
 */
export type HeaderList = readonly string[];

/** Fields to send, in parts. */
export interface HeaderParts {
  /** The first fields, in a list that many blocks have: the same one each time. */
  readonly shared: HeaderList;
  /** The fields behind them, which are of this block alone. */
  readonly own: HeaderList;
  /** What comes behind these, if there is more. */
  readonly next: HeaderParts | null;
}

/** A list without fields. */
export const NO_FIELDS: HeaderList = Object.freeze([]);

/**
 * What a field counts beside its name and value, in bytes: in the dynamic table
 * and in SETTINGS_MAX_HEADER_LIST_SIZE.
 * https://www.rfc-editor.org/rfc/rfc7541#section-4.1
 * https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2-2.12.1
 */
export const FIELD_OVERHEAD = 32;

/**
 * The size of the dynamic table until somebody says another, in bytes.
 * https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2-2.2.1
 */
export const DEFAULT_TABLE_SIZE = 4096;
