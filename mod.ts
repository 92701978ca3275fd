/**
 * gRPC for Deno.
 *
 * @module
 */

export * from "./client.ts";
export * from "./server.ts";
