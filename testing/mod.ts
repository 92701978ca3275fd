/**
 * What services, and programs that call some, are tested with.
 *
 * ```ts
 * import { createService, createStub, Status } from "@grpclib/grpclib";
 * import { assertRejectsStatus, grpcTest } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * grpcTest("Greeter greets by name", [greeter], async ({ channel }) => {
 *   const reply = await createStub(Greeter, channel).sayHello({ name: "Ada" });
 *   assertEquals(reply.message, "Hello, Ada!");
 * });
 *
 * grpcTest("A lost connection is UNAVAILABLE", [greeter], async ({ channel, faults }) => {
 *   faults.cut({ atFrame: 1 });
 *   const call = createStub(Greeter, channel).sayHello({ name: "Ada" });
 *   await assertRejectsStatus(call, Status.UNAVAILABLE, "lost");
 * });
 * ```
 *
 * All of it works in memory, and needs no permission.
 *
 * @module
 */

export { assertRejectsStatus, type Call } from "./assert_rejects_status.ts";
export { ChannelFor, type ChannelForOptions } from "./channel_for.ts";
export {
  type CutOptions,
  type DelayOptions,
  type FaultOptions,
  Faults,
  type FaultsOptions,
  type GoawayOptions,
  type RefuseOptions,
  type ResetOptions,
  type TruncateOptions,
} from "./faults.ts";
export {
  grpcTest,
  type GrpcTestContext,
  type GrpcTestDefinition,
  type HandlerError,
  type Services,
} from "./register.ts";
export {
  type MethodScript,
  type RecordedRequest,
  type RecordedRequests,
  type ScriptedAnswer,
  type ScriptedReply,
  type ServiceScript,
  type StubbedService,
  stubService,
} from "./stub_service.ts";
export { VirtualClock } from "./virtual_clock.ts";
export type { Clock, ClockTimer } from "../core/clock.ts";
