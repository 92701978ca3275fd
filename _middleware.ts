/**
 * Middleware: what goes around the calls of a channel or a server.
 *
 * @module
 */

import type {
  DescMethod,
  DescMethodBiDiStreaming,
  DescMethodClientStreaming,
  DescMethodServerStreaming,
  DescMethodUnary,
  DescService,
  MessageShape,
} from "@bufbuild/protobuf";
import { describe } from "./core/_describe.ts";
import { type Listenable, listenersOf } from "./core/_listeners.ts";
import type { Middleware } from "./core/_middleware.ts";
import type { ClientEvent, Event, ServerEvent } from "./core/events.ts";
import type { OutgoingCall } from "./_call/client/middleware.ts";
import { pathOf } from "./_call/descriptor.ts";
import type { Many } from "./_call/many.ts";
import type { ServerStream } from "./_call/server/stream.ts";

/**
 * Goes around calls of a channel: what it does before `next()` comes before the
 * call, what it does behind comes when the call is over.
 *
 * @typeParam Req The request message, or `Many<…>` of it.
 * @typeParam Rep The reply message, or `Many<…>` of it.
 */
export type ClientMiddleware<Req = unknown, Rep = unknown> = (
  call: OutgoingCall<Req, Rep>,
  next: () => Promise<void>,
) => unknown;

/**
 * Goes around calls of a server: what it does before `next()` comes before the
 * handler, what it does behind comes when the handler is through.
 *
 * @typeParam Req The request message, or `Many<…>` of it.
 * @typeParam Rep The reply message, or `Many<…>` of it.
 */
export type ServerMiddleware<
  // Without a method it may be any.
  // deno-lint-ignore no-explicit-any
  Req = any,
  // deno-lint-ignore no-explicit-any
  Rep = any,
> = (call: ServerStream<Req, Rep>, next: () => Promise<void>) => unknown;

/** The {@linkcode ClientMiddleware} of one method, by its descriptor. */
export type ClientMiddlewareOf<M> = M extends DescMethodUnary<infer I, infer O>
  ? ClientMiddleware<MessageShape<I>, MessageShape<O>>
  : M extends DescMethodServerStreaming<infer I, infer O>
    ? ClientMiddleware<MessageShape<I>, Many<MessageShape<O>>>
  : M extends DescMethodClientStreaming<infer I, infer O>
    ? ClientMiddleware<Many<MessageShape<I>>, MessageShape<O>>
  : M extends DescMethodBiDiStreaming<infer I, infer O>
    ? ClientMiddleware<Many<MessageShape<I>>, Many<MessageShape<O>>>
  : ClientMiddleware;

/** The {@linkcode ServerMiddleware} of one method, by its descriptor. */
export type ServerMiddlewareOf<M> = M extends DescMethodUnary<infer I, infer O>
  ? ServerMiddleware<MessageShape<I>, MessageShape<O>>
  : M extends DescMethodServerStreaming<infer I, infer O>
    ? ServerMiddleware<MessageShape<I>, Many<MessageShape<O>>>
  : M extends DescMethodClientStreaming<infer I, infer O>
    ? ServerMiddleware<Many<MessageShape<I>>, MessageShape<O>>
  : M extends DescMethodBiDiStreaming<infer I, infer O>
    ? ServerMiddleware<Many<MessageShape<I>>, Many<MessageShape<O>>>
  : ServerMiddleware;

/**
 * Which calls middleware goes around: those of a service, by its descriptor or
 * its name, or of a method, by its path.
 */
export type MiddlewareScope = string | DescService;

/**
 * Puts middleware around calls that begin from now on, inside of what is there
 * already.
 *
 * @param target The channel.
 * @param middleware What goes around all its calls.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 *
 * @example Calls of a channel, made again when they fail
 * ```ts
 * import { Channel, createStub, GRPCError, Status, use } from "@grpclib/grpclib";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * use(channel, Greeter.method.sayHello, async (call, next) => {
 *   for (let attempt = 1;; attempt++) {
 *     try {
 *       return await next();
 *     } catch (error) {
 *       const isLast = attempt === 3 || !(error instanceof GRPCError) ||
 *         error.status !== Status.UNAVAILABLE;
 *       if (isLast) throw error;
 *     }
 *   }
 * });
 * ```
 */
export function use(
  target: Listenable<ClientEvent>,
  middleware: ClientMiddleware,
): Disposable;
/**
 * Puts middleware around the calls of a method that begin from now on, inside of
 * what is there already.
 *
 * @param target The channel.
 * @param scope The descriptor of the method.
 * @param middleware What goes around its calls.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 * @typeParam M The descriptor.
 */
export function use<M extends DescMethod>(
  target: Listenable<ClientEvent>,
  scope: M,
  middleware: ClientMiddlewareOf<M>,
): Disposable;
/**
 * Puts middleware around the calls of a service, or of a method, that begin from
 * now on, inside of what is there already.
 *
 * @param target The channel.
 * @param scope The service, or the path of the method.
 * @param middleware What goes around its calls.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 */
export function use(
  target: Listenable<ClientEvent>,
  scope: MiddlewareScope,
  middleware: ClientMiddleware,
): Disposable;
/**
 * Puts middleware around the handlers of calls that begin from now on, inside of
 * what is there already.
 *
 * @param target The server.
 * @param middleware What goes around all its handlers.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 *
 * @example A context for all that handlers do
 * ```ts
 * import { AsyncLocalStorage } from "node:async_hooks";
 * import { createService, createStub, use } from "@grpclib/grpclib";
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const user = new AsyncLocalStorage<string>();
 * await using channel = new ChannelFor([
 *   createService(Greeter, {
 *     sayHello: () => ({ message: `Hello, ${user.getStore()}!` }),
 *   }),
 * ]);
 * use(channel.server, (call, next) => {
 *   const name = call.metadata.get("user") ?? "stranger";
 *   return user.run(name, next);
 * });
 *
 * const metadata = { user: "Ada" };
 * const reply = await createStub(Greeter, channel).sayHello({}, { metadata });
 * assertEquals(reply.message, "Hello, Ada!");
 * ```
 */
export function use(
  target: Listenable<ServerEvent>,
  middleware: ServerMiddleware,
): Disposable;
/**
 * Puts middleware around the handler of a method, for calls that begin from now
 * on, inside of what is there already.
 *
 * @param target The server.
 * @param scope The descriptor of the method.
 * @param middleware What goes around its handler.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 * @typeParam M The descriptor.
 */
export function use<M extends DescMethod>(
  target: Listenable<ServerEvent>,
  scope: M,
  middleware: ServerMiddlewareOf<M>,
): Disposable;
/**
 * Puts middleware around the handlers of a service, or of a method, for calls
 * that begin from now on, inside of what is there already.
 *
 * @param target The server.
 * @param scope The service, or the path of the method.
 * @param middleware What goes around its handlers.
 * @returns What takes it off again, for calls that begin later.
 * @throws {TypeError} If an argument is of a wrong type.
 */
export function use(
  target: Listenable<ServerEvent>,
  scope: MiddlewareScope,
  middleware: ServerMiddleware,
): Disposable;
export function use(
  target: Listenable<Event>,
  ...rest: readonly unknown[]
): Disposable {
  const [scope, middleware] = rest.length < 2 ? [undefined, ...rest] : rest;
  const list = listenersOf(target);
  if (list === undefined) {
    throw new TypeError(
      "Cannot use middleware: the target must be a Channel or a Server",
    );
  }
  if (typeof middleware !== "function") {
    throw new TypeError(
      `Cannot use middleware: it must be a function, received ${
        describe(middleware)
      }`,
    );
  }
  return list.middleware.add(
    rest.length < 2 ? undefined : scopeOf(scope),
    middleware as Middleware<unknown>,
  );
}

/** The path of a method, or the name of a service. */
function scopeOf(scope: unknown): string {
  if (typeof scope === "string" && scope !== "") return scope;
  const descriptor = scope as DescService | DescMethod | null | undefined;
  if (descriptor?.kind === "service") return descriptor.typeName;
  if (descriptor?.kind === "rpc") return pathOf(descriptor);
  throw new TypeError(
    `Cannot use middleware: its scope must be a service, a method or the path of one, received ${
      describe(scope)
    }`,
  );
}
