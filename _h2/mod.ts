/**
 * HTTP/2, as RFC 9113 has it, without I/O: what a socket received goes in, and
 * what it should send comes out. It knows no gRPC, no clock and no runtime.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113}
 * @module
 */

export { Http2Connection, type Http2Options } from "./connection.ts";
export { ErrorCode, errorName, type Violation } from "./errors.ts";
export type { ConnectionHandler } from "./connection_state.ts";
export type { StreamEnd, StreamHandler } from "./stream_handler.ts";
export type { HeaderList, HeaderParts } from "./hpack/mod.ts";
export { DEFAULT_LIMITS, type Limits, type Rate } from "./limits.ts";
export type { Settings } from "./settings.ts";
export type { Http2Stream } from "./stream.ts";
