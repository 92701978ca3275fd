/**
 * The server, as its calls see it.
 *
 * @module
 */

import type { CallCounts } from "../../core/_figures.ts";
import type { Configuration } from "../../core/config.ts";
import type { Deadline } from "../../core/deadline.ts";
import type { CallInfo, MethodFunc, ServerEvent } from "../../core/events.ts";
import type { Listeners } from "../../core/_listeners.ts";
import type { Peer } from "../../core/peer.ts";
import type { CallRecord } from "../call_record.ts";
import type { StatusDetailsCodec } from "../../core/status_details.ts";
import type { Compressor } from "../../_wire/compression.ts";
import type { FrameWriter } from "../../_wire/frame.ts";
import type { RawHeaders } from "../../_wire/headers.ts";
import type { DeadlineQueue } from "../deadline_queue.ts";
import type { GoodHead } from "./read_head.ts";
import type { ServerCodec } from "./codecs.ts";

/** What tells one call from another, for people. */
export interface CallIdentity {
  /** The path of the method. */
  readonly methodName: string;
  /** The client. */
  readonly peer: Peer;
}

/**
 * Why a server has refused a call, or ended one: `"calls"`, too many run;
 * `"memory"`, too much is held; `"delay"`, the event loop is late; `"time"`, the
 * client does not go on with its request.
 */
export type RefusalReason = "calls" | "memory" | "delay" | "time";

/** What a server gives to its calls. */
export interface ServerHost {
  readonly codecs: readonly ServerCodec[];
  readonly config: Configuration;
  readonly writer: FrameWriter;
  readonly statusDetailsCodec: StatusDetailsCodec | null;
  /** What may decompress requests, by the name of the encoding. */
  readonly compressors: ReadonlyMap<string, Compressor>;
  /** What compresses replies, unless a handler says otherwise. */
  readonly compressor: Compressor | null;
  /** The names of all encodings that may be received. */
  readonly acceptEncoding: string;
  readonly listeners: Listeners<ServerEvent>;
  /** Where calls wait for their deadlines. */
  readonly deadlines: DeadlineQueue;
  /** How many calls there were, refused ones included. */
  readonly callCounts: CallCounts;
  /** A call was refused, or ended, to protect the server. */
  onRefused(reason: RefusalReason, call: CallIdentity): void;
  /** A handler or listener failed with something other than a status. */
  onHandlerError(error: unknown, call: CallIdentity): void;
}

/** What a call has to know of the request that began it. */
export interface RequestStart {
  /** What its head says. */
  readonly request: GoodHead;
  /** The head as it came. */
  readonly headers: RawHeaders;
  readonly deadline: Deadline | null;
  readonly peer: Peer;
  /** What those are told of it who listen or observe. */
  readonly info: CallInfo;
  /** What is counted of it; null if nobody observes it. */
  readonly record: CallRecord | null;
  /** What handles it, with all that goes around that. */
  readonly handler: { readonly handle: MethodFunc };
}

/** Whom calls tell about themselves. */
export interface ServerCallOwner<Call> {
  /**
   * The handler should start, as soon as the server has room for it.
   *
   * @param isAlone Whether this is a task of the call alone, in a context that
   *   is nobody's, with nothing behind.
   */
  onArrival(call: Call, isAlone: boolean): void;
  /** The handler may start. Called once at most. */
  onReady(call: Call): void;
  /** The call ended before its time. */
  onAbort(call: Call): void;
}
