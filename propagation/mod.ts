/**
 * What a call takes over from the call that it is made for, by itself: a
 * deadline, a cancellation, and metadata that is chosen.
 *
 * A server with `propagation` runs each handler inside the call that it serves,
 * and channels with `propagation` look there. The option `parent` of a call says
 * the same in so many words, without either.
 *
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { detach } from "@grpclib/grpclib/propagation";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 *
 * function serve(target: string): Server {
 *   const channel = new Channel({
 *     target,
 *     propagation: { metadata: ["x-request-id"] },
 *   });
 *   const next = createStub(Greeter, channel);
 *   const greeter = createService(Greeter, {
 *     async sayHello({ name }) {
 *       // It goes on when the client of this call is gone.
 *       detach(() => next.sayHello({ name: "audit" }).catch(console.error));
 *       // It ends when this call does, and has its deadline.
 *       return await next.sayHello({ name });
 *     },
 *   });
 *   return new Server([greeter], { propagation: true });
 * }
 * ```
 *
 * @module
 */

import { currentParent, type ParentCall } from "../_call/parent.ts";

export type { ParentCall, PropagationOptions } from "../_call/parent.ts";
export type { Deadline } from "../core/deadline.ts";
export type {
  Metadata,
  MetadataInit,
  MetadataValue,
  MetadataValueOf,
} from "../core/metadata.ts";
export type {
  Peer,
  PeerAddress,
  PeerCertificate,
  PeerCertificateName,
} from "../core/peer.ts";

/**
 * Gives the call whose handler runs here, however deep in what the handler has
 * called or begun.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub } from "@grpclib/grpclib";
 * import { currentCall } from "@grpclib/grpclib/propagation";
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const tenant = () => currentCall()?.metadata.get("x-tenant") ?? "nobody";
 * const greeter = createService(Greeter, {
 *   sayHello: () => ({ message: `Hello, ${tenant()}!` }),
 * });
 *
 * await using channel = new ChannelFor([greeter], { server: { propagation: true } });
 * const options = { metadata: { "x-tenant": "Ada" } };
 * const { message } = await createStub(Greeter, channel).sayHello({}, options);
 *
 * assertEquals(message, "Hello, Ada!");
 * assertEquals(currentCall(), null);
 * ```
 *
 * @returns The call, also when it has ended by now; `null` outside of handlers,
 *   in what was detached, and on servers without `propagation`.
 */
export function currentCall(): ParentCall | null {
  return currentParent.getStore() ?? null;
}

/**
 * Runs a function outside of the call whose handler runs here: calls that it
 * makes, and what it begins makes later, take nothing over, and do not end with
 * that call. What else the context has, such as a trace, stays.
 *
 * @example Usage
 * ```ts
 * import { createService, createStub } from "@grpclib/grpclib";
 * import { currentCall, detach } from "@grpclib/grpclib/propagation";
 * import { ChannelFor } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const seen: (string | undefined)[] = [];
 * const see = () => seen.push(currentCall()?.methodName);
 * const greeter = createService(Greeter, {
 *   sayHello() {
 *     see();
 *     detach(see);
 *     return {};
 *   },
 * });
 *
 * await using channel = new ChannelFor([greeter], { server: { propagation: true } });
 * await createStub(Greeter, channel).sayHello({});
 *
 * assertEquals(seen, ["/helloworld.Greeter/SayHello", undefined]);
 * ```
 *
 * @param fn The function.
 * @returns What it returns.
 * @typeParam R What it returns.
 */
export function detach<R>(fn: () => R): R {
  return currentParent.run(null, fn);
}
