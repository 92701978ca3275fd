/**
 * The encodings of `@std/encoding` that this repository uses, for machines
 * that cannot reach JSR. See the README one folder up.
 *
 * @module
 */

export { decodeBase64, encodeBase64 } from "./base64.ts";
export { decodeHex, encodeHex } from "./hex.ts";
