/**
 * What services, and programs that call some, are tested with.
 *
 * ```ts
 * import { createService, createStub, Status } from "@grpclib/grpclib";
 * import { assertRejectsStatus, ChannelFor, Faults } from "@grpclib/grpclib/testing";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 *
 * const faults = new Faults();
 * await using channel = new ChannelFor([greeter], { faults });
 * const stub = createStub(Greeter, channel);
 *
 * const reply = await stub.sayHello({ name: "Ada" });
 * assertEquals(reply.message, "Hello, Ada!");
 *
 * faults.cut({ atFrame: 1 });
 * await assertRejectsStatus(stub.sayHello({}), Status.UNAVAILABLE, "lost");
 * ```
 *
 * All of it works in memory, and needs no permission.
 *
 * @module
 */

export { assertRejectsStatus, type Call } from "./assert_rejects_status.ts";
export { ChannelFor, type ChannelForOptions } from "./channel_for.ts";
export type {
  CutOptions,
  DelayOptions,
  FaultOptions,
  FaultsOptions,
  GoawayOptions,
  RefuseOptions,
  ResetOptions,
  TruncateOptions,
} from "./fault_options.ts";
export { Faults } from "./faults.ts";
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
