/**
 * How calls are spread over the endpoints of a channel.
 *
 * @module
 */

import { show } from "./_describe.ts";
import { checkBoolean, checkOptions, type OptionNames } from "./_options.ts";

/**
 * Which endpoint takes a call: with `"pick_first"` the first that can be
 * connected to, with `"round_robin"` one after the other.
 */
export type BalancingPolicy = "pick_first" | "round_robin";

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
   * Of the others: how many connections there are to each endpoint, an integer
   * from 1 to 10. Several are of use where one address stands for many processes
   * or machines.
   *
   * @default {1}
   */
  readonly connectionsPerAddress?: number;
}

const POLICIES: readonly string[] = [
  "pick_first",
  "round_robin",
] satisfies BalancingPolicy[];

const OPTIONS: OptionNames<BalancingOptions> = {
  policy: true,
  shuffleAddressList: true,
  connectionsPerAddress: true,
};

/** The options that some policies have no use for. */
const FIRST_ONLY = ["shuffleAddressList"] as const;
const OTHERS_ONLY = ["connectionsPerAddress"] as const;

/** Options of balancing, on which every default is settled. */
export type ResolvedBalancing = Required<BalancingOptions>;

/**
 * Checks how calls are to be spread, and settles what was left open.
 *
 * @param action What was attempted, such as `Cannot create channel`.
 * @param given What the user gave.
 * @throws {TypeError} If an option is unknown, of a wrong type, or of no use with
 *   the policy.
 * @throws {RangeError} If a number is out of range.
 */
export function resolveBalancing(
  action: string,
  given: BalancingPolicy | BalancingOptions = "pick_first",
): ResolvedBalancing {
  const isName = typeof given === "string";
  const options = isName ? { policy: given } : given;
  checkOptions(action, options, OPTIONS, "balancing.");
  const { policy, shuffleAddressList, connectionsPerAddress } = options;
  if (!POLICIES.includes(policy)) {
    const names = POLICIES.map((name) => `"${name}"`).join(", ");
    throw new TypeError(
      `${action}: balancing${
        isName ? "" : ".policy"
      } must be one of ${names}, received ${show(policy)}`,
    );
  }
  const useless = policy === "pick_first" ? OTHERS_ONLY : FIRST_ONLY;
  for (const name of useless) {
    if (options[name] === undefined) continue;
    throw new TypeError(
      `${action}: balancing.${name} has no use with policy "${policy}"`,
    );
  }
  checkBoolean(action, "balancing.shuffleAddressList", shuffleAddressList);
  checkInteger(action, "connectionsPerAddress", connectionsPerAddress, 1, 10);
  return {
    policy,
    shuffleAddressList: shuffleAddressList ?? false,
    connectionsPerAddress: connectionsPerAddress ?? 1,
  };
}

function checkInteger(
  action: string,
  name: string,
  value: number | undefined,
  min: number,
  max: number,
): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && value >= min && value <= max) return;
  const ErrorClass = typeof value === "number" ? RangeError : TypeError;
  throw new ErrorClass(
    `${action}: balancing.${name} must be an integer from ${min} to ${max}, received ${
      show(value)
    }`,
  );
}
