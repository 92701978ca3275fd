/**
 * The service that tells the health of a server and its services.
 *
 * @module
 */

import type { DescMethod } from "@bufbuild/protobuf";
import { describe } from "../core/_describe.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { cardinalityOf, pathOf } from "../_call/descriptor.ts";
import {
  attach,
  type Handler,
  mapping,
  type ServerContext,
  type Service,
} from "../_call/server/handler.ts";
import type { ServerStream } from "../_call/server/stream.ts";
import type { Check } from "./check.ts";
import {
  Health as HealthService,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
  type HealthListRequest,
  type HealthListResponse,
} from "./gen/grpc/health/v1/health_pb.ts";
import { ServiceHealth } from "./_service_health.ts";
import { Watcher, type WatchStream } from "./_watcher.ts";

/** Stands for the server as a whole, in place of a service. */
export const OVERALL = "";

/**
 * Which checks a service depends on: the service, or its name such as
 * `"helloworld.Greeter"`, or {@linkcode OVERALL}, and the checks.
 */
export type ServiceChecks = readonly [
  service: Service | string,
  checks: Iterable<Check>,
];

type CheckStream = ServerStream<HealthCheckRequest, HealthCheckResponse>;
type ListStream = ServerStream<HealthListRequest, HealthListResponse>;

/** "The maximum number of services to return is 100", says health.proto. */
const MAX_LISTED = 100;

/**
 * The service `grpc.health.v1.Health`: what load balancers and orchestrators
 * ask whether a server is well.
 *
 * A service is `SERVING` when all of its checks are healthy, `UNKNOWN` when
 * none of them knows, and otherwise `NOT_SERVING`. Without checks it is
 * `SERVING`. The server as a whole depends on all checks, unless
 * {@linkcode OVERALL} is given checks of its own.
 *
 * When the server closes all who watch there are told `NOT_SERVING`, before calls
 * are refused, and their calls end. Several servers may share the service, at the
 * same time or one after another.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/health-checking.md}
 *
 * @example Usage
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { Health, HealthService, ServiceStatus, ServingStatus } from "@grpclib/grpclib/health";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 * const redis = new ServiceStatus();
 * const health = new Health([[greeter, [redis]]]);
 * redis.set(true);
 *
 * await using server = new Server([greeter, health]);
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 * const stub = createStub(HealthService, channel);
 *
 * const { status } = await stub.check({ service: "helloworld.Greeter" });
 * assertEquals(status, ServingStatus.SERVING);
 * ```
 */
export class Health implements Service {
  readonly #services: ReadonlyMap<string, ServiceHealth>;
  /** Who watches, by way of which server. */
  readonly #watchers = new Map<Watcher, ServerContext | undefined>();
  /** The servers that do not close. */
  readonly #servers = new Set<ServerContext>();
  #isAttached = false;
  /** What was reported, for an error may come to us in two ways. */
  readonly #reported = new WeakSet<object>();

  /**
   * Creates the service.
   *
   * @param checks The services, each with the checks it depends on, as a `Map`
   *   or as pairs; or a service alone, which depends on none.
   * @throws {TypeError} If a service or check is none, or there is one twice.
   */
  constructor(checks: Iterable<ServiceChecks | Service | string> = []) {
    this.#services = readChecks(
      checks,
      (error, check) => this.#report(error, check),
    );
  }

  /**
   * Tells the handlers of the service.
   *
   * @param server The server they are for.
   * @returns The handlers by the path of their method.
   */
  [mapping](server?: ServerContext): Readonly<Record<string, Handler>> {
    const { check, list, watch } = HealthService.method;
    return {
      [pathOf(check)]: handlerOf(check, async (stream: CheckStream) => {
        const { service } = await stream.recvMessage();
        const status = await this.#check(service, server);
        await stream.sendMessage({ status });
      }),
      [pathOf(list)]: handlerOf(list, async (stream: ListStream) => {
        await stream.sendMessage({ statuses: await this.#list(server) });
      }),
      [pathOf(watch)]: handlerOf(
        watch,
        (stream: WatchStream) => this.#watch(stream, server),
      ),
    };
  }

  /**
   * Gets to know a server.
   *
   * @param server What a service may know of it.
   */
  [attach](server: ServerContext): void {
    this.#isAttached = true;
    this.#servers.add(server);
    server.closing.addEventListener("abort", () => this.#onClosing(server));
  }

  async #check(
    service: string,
    server: ServerContext | undefined,
  ): Promise<ServingStatus> {
    const health = this.#services.get(service);
    if (health === undefined) {
      throw new GRPCError(
        Status.NOT_FOUND,
        `Unknown service: ${JSON.stringify(service)}`,
      );
    }
    const status = await health.check();
    return this.#isClosing(server) ? ServingStatus.NOT_SERVING : status;
  }

  async #list(
    server: ServerContext | undefined,
  ): Promise<Record<string, { status: ServingStatus }>> {
    const { size } = this.#services;
    if (size > MAX_LISTED) {
      throw new GRPCError(
        Status.RESOURCE_EXHAUSTED,
        `Cannot list services: there are ${size}, and at most ${MAX_LISTED} can be listed`,
      );
    }
    const entries = await Promise.all(
      Array.from(this.#services.keys(), async (service) => {
        const status = await this.#check(service, server);
        return [service, { status }] as const;
      }),
    );
    return Object.fromEntries(entries);
  }

  async #watch(
    stream: WatchStream,
    server: ServerContext | undefined,
  ): Promise<void> {
    const { service } = await stream.recvMessage();
    const watcher = new Watcher(stream);
    this.#watchers.set(watcher, server);
    const subscription = this.#services.get(service)
      ?.watch((status) => watcher.tell(status));
    try {
      // "If the requested service is unknown … the server will send a message
      // setting the serving status to SERVICE_UNKNOWN but will not terminate
      // the call."
      if (subscription === undefined) {
        watcher.tell(ServingStatus.SERVICE_UNKNOWN);
      }
      if (this.#isClosing(server)) this.#dismiss(watcher);
      await watcher.done;
    } finally {
      subscription?.[Symbol.dispose]();
      this.#watchers.delete(watcher);
    }
  }

  /**
   * Whether a server closes; one that nobody told us of does when all do that
   * we know.
   */
  #isClosing(server: ServerContext | undefined): boolean {
    if (server !== undefined) return server.closing.aborted;
    return this.#isAttached && this.#servers.size === 0;
  }

  #onClosing(server: ServerContext): void {
    this.#servers.delete(server);
    for (const [watcher, its] of [...this.#watchers]) {
      if (this.#isClosing(its)) this.#dismiss(watcher);
    }
  }

  /**
   * Tells a watcher that the server closes. Its call ends with a status that
   * has the client watch again, at another server: one that went on would hold
   * up the end of this one.
   */
  #dismiss(watcher: Watcher): void {
    watcher.tell(ServingStatus.NOT_SERVING);
    watcher.end(new GRPCError(Status.UNAVAILABLE, "Server is shutting down"));
  }

  #report(error: unknown, check: Check): void {
    if (typeof error === "object" && error !== null) {
      if (this.#reported.has(error)) return;
      this.#reported.add(error);
    }
    const wrapped = new Error(`Health check ${check.name} failed`, {
      cause: error,
    });
    for (const server of this.#servers) {
      server.report(wrapped, "/grpc.health.v1.Health/Check");
    }
  }
}

function handlerOf(method: DescMethod, handle: Handler["handle"]): Handler {
  return {
    handle,
    cardinality: cardinalityOf(method),
    requestType: method.input,
    replyType: method.output,
  };
}

function readChecks(
  checks: Iterable<ServiceChecks | Service | string>,
  report: (error: unknown, check: Check) => void,
): ReadonlyMap<string, ServiceHealth> {
  if (
    typeof checks?.[Symbol.iterator] !== "function" ||
    typeof checks === "string"
  ) {
    throw new TypeError(
      `Cannot create health service: checks must be a Map or pairs of a service and its checks, or services, received ${
        describe(checks)
      }`,
    );
  }
  const services = new Map<string, ServiceHealth>();
  const all = new Set<Check>();
  for (const entry of checks) {
    const [service, ownChecks] = isPair(entry) ? entry : [entry, []];
    const name = nameOf(service);
    if (services.has(name)) {
      throw new TypeError(
        `Cannot create health service: there are checks for ${
          JSON.stringify(name)
        } twice`,
      );
    }
    const set = new Set(requireChecks(name, ownChecks));
    for (const check of set) all.add(check);
    services.set(name, new ServiceHealth(set, report));
  }
  if (!services.has(OVERALL)) {
    services.set(OVERALL, new ServiceHealth(all, report));
  }
  return services;
}

function isPair(
  one: ServiceChecks | Service | string,
): one is ServiceChecks {
  return Array.isArray(one);
}

/** The name of a service, as clients ask for it. */
function nameOf(service: unknown): string {
  if (typeof service === "string") return service;
  const paths = typeof (service as Service | null)?.[mapping] === "function"
    ? Object.keys((service as Service)[mapping]())
    : [];
  const name = /^\/([^/]+)\/[^/]+$/.exec(paths[0] ?? "")?.[1];
  if (name === undefined) {
    throw new TypeError(
      "Cannot create health service: checks must be for a service with methods, or for the name of one",
    );
  }
  return name;
}

function* requireChecks(
  name: string,
  checks: Iterable<unknown>,
): Iterable<Check> {
  for (const check of checks) {
    const { check: fn, subscribe } = (check ?? {}) as Partial<Check>;
    if (typeof fn !== "function" || typeof subscribe !== "function") {
      throw new TypeError(
        `Cannot create health service: a check of ${
          JSON.stringify(name)
        } has no check() and subscribe()`,
      );
    }
    yield check as Check;
  }
}
