/**
 * What is known of a call and its method, from the beginning.
 *
 * @module
 */

import type { DescMethod } from "@bufbuild/protobuf";
import type { Cardinality } from "./cardinality.ts";
import type { Deadline } from "./deadline.ts";
import type { Peer } from "./peer.ts";

/** What is known of a method. */
export interface MethodDescriptor {
  /** The path, such as `/helloworld.Greeter/SayHello`. */
  readonly path: string;
  /** The kind of call. */
  readonly cardinality: Cardinality;
  /** The type of the requests, as the codec needs it. */
  readonly requestType: unknown;
  /** The type of the replies, as the codec needs it. */
  readonly replyType: unknown;
  /**
   * What the .proto file says of it, its options among that; `null` where that
   * is not known, as for a method without protobuf.
   */
  readonly descriptor: DescMethod | null;
}

/** What all events of one call share. */
export interface CallInfo {
  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  readonly methodName: string;
  /** The method, or `null` if it is one that the server does not have. */
  readonly method: MethodDescriptor | null;
  /** When the caller stops to wait, or `null` if it waits without limit. */
  readonly deadline: Deadline | null;
  /** The other side, or `null` while a client has no connection for the call. */
  readonly peer: Peer | null;
}
