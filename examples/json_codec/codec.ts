/**
 * Messages as JSON, without Protocol Buffers: what both sides need to know.
 *
 * @module
 */

import type { Codec } from "@grpclib/grpclib";

/** What is sent, and what comes back. */
export interface Ping {
  readonly value: string;
}

/** Calls are sent as `application/grpc+json`. */
export const jsonCodec: Codec = {
  contentSubtype: "json",

  encode(message: unknown): Uint8Array {
    return new TextEncoder().encode(JSON.stringify(message));
  },

  decode(bytes: Uint8Array): unknown {
    return JSON.parse(new TextDecoder().decode(bytes));
  },
};
