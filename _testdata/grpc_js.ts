/**
 * grpc-js, as a foreign peer for tests.
 *
 * It comes with types of our own: its own ones are written for `@types/node`,
 * which would take the place of Deno's types of `node:` modules in the whole
 * program, so that the library would be checked against other types in its
 * tests than at home.
 *
 * @module
 */

// @ts-types="./grpc_js.d.ts"
export * from "@grpc/grpc-js";
