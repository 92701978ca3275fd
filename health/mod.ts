/**
 * Health checking: whether a server and its services are well, in the protocol
 * that load balancers, orchestrators and `grpc_health_probe` speak.
 *
 * ```ts
 * import { Server } from "@grpclib/grpclib";
 * import { Health, OVERALL, ServiceCheck, ServiceStatus } from "@grpclib/grpclib/health";
 *
 * // Asked again and again while somebody watches.
 * const db = new ServiceCheck(async function db_check(signal) {
 *   await Promise.resolve(signal);
 *   return true;
 * }, { checkTtlMs: 10_000 });
 *
 * // Told by whoever knows.
 * const redis = new ServiceStatus();
 * redis.set(true);
 *
 * const health = new Health([
 *   ["shop.Cart", [db, redis]],
 *   [OVERALL, [db]],
 * ]);
 * await using server = new Server([health]);
 * ```
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/health-checking.md}
 * @module
 */

export type { Check, CheckListener, CheckStatus } from "./check.ts";
export { Health, OVERALL, type ServiceChecks } from "./health.ts";
export { HealthStub } from "./health_stub.ts";
export {
  type CheckFunction,
  ServiceCheck,
  type ServiceCheckOptions,
} from "./service_check.ts";
export { ServiceStatus, type ServiceStatusOptions } from "./service_status.ts";
export {
  Health as HealthService,
  type HealthCheckRequest,
  HealthCheckRequestSchema,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  HealthCheckResponseSchema,
  type HealthListRequest,
  HealthListRequestSchema,
  type HealthListResponse,
  HealthListResponseSchema,
} from "./gen/grpc/health/v1/health_pb.ts";
