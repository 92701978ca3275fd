/**
 * The call that another is made for, and what goes along from the one to the
 * other.
 *
 * A call that a handler serves is the parent of those that the handler makes, if
 * they name it, or if the server and their channel have `propagation`. It knows
 * its children by a set that each is in as long as it runs, so that it needs no
 * signal.
 *
 * @module
 */

import {
  checkBoolean,
  checkOptions,
  isRecord,
  wrongType,
} from "../core/_options.ts";
import type { OptionNames } from "../core/_options.ts";
import { checkKey, faultOfValue } from "../core/_metadata_rules.ts";
import type { Deadline } from "../core/deadline.ts";
import type { Metadata, MetadataValue } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { type ContextVariable, contextVariable } from "../_context.ts";
import type { Cancellation } from "./cancellation.ts";

/**
 * A call that a handler serves, as those see it that are made for it. A
 * `ServerStream` is one, and nothing else.
 */
export interface ParentCall {
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly methodName: string;
  /** When the client stops to wait, or `null` if it waits without limit. */
  readonly deadline: Deadline | null;
  /** The metadata that came with the request. */
  readonly metadata: Metadata;
  /** The client. */
  readonly peer: Peer;
  /** Aborted when the call ends before its time. */
  readonly signal: AbortSignal;
}

/** What calls take over from the call that they are made for. */
export interface PropagationOptions {
  /**
   * Whether its deadline is theirs too, where they have no earlier one.
   *
   * @default {true}
   */
  readonly deadline?: boolean;
  /**
   * Whether they end when it does, before its time.
   *
   * @default {true}
   */
  readonly cancellation?: boolean;
  /**
   * The keys of the metadata that they send on, where they have no value for
   * such a key themselves. Name only what every server that is called may see:
   * `authorization` is for the one that it was sent to.
   *
   * @default {[]}
   */
  readonly metadata?: readonly string[];
}

const PROPAGATION_OPTIONS: OptionNames<PropagationOptions> = {
  deadline: true,
  cancellation: true,
  metadata: true,
};

/** The same, checked and complete. */
export interface Propagation extends Required<PropagationOptions> {
  /** Whether that goes for calls that name no parent, too. */
  readonly isAutomatic: boolean;
}

/**
 * Reads the option `propagation` of a channel.
 *
 * @param action What was attempted, such as `Cannot create channel`.
 * @param value The option.
 * @returns What goes along, and for which calls.
 * @throws {TypeError} If it is of a wrong type, or a key must not be sent.
 */
export function propagationOf(
  action: string,
  value: boolean | PropagationOptions = false,
): Propagation {
  const options = typeof value === "boolean" ? {} : value;
  if (!isRecord(options)) {
    const need = "true, false or an object";
    throw wrongType(action, "propagation", need, value);
  }
  checkOptions(action, options, PROPAGATION_OPTIONS, "propagation.");
  const { deadline = true, cancellation = true, metadata = [] } = options;
  checkBoolean(action, "propagation.deadline", deadline);
  checkBoolean(action, "propagation.cancellation", cancellation);
  if (!Array.isArray(metadata)) {
    throw wrongType(action, "propagation.metadata", "an array", metadata);
  }
  for (const key of metadata) checkKey("propagate", key);
  return {
    isAutomatic: value !== false,
    deadline,
    cancellation,
    metadata: [...metadata],
  };
}

/**
 * The call whose handler runs here, on servers with `propagation`; null where
 * somebody has left it on purpose.
 */
export const currentParent: ContextVariable<ParentCall | null> =
  contextVariable();

/** Gives what ends a call that is served; null for anything else. */
type ParentReader = (parent: object) => Cancellation | null;

/** A program that serves no calls has none that others are made for. */
let readParent: ParentReader = () => null;

/** Says how to find what ends a call that is served. */
export function setParentReader(reader: ParentReader): void {
  readParent = reader;
}

/** Gives what ends a call that others are made for; null if it is no such call. */
export function cancellationOf(parent: ParentCall): Cancellation | null {
  return typeof parent === "object" ? readParent(parent) : null;
}

/** The values of received metadata that may be sent on. */
export function faultlessValues(
  metadata: Metadata,
  key: string,
): readonly MetadataValue[] {
  return metadata.getAll(key).filter((value) =>
    faultOfValue(key, value) === null
  );
}
