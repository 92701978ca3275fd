/**
 * How calls are spread over the endpoints of a channel.
 *
 * @module
 */

import { show } from "./_describe.ts";
import {
  checkBoolean,
  checkOptions,
  type OptionNames,
  wrongType,
} from "./_options.ts";

/**
 * Which endpoint takes a call: with `"pick_first"` the first that can be
 * connected to, with `"round_robin"` one after the other, with `"least_request"`
 * that with fewer calls of some that are drawn at random.
 */
export type BalancingPolicy = "pick_first" | "round_robin" | "least_request";

/** How calls are spread over the endpoints of a channel. */
export interface BalancingOptions {
  /** Which endpoint takes a call. */
  readonly policy: BalancingPolicy;
  /**
   * Of `"pick_first"`: whether the addresses are tried in random order, so that
   * many clients do not all take the first.
   *
   * @default {false}
   */
  readonly shuffleAddressList?: boolean;
  /**
   * Of `"least_request"`: how many endpoints are drawn, of which the one with the
   * fewest calls takes the next; an integer from 2 to 10.
   *
   * @default {2}
   */
  readonly choiceCount?: number;
  /**
   * Of all but `"pick_first"`: how many connections there are to each endpoint,
   * an integer from 1 to 10. Several are of use where one address stands for many
   * processes or machines.
   *
   * @default {1}
   */
  readonly connectionsPerAddress?: number;
  /**
   * Of all but `"pick_first"`: whether the service for health checks of each
   * endpoint is asked, and only those that it calls SERVING take calls; or the
   * name of the service to ask for. Endpoints without such a service count as
   * well.
   *
   * @default {false}
   */
  readonly healthCheck?: boolean | string;
  /**
   * Of all but `"pick_first"`: whether and when endpoints that fail more calls
   * than others are left out for a while.
   *
   * @default {false}
   */
  readonly outlierDetection?: boolean | OutlierDetectionOptions;
}

/**
 * When endpoints are left out that fail more calls than others. Failures are
 * calls that end with UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED,
 * UNIMPLEMENTED, INTERNAL, UNAVAILABLE or DATA_LOSS.
 */
export interface OutlierDetectionOptions {
  /**
   * How often the endpoints are compared, in milliseconds.
   *
   * @default {10000}
   */
  readonly intervalMs?: number;
  /**
   * How long an endpoint is left out, times how often it was, in milliseconds.
   *
   * @default {30000}
   */
  readonly baseEjectionTimeMs?: number;
  /**
   * The longest it is left out, in milliseconds.
   *
   * @default {300000}
   */
  readonly maxEjectionTimeMs?: number;
  /**
   * How many percent of the endpoints may be left out at once, from 0 to 100;
   * above 0 it is one at least.
   *
   * @default {10}
   */
  readonly maxEjectionPercent?: number;
  /**
   * Whether and when to leave out endpoints whose rate of success is far below
   * the mean of all.
   *
   * @default {true}
   */
  readonly successRate?: boolean | SuccessRateOptions;
  /**
   * Whether and when to leave out endpoints of whose calls too many fail.
   *
   * @default {true}
   */
  readonly failurePercentage?: boolean | FailurePercentageOptions;
}

/** What {@linkcode SuccessRateOptions} and {@linkcode FailurePercentageOptions} have in common. */
export interface EjectionOptions {
  /**
   * How likely an endpoint is left out that should be, in percent from 0 to 100.
   *
   * @default {100}
   */
  readonly enforcementPercentage?: number;
  /**
   * How many endpoints with enough calls there have to be, to be compared.
   *
   * @default {5} for the rate of success, 2 for the percentage of failures
   */
  readonly minimumHosts?: number;
  /**
   * How many calls of an endpoint have to have ended since the last comparison.
   *
   * @default {20}
   */
  readonly requestVolume?: number;
}

/** When the rate of success is too low. */
export interface SuccessRateOptions extends EjectionOptions {
  /**
   * How far it is below the mean, in thousandths of the standard deviation.
   *
   * @default {1900}
   */
  readonly stdevFactor?: number;
}

/** When too many calls fail. */
export interface FailurePercentageOptions extends EjectionOptions {
  /**
   * More failures than this are too many, in percent from 0 to 100.
   *
   * @default {85}
   */
  readonly threshold?: number;
}

/** Options of outlier detection, on which every default is settled. */
export interface ResolvedOutlierDetection {
  readonly intervalMs: number;
  readonly baseEjectionTimeMs: number;
  readonly maxEjectionTimeMs: number;
  readonly maxEjectionPercent: number;
  readonly successRate: Required<SuccessRateOptions> | null;
  readonly failurePercentage: Required<FailurePercentageOptions> | null;
}

/** Options of balancing, on which every default is settled. */
export interface ResolvedBalancing {
  readonly policy: BalancingPolicy;
  readonly shuffleAddressList: boolean;
  readonly choiceCount: number;
  readonly connectionsPerAddress: number;
  /** The service to ask for the health of; null for none. */
  readonly healthCheck: string | null;
  readonly outlierDetection: ResolvedOutlierDetection | null;
}

const POLICIES: readonly string[] = [
  "pick_first",
  "round_robin",
  "least_request",
] satisfies BalancingPolicy[];

const OPTIONS: OptionNames<BalancingOptions> = {
  policy: true,
  shuffleAddressList: true,
  choiceCount: true,
  connectionsPerAddress: true,
  healthCheck: true,
  outlierDetection: true,
};

/** The options that not all policies have a use for, and those that have. */
const USES: Partial<
  Record<keyof BalancingOptions, readonly BalancingPolicy[]>
> = {
  shuffleAddressList: ["pick_first"],
  choiceCount: ["least_request"],
  connectionsPerAddress: ["round_robin", "least_request"],
  healthCheck: ["round_robin", "least_request"],
  outlierDetection: ["round_robin", "least_request"],
};

// The longest delay that a timer takes.
const MAX_DELAY_MS = 2 ** 31 - 1;

/** From where to where numbers may be, and whether they have to be whole. */
interface Rule {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly isInteger?: boolean;
}

const DELAY: Omit<Rule, "default"> = { min: 1, max: MAX_DELAY_MS };
const PERCENT: Omit<Rule, "default"> = { min: 0, max: 100 };
const COUNT = { min: 1, max: MAX_DELAY_MS, isInteger: true };

const COUNTS = {
  choiceCount: { min: 2, max: 10, isInteger: true, default: 2 },
  connectionsPerAddress: { min: 1, max: 10, isInteger: true, default: 1 },
};

const EJECTION: Record<keyof EjectionOptions, Rule> = {
  enforcementPercentage: { ...PERCENT, default: 100 },
  minimumHosts: { ...COUNT, default: 5 },
  requestVolume: { ...COUNT, default: 20 },
};

const TIMES = {
  intervalMs: { ...DELAY, default: 10_000 },
  baseEjectionTimeMs: { ...DELAY, default: 30_000 },
  maxEjectionTimeMs: { ...DELAY, default: 300_000 },
  maxEjectionPercent: { ...PERCENT, default: 10 },
};

const SUCCESS_RATE: Record<keyof SuccessRateOptions, Rule> = {
  ...EJECTION,
  stdevFactor: { min: 0, max: MAX_DELAY_MS, default: 1900 },
};

const FAILURE_PERCENTAGE: Record<keyof FailurePercentageOptions, Rule> = {
  ...EJECTION,
  // Small sets are common, and 85 % are no accident.
  minimumHosts: { ...COUNT, default: 2 },
  threshold: { ...PERCENT, default: 85 },
};

/**
 * Checks how calls are to be spread, and settles what was left open.
 *
 * @param action What was attempted, such as `Cannot create channel`.
 * @param balancing What the user gave.
 * @throws {TypeError} If an option is unknown, of a wrong type, or of no use with
 *   the policy.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveBalancing(
  action: string,
  balancing: BalancingPolicy | BalancingOptions = "pick_first",
): ResolvedBalancing {
  const isName = typeof balancing === "string";
  const options: BalancingOptions = isName ? { policy: balancing } : balancing;
  checkOptions(action, options, OPTIONS, "balancing.");
  const { policy, shuffleAddressList, healthCheck = false } = options;
  if (!POLICIES.includes(policy)) {
    const names = POLICIES.map((name) => `"${name}"`).join(", ");
    throw new TypeError(
      `${action}: balancing${
        isName ? "" : ".policy"
      } must be one of ${names}, received ${show(policy)}`,
    );
  }
  for (const [name, policies] of Object.entries(USES)) {
    const value = options[name as keyof BalancingOptions];
    if (value === undefined || policies.includes(policy)) continue;
    throw new TypeError(
      `${action}: balancing.${name} has no use with policy "${policy}"`,
    );
  }
  checkBoolean(action, "balancing.shuffleAddressList", shuffleAddressList);
  if (typeof healthCheck !== "boolean" && typeof healthCheck !== "string") {
    const need = "true, false or the name of a service";
    throw wrongType(action, "balancing.healthCheck", need, healthCheck);
  }
  return {
    policy,
    shuffleAddressList: shuffleAddressList ?? false,
    ...numbers(action, "balancing.", options, COUNTS),
    // The whole of a server has the empty name.
    healthCheck: healthCheck === true
      ? ""
      : healthCheck === false
      ? null
      : healthCheck,
    outlierDetection: resolveOutliers(action, options.outlierDetection),
  };
}

function resolveOutliers(
  action: string,
  detection: boolean | OutlierDetectionOptions = false,
): ResolvedOutlierDetection | null {
  if (detection === false) return null;
  const options = detection === true ? {} : detection;
  const prefix = "balancing.outlierDetection.";
  checkOptions(action, options, {
    intervalMs: true,
    baseEjectionTimeMs: true,
    maxEjectionTimeMs: true,
    maxEjectionPercent: true,
    successRate: true,
    failurePercentage: true,
  }, prefix);
  const { successRate, failurePercentage } = options;
  return {
    ...numbers(action, prefix, options, TIMES),
    successRate: resolveEjection(
      action,
      `${prefix}successRate`,
      successRate,
      SUCCESS_RATE,
    ),
    failurePercentage: resolveEjection(
      action,
      `${prefix}failurePercentage`,
      failurePercentage,
      FAILURE_PERCENTAGE,
    ),
  };
}

function resolveEjection<K extends string>(
  action: string,
  path: string,
  ejection: boolean | { readonly [N in K]?: number } | undefined,
  rules: Record<K, Rule>,
): Record<K, number> | null {
  if (ejection === false) return null;
  const options = ejection === undefined || ejection === true ? {} : ejection;
  checkOptions(action, options as object, rules as object, `${path}.`);
  return numbers(action, `${path}.`, options, rules);
}

/** Reads numbers, each of which has a default and a range. */
function numbers<K extends string>(
  action: string,
  prefix: string,
  options: object,
  rules: Record<K, Rule>,
): Record<K, number> {
  const entries = Object.entries<Rule>(rules).map(([name, rule]) => {
    const value = (options as Readonly<Record<string, unknown>>)[name] ??
      rule.default;
    checkNumber(action, `${prefix}${name}`, value, rule);
    return [name, value];
  });
  return Object.fromEntries(entries);
}

function checkNumber(
  action: string,
  name: string,
  value: unknown,
  { min, max, isInteger = false }: Rule,
): void {
  const number = Number(value);
  const isWithin = number >= min && number <= max &&
    (!isInteger || Number.isInteger(number));
  if (typeof value === "number" && isWithin) return;
  const ErrorClass = typeof value === "number" ? RangeError : TypeError;
  throw new ErrorClass(
    `${action}: ${name} must be ${
      isInteger ? "an integer" : "a number"
    } from ${min} to ${max}, received ${show(value)}`,
  );
}
