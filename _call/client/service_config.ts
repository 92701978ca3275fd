/**
 * Service configs, checked and read.
 *
 * "Unknown fields are ignored, one bad known field spoils all."
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/service_config.md}
 * @see {@link https://github.com/grpc/proposal/blob/master/A21-service-config-error-handling.md}
 * @module
 */

import type {
  AttemptPolicy,
  MethodPolicy,
  ThrottlingPolicy,
} from "./call_policy.ts";
import { JSONField } from "../../core/_json_field.ts";
import type { BalancingOptions } from "../../core/balancing.ts";
import type { ServiceConfig } from "../../core/service_config.ts";
import type { Status } from "../../core/status.ts";

/** A service config that was read. */
export interface ParsedServiceConfig {
  /** What holds for a method, a service (`"/service/"`) or all of them (`""`). */
  readonly methods: ReadonlyMap<string, MethodPolicy>;
  /** When there are no retries, or null for any time. */
  readonly throttling: ThrottlingPolicy | null;
  /** How calls are spread over the endpoints, or null if it does not say. */
  readonly balancing: BalancingOptions | null;
}

/** How a service config is read. */
export interface ServiceConfigReading {
  /** What was attempted with it, such as `Cannot create channel`. */
  readonly action: string;
  /** What more attempts of a call count as. */
  readonly maxAttemptsLimit: number;
}

/**
 * Reads a service config.
 *
 * @param config The official JSON, as an object or as text.
 * @param reading How to read it.
 * @returns What it says.
 * @throws {TypeError} If a field is of a wrong type, or missing.
 * @throws {RangeError} If the value of a field is not allowed.
 */
export function parseServiceConfig(
  config: ServiceConfig | string,
  reading: ServiceConfigReading,
): ParsedServiceConfig {
  const { action } = reading;
  const root = new JSONField(
    action,
    "serviceConfig",
    parseText(action, config),
  );
  return {
    methods: readMethods(root.get("methodConfig"), reading),
    throttling: root.get("retryThrottling").optional(readThrottling) ?? null,
    balancing: readBalancing(root),
  };
}

function parseText(action: string, config: ServiceConfig | string): unknown {
  if (typeof config !== "string") return config;
  try {
    return JSON.parse(config);
  } catch (cause) {
    throw new TypeError(
      `${action}: serviceConfig must be an object or JSON, received a text that is none`,
      { cause },
    );
  }
}

function readMethods(
  list: JSONField,
  { maxAttemptsLimit }: ServiceConfigReading,
): ReadonlyMap<string, MethodPolicy> {
  const methods = new Map<string, MethodPolicy>();
  for (const entry of list.optional((field) => field.list()) ?? []) {
    const policy = readMethod(entry, maxAttemptsLimit);
    const names = entry.get("name").optional((field) => field.list()) ?? [];
    for (const name of names) {
      const key = readName(name);
      if (methods.has(key)) name.contradict("is there more than once");
      methods.set(key, policy);
    }
  }
  return methods;
}

/** `""` for all methods, `"/service/"` for those of one, or the path of one. */
function readName(name: JSONField): string {
  const text = (field: JSONField) => field.optional((it) => it.string()) ?? "";
  const service = text(name.get("service"));
  const method = text(name.get("method"));
  if (service !== "") return `/${service}/${method}`;
  if (method !== "") name.contradict("has a method and no service");
  return "";
}

function readMethod(entry: JSONField, maxAttemptsLimit: number): MethodPolicy {
  const hedging = entry.get("hedgingPolicy");
  const retry = entry.get("retryPolicy");
  if (!hedging.isAbsent && !retry.isAbsent) {
    hedging.contradict("is there beside a retryPolicy");
  }
  const maxAttempts = (field: JSONField): number =>
    Math.min(field.get("maxAttempts").integer(2), maxAttemptsLimit);
  const attempts: AttemptPolicy | undefined = hedging.optional((field) => ({
    kind: "hedging",
    maxAttempts: maxAttempts(field),
    delayMs: field.get("hedgingDelay").optional((it) => it.duration()) ?? 0,
    nonFatal: new Set(
      field.get("nonFatalStatusCodes").optional(readCodes) ?? [],
    ),
  })) ?? retry.optional((field) => ({
    kind: "retry",
    maxAttempts: maxAttempts(field),
    initialBackoffMs: field.get("initialBackoff").positiveDuration(),
    maxBackoffMs: field.get("maxBackoff").positiveDuration(),
    backoffMultiplier: field.get("backoffMultiplier").positive(),
    retryable: new Set(readSomeCodes(field.get("retryableStatusCodes"))),
  }));
  const size = (name: string) =>
    entry.get(name).optional((field) => field.integer(0));
  return withoutUndefined<MethodPolicy>({
    timeoutMs: entry.get("timeout").optional((field) => field.duration()),
    waitForReady: entry.get("waitForReady").optional((it) => it.boolean()),
    maxSendMessageSize: size("maxRequestMessageBytes"),
    maxReceiveMessageSize: size("maxResponseMessageBytes"),
    attempts,
  });
}

function readCodes(list: JSONField): Status[] {
  return list.list().map((field) => field.status());
}

function readSomeCodes(list: JSONField): Status[] {
  const codes = readCodes(list);
  return codes.length > 0 ? codes : list.contradict("is empty");
}

function readThrottling(field: JSONField): ThrottlingPolicy {
  return {
    maxTokens: field.get("maxTokens").positive({ max: 1_000 }),
    // "Decimal places beyond 3 are ignored."
    tokenRatio: field.get("tokenRatio").positive({ min: 0.001 }),
  };
}

function readBalancing(root: JSONField): BalancingOptions | null {
  const healthCheck = root.get("healthCheckConfig").optional((field) =>
    field.get("serviceName").optional((name) => name.string()) ?? ""
  );
  const balancing = readLoadBalancing(root);
  // "pick_first … will not support health checking."
  // https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md
  return balancing === null || balancing.policy === "pick_first" ||
      healthCheck === undefined
    ? balancing
    : { ...balancing, healthCheck };
}

/**
 * "The client will use the first policy in the list that it supports."
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A24-lb-policy-config.md}
 */
function readLoadBalancing(root: JSONField): BalancingOptions | null {
  const list = root.get("loadBalancingConfig");
  const old = root.get("loadBalancingPolicy");
  if (list.isAbsent) return old.optional(readOldLoadBalancing) ?? null;
  for (const entry of list.list()) {
    const names = entry.names();
    const [name] = names;
    if (name === undefined || names.length > 1) {
      return entry.contradict("must have one field, the name of a policy");
    }
    const balancing = readPolicy(name, entry.get(name));
    if (balancing !== null) return balancing;
  }
  return list.contradict(
    "has none of the known policies: pick_first, round_robin, least_request_experimental",
  );
}

/** Reads a policy; null if it is not a known one. */
function readPolicy(name: string, config: JSONField): BalancingOptions | null {
  switch (name) {
    // https://github.com/grpc/proposal/blob/master/A62-pick-first.md
    case "pick_first":
      return withoutUndefined<BalancingOptions>({
        policy: "pick_first",
        shuffleAddressList: config.get("shuffleAddressList")
          .optional((it) => it.boolean()),
      });
    case "round_robin":
      config.names();
      return { policy: "round_robin" };
    // https://github.com/grpc/proposal/blob/master/A48-xds-least-request-lb-policy.md
    case "least_request_experimental":
      return withoutUndefined<BalancingOptions>({
        policy: "least_request",
        // "Values larger than 10 are treated as 10."
        choiceCount: config.get("choiceCount")
          .optional((it) => Math.min(it.integer(2), 10)),
      });
    default:
      return null;
  }
}

function readOldLoadBalancing(field: JSONField): BalancingOptions {
  switch (field.string().toLowerCase()) {
    case "pick_first":
      return { policy: "pick_first" };
    case "round_robin":
      return { policy: "round_robin" };
    default:
      return field.refuse("pick_first or round_robin");
  }
}

/** An object without the fields that are undefined. */
function withoutUndefined<T extends object>(
  object: { readonly [K in keyof T]?: T[K] | undefined },
): T {
  const entries = Object.entries(object);
  return Object.fromEntries(
    entries.filter(([, value]) => value !== undefined),
  ) as T;
}
