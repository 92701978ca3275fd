/**
 * Events: what a program can watch, change or refuse in every call of a channel
 * or a server.
 *
 * @module
 */

import {
  CallEnd,
  type Event,
  RecvInitialMetadata,
  RecvMessage,
  RecvRequest,
  RecvTrailingMetadata,
  RetryCall,
  SendInitialMetadata,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
} from "./_events.ts";
import { type EventClass, type Listenable, listenersOf } from "./_listeners.ts";

export type { CallInfo, MethodDescriptor } from "./_call_info.ts";
export {
  CallEnd,
  Event,
  type MethodFunc,
  RecvInitialMetadata,
  RecvMessage,
  RecvRequest,
  RecvTrailingMetadata,
  RetryCall,
  SendInitialMetadata,
  SendMessage,
  SendRequest,
  SendTrailingMetadata,
} from "./_events.ts";
export type { EventClass, Listenable } from "./_listeners.ts";

/** The events of a channel. */
export type ClientEvent =
  | SendRequest
  | SendMessage
  | RecvInitialMetadata
  | RecvMessage
  | RecvTrailingMetadata
  | RetryCall
  | CallEnd;

/** The events of a server. */
export type ServerEvent =
  | RecvRequest
  | RecvMessage
  | SendInitialMetadata
  | SendMessage
  | SendTrailingMetadata
  | CallEnd;

/** The classes of a channel's events. */
export const CLIENT_EVENTS: readonly EventClass<ClientEvent>[] = [
  SendRequest,
  SendMessage,
  RecvInitialMetadata,
  RecvMessage,
  RecvTrailingMetadata,
  RetryCall,
  CallEnd,
];

/** The classes of a server's events. */
export const SERVER_EVENTS: readonly EventClass<ServerEvent>[] = [
  RecvRequest,
  RecvMessage,
  SendInitialMetadata,
  SendMessage,
  SendTrailingMetadata,
  CallEnd,
];

/**
 * Has a function called for each event of a kind, in every call of a channel or
 * server that begins from now on.
 *
 * @param target The channel or server.
 * @param type The class of the event.
 * @param callback What to call. If it returns a promise the call waits for it.
 * @returns What ends it, for calls that begin later: `using` does by itself.
 * @throws {TypeError} If the target has no such event.
 * @typeParam T The events of the target.
 * @typeParam E The event.
 *
 * @example Usage
 * ```ts
 * import {
 *   Channel, createService, createStub, listen, SendRequest, Server,
 * } from "@grpclib/grpclib";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new Server([
 *   createService(Greeter, {
 *     sayHello: (_, call) => ({ message: call.metadata.get("injected")! }),
 *   }),
 * ]);
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 *
 * using _listener = listen(channel, SendRequest, (event) => {
 *   event.metadata.set("injected", "successfully");
 * });
 *
 * const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 * assertEquals(reply.message, "successfully");
 * ```
 */
export function listen<T extends Event, E extends NoInfer<T>>(
  target: Listenable<T>,
  type: EventClass<E>,
  callback: (event: E) => unknown,
): Disposable {
  const list = listenersOf(target);
  if (list === undefined) {
    throw new TypeError(
      "Cannot listen: the target must be a Channel or a Server",
    );
  }
  if (typeof callback !== "function") {
    throw new TypeError(
      `Cannot listen: the callback must be a function, received ${typeof callback}`,
    );
  }
  return list.add(type, callback);
}
