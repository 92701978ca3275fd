/**
 * Resolvers: who tells a channel which servers there are.
 *
 * @module
 */

import type { ServiceConfig } from "./service_config.ts";

/** What a resolver knows. */
export interface ResolverAnswer {
  /**
   * The servers there are, at least one: each by its address, such as
   * `10.0.0.1:50051` or `unix:/run/x.sock`, or by several where it has several.
   */
  readonly endpoints: readonly (string | readonly string[])[];
  /**
   * What the service says about how it wants to be called, in the official JSON,
   * as an object or as text. It takes the place of the channel's `serviceConfig`
   * for the calls that are made from then on.
   *
   * @default {undefined} as the channel says
   */
  readonly serviceConfig?: ServiceConfig | string | null | undefined;
}

/** What a resolver is asked. */
export interface ResolverQuestion {
  /** The target of the channel, such as `greeter:50051`. */
  readonly target: string;
  /** Aborts when the answer is not wanted any more. */
  readonly signal: AbortSignal;
}

/**
 * Says which servers there are. Either once, and then it is asked again when
 * that may have changed; or it goes on and says so itself, as an async iterable
 * does. What it throws is told to the calls that wait for it, and it is asked
 * again later.
 */
export type Resolver = (
  question: ResolverQuestion,
) => ResolverAnswer | Promise<ResolverAnswer> | AsyncIterable<ResolverAnswer>;
