/**
 * The server: services and the port they are served on.
 *
 * ```ts
 * import { createService, gracefulExit, Server } from "@grpclib/grpclib/server";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * async function main(): Promise<void> {
 *   const server = new Server([greeter]);
 *   using _exit = gracefulExit([server]);
 *   await server.start("127.0.0.1", 50051);
 *   console.log(`Serving on ${server.address}`);
 *   await server.waitClosed();
 * }
 * ```
 *
 * A server needs the permission `--allow-net=host:port` and no other; for a unix
 * socket see {@linkcode StartOptions.path}.
 *
 * @module
 */

export { Server } from "./_server.ts";
export * from "./core/mod.ts";
export {
  type ClientMiddleware,
  type ClientMiddlewareOf,
  type MiddlewareScope,
  type ServerMiddleware,
  type ServerMiddlewareOf,
  use,
} from "./_middleware.ts";
export { traceTo, type TraceTopic } from "./_trace_to.ts";
export type { OutgoingCall } from "./_call/client/middleware.ts";
export type {
  CallNumbers,
  ConnectionFailure,
  ServerInspection,
} from "./core/inspection.ts";
export {
  attach,
  type Handler,
  mapping,
  type ServerContext,
  type Service,
} from "./_call/server/handler.ts";
export type { Compression } from "./_wire/compression.ts";
export type { RefusalReason } from "./_call/server/host.ts";
export type { Many, MessageOf, Received } from "./_call/many.ts";
export {
  type InitialMetadataOptions,
  type ReplyOptions,
  ServerStream,
  type TrailingMetadataOptions,
} from "./_call/server/stream.ts";
export {
  createService,
  type MethodImplementation,
  type Replies,
  type Reply,
  type ServiceImplementation,
} from "./_call/server/service.ts";
export {
  type Closable,
  gracefulExit,
  type GracefulExitOptions,
} from "./_graceful_exit.ts";
export type { HTTP2Engine } from "./_http2/engine.ts";
export type { Connection, WebConnection } from "./_http2/socket.ts";
export type {
  CloseOptions,
  HandlerErrorInfo,
  RefusedCallInfo,
  ServerOptions,
  StartOptions,
} from "./_server_options.ts";
