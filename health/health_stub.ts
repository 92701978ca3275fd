/**
 * The client of the health service.
 *
 * @module
 */

import {
  type Channel,
  unaryStream,
  type UnaryStreamMethod,
  unaryUnary,
  type UnaryUnaryMethod,
} from "../client.ts";
import { pathOf } from "../_call/descriptor.ts";
import {
  Health as HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  type HealthListRequest,
  type HealthListResponse,
} from "./gen/grpc/health/v1/health_pb.ts";

/**
 * The methods of `grpc.health.v1.Health`, to be called on a channel.
 *
 * @example Usage
 * ```ts
 * import { Channel, Server } from "@grpclib/grpclib";
 * import { Health, HealthStub, ServingStatus } from "@grpclib/grpclib/health";
 * import { assertEquals } from "@std/assert";
 *
 * await using server = new Server([new Health()]);
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 *
 * const { status } = await new HealthStub(channel).check({});
 * assertEquals(status, ServingStatus.SERVING);
 * ```
 */
export class HealthStub {
  /** Asks for the status of a service, or of the server as a whole. */
  readonly check: UnaryUnaryMethod<HealthCheckRequest, HealthCheckResponse>;
  /** Asks for the statuses of all services. */
  readonly list: UnaryUnaryMethod<HealthListRequest, HealthListResponse>;
  /** Asks for the status of a service, and for each change of it. */
  readonly watch: UnaryStreamMethod<HealthCheckRequest, HealthCheckResponse>;

  /**
   * Makes the methods.
   *
   * @param channel The channel to call on.
   */
  constructor(channel: Channel) {
    const { check, list, watch } = HealthService.method;
    this.check = unaryUnary(channel, pathOf(check), check.input, check.output);
    this.list = unaryUnary(channel, pathOf(list), list.input, list.output);
    this.watch = unaryStream(
      channel,
      pathOf(watch),
      watch.input,
      watch.output,
    );
  }
}
