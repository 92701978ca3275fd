/**
 * What a call has to know of its method.
 *
 * @module
 */

import type { Cardinality } from "../../core/cardinality.ts";
import type { MethodDescriptor, MethodFunc } from "../../core/events.ts";

/** A method with its handler. */
export interface Route {
  /** The path, such as `/helloworld.Greeter/SayHello`. */
  readonly path: string;
  /** The handler. */
  readonly handler: {
    readonly handle: MethodFunc;
    readonly cardinality: Cardinality;
    readonly requestType: unknown;
    readonly replyType: unknown;
  };
  /** What is known of the method. */
  readonly method: MethodDescriptor;
}
