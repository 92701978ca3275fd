/**
 * What a service is to a server: paths and the handlers behind them.
 *
 * @module
 */

import type { Cardinality } from "../core/cardinality.ts";
import type { ServerStream } from "./server_stream.ts";

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

/** A service: something that can say which paths it handles, and how. */
export interface Service {
  /**
   * Tells the handlers of the service.
   *
   * @returns The handlers by the path of their method.
   */
  [mapping](): Readonly<Record<string, Handler>>;
}

/** A path with its handler. */
export interface Route {
  /** The path, such as `/helloworld.Greeter/SayHello`. */
  readonly path: string;
  /** The handler. */
  readonly handler: Handler;
}
