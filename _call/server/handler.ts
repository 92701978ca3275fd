/**
 * What a service is to a server: paths and the handlers behind them.
 *
 * @module
 */

import type { DescMethod } from "@bufbuild/protobuf";
import type { Cardinality } from "../../core/cardinality.ts";
import { methodDescriptor } from "../descriptor.ts";
import type { Route } from "./route.ts";
import type { ServerStream } from "./stream.ts";

/** One method of a service, as the server calls it. */
export interface Handler {
  /**
   * Handles one call.
   *
   * @param stream The call.
   * @returns When the call is handled; nothing is expected of the value.
   */
  // A table of handlers holds all message types at once.
  // deno-lint-ignore no-explicit-any
  handle(stream: ServerStream<any, any>): unknown;
  /** The kind of call. */
  readonly cardinality: Cardinality;
  /** The type of the requests, as the codec needs it. */
  readonly requestType: unknown;
  /** The type of the replies, as the codec needs it. */
  readonly replyType: unknown;
  /**
   * What the .proto file says of the method, for who listens to its calls.
   *
   * @default {undefined} that of the service beside the messages, if there is
   *   one
   */
  readonly descriptor?: DescMethod | undefined;
}

/**
 * The key of the method by which a service tells the server its handlers.
 *
 * Generated classes and `createService` have it; a service written by hand
 * needs nothing else.
 *
 * @example Usage
 * ```ts
 * import { Cardinality, mapping, type Service, type ServerStream } from "@grpclib/grpclib";
 * import { StringValueSchema, type StringValue } from "@bufbuild/protobuf/wkt";
 * import { assertEquals } from "@std/assert";
 *
 * class Shouter implements Service {
 *   async shout(stream: ServerStream<StringValue, StringValue>) {
 *     const { value } = await stream.recvMessage();
 *     await stream.sendMessage({ value: value.toUpperCase() });
 *   }
 *
 *   [mapping]() {
 *     return {
 *       "/example.Shouter/Shout": {
 *         handle: (stream: ServerStream<StringValue, StringValue>) => this.shout(stream),
 *         cardinality: Cardinality.UNARY_UNARY,
 *         requestType: StringValueSchema,
 *         replyType: StringValueSchema,
 *       },
 *     };
 *   }
 * }
 *
 * assertEquals(Object.keys(new Shouter()[mapping]()), ["/example.Shouter/Shout"]);
 * ```
 */
export const mapping: unique symbol = Symbol.for("grpclib.mapping");

/** What a service may know of the server that serves it. */
export interface ServerContext {
  /**
   * Aborted when the server begins to close, before any call is refused or
   * ended.
   */
  readonly closing: AbortSignal;

  /**
   * Reports an error that belongs to no call, to `onError` of the server.
   *
   * @param error The error.
   * @param methodName The path of the method that it has most to do with.
   */
  report(error: unknown, methodName: string): void;
}

/**
 * The key of the method by which a service gets to know its server. Few need
 * it: such as those that have something to say before the server closes.
 *
 * @example Usage
 * ```ts
 * import { attach, mapping, Server, type ServerContext, type Service } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * class Announcer implements Service {
 *   isClosing = false;
 *
 *   [mapping]() {
 *     return {};
 *   }
 *
 *   [attach](server: ServerContext) {
 *     server.closing.addEventListener("abort", () => this.isClosing = true);
 *   }
 * }
 *
 * const announcer = new Announcer();
 * await new Server([announcer])[Symbol.asyncDispose]();
 * assertEquals(announcer.isClosing, true);
 * ```
 */
export const attach: unique symbol = Symbol.for("grpclib.attach");

/** A service: something that can say which paths it handles, and how. */
export interface Service {
  /**
   * Tells the handlers of the service.
   *
   * @param server The server that will call them; absent when somebody only
   *   wants to know what there is. Few services need it, see {@linkcode attach}.
   * @returns The handlers by the path of their method.
   */
  [mapping](server?: ServerContext): Readonly<Record<string, Handler>>;

  /**
   * Gets to know a server, when that is created.
   *
   * @param server What it may know of it.
   */
  [attach]?(server: ServerContext): void;
}

/**
 * Collects the handlers of services, and tells the services whose they are.
 *
 * @param services The services; of two with the same path the later counts.
 * @param server What they may know of their server.
 * @returns The routes, by path.
 * @throws {TypeError} If a service is none.
 */
export function routesOf(
  services: Iterable<Service>,
  server: ServerContext,
): ReadonlyMap<string, Route> {
  const all = [...services];
  const routes = new Map<string, Route>();
  for (const service of all) {
    if (typeof service?.[mapping] !== "function") {
      throw new TypeError(
        `Cannot create server: a service needs a [mapping]() method, received ${
          service === null ? "null" : typeof service
        }`,
      );
    }
    for (const [path, handler] of Object.entries(service[mapping](server))) {
      const method = methodDescriptor({ ...handler, path });
      routes.set(path, { path, handler, method });
    }
  }
  for (const service of all) service[attach]?.(server);
  return routes;
}
