/**
 * Google's messages for the details of an error, which servers and clients in
 * all languages of gRPC know, and what encodes and finds them.
 *
 * ```ts
 * import {
 *   Channel, createService, createStub, GRPCError, Server, Status,
 * } from "@grpclib/grpclib";
 * import { BadRequestSchema, findDetail } from "@grpclib/grpclib/error-details";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { create } from "@bufbuild/protobuf";
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello({ name }) {
 *     if (name !== "") return { message: `Hello, ${name}!` };
 *     throw new GRPCError(Status.INVALID_ARGUMENT, "Who is there?", {
 *       details: [
 *         create(BadRequestSchema, {
 *           fieldViolations: [{ field: "name", description: "is empty" }],
 *         }),
 *       ],
 *     });
 *   },
 * });
 *
 * await using server = new Server([greeter]);
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 *
 * try {
 *   await createStub(Greeter, channel).sayHello({ name: "" });
 * } catch (error) {
 *   const badRequest = findDetail(error, BadRequestSchema);
 *   assertEquals(badRequest?.fieldViolations[0]?.description, "is empty");
 * }
 * ```
 *
 * Messages of any other type may be details too: give their schemas to a
 * {@linkcode ProtoStatusDetailsCodec}, and this to the server. A client that
 * uses {@linkcode findDetail} needs no more than the schema.
 *
 * @see {@link https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto}
 * @module
 */

export {
  findDetail,
  ProtoStatusDetailsCodec,
  type ProtoStatusDetailsCodecOptions,
  type StatusDetailsCodec,
  UnknownDetail,
} from "./core/status_details.ts";
export {
  type BadRequest,
  type BadRequest_FieldViolation,
  BadRequest_FieldViolationSchema,
  BadRequestSchema,
  type DebugInfo,
  DebugInfoSchema,
  type ErrorInfo,
  ErrorInfoSchema,
  type Help,
  type Help_Link,
  Help_LinkSchema,
  HelpSchema,
  type LocalizedMessage,
  LocalizedMessageSchema,
  type PreconditionFailure,
  type PreconditionFailure_Violation,
  PreconditionFailure_ViolationSchema,
  PreconditionFailureSchema,
  type QuotaFailure,
  type QuotaFailure_Violation,
  QuotaFailure_ViolationSchema,
  QuotaFailureSchema,
  type RequestInfo,
  RequestInfoSchema,
  type ResourceInfo,
  ResourceInfoSchema,
  type RetryInfo,
  RetryInfoSchema,
} from "./core/gen/google/rpc/error_details_pb.ts";
// The message that carries the details; `Status` is the name of the codes.
export {
  type Status as StatusProto,
  StatusSchema as StatusProtoSchema,
} from "./core/gen/google/rpc/status_pb.ts";
