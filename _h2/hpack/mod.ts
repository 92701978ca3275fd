/**
 * HPACK, the header compression of HTTP/2: RFC 7541, whole. It knows no
 * connection and no runtime: bytes in, fields out, and back.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7541}
 * @module
 */

export { HpackDecoder, type HpackDecoderOptions } from "./decoder.ts";
export { HpackEncoder, type HpackEncoderOptions } from "./encoder.ts";
export { HpackError } from "./error.ts";
export type { HeaderList, HeaderParts } from "./header_list.ts";
