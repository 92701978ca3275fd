/**
 * What a client call is made of: the channel, the method, the caller's wishes.
 *
 * @module
 */

import type { AttemptPolicy } from "./call_policy.ts";
import type { Cardinality } from "../../core/cardinality.ts";
import type { CallCounts } from "../../core/_figures.ts";
import type { Codec } from "../../core/codec.ts";
import type { Configuration } from "../../core/config.ts";
import type { Deadline } from "../../core/deadline.ts";
import type { ClientEvent, MethodDescriptor } from "../../core/events.ts";
import type { Listeners } from "../../core/_listeners.ts";
import type { Metadata } from "../../core/metadata.ts";
import type { StatusDetailsCodec } from "../../core/status_details.ts";
import type { Compressor } from "../../_wire/compression.ts";
import type { FrameWriter } from "../../_wire/frame.ts";
import type { HeadTemplate } from "../../_wire/headers.ts";
import type { StreamSource } from "../byte_stream.ts";
import type { DeadlineQueue } from "../deadline_queue.ts";
import type { MethodPolicies } from "./method_policies.ts";
import type { Cancellation } from "../cancellation.ts";
import type { Propagation } from "../parent.ts";
import type { ReplyReader } from "./reply_reader.ts";
import type { RetryState } from "./retry_state.ts";

/** What a channel gives to its calls. */
export interface ClientHost {
  readonly source: StreamSource;
  readonly codec: Codec;
  readonly config: Configuration;
  readonly writer: FrameWriter;
  readonly statusDetailsCodec: StatusDetailsCodec | null;
  /** What may decompress replies, by the name of the encoding. */
  readonly compressors: ReadonlyMap<string, Compressor>;
  /** What compresses requests, unless a call says otherwise. */
  readonly compressor: Compressor | null;
  readonly listeners: Listeners<ClientEvent>;
  /** Where calls wait for their deadlines. */
  readonly deadlines: DeadlineQueue;
  /** How many calls there were. */
  readonly callCounts: CallCounts;
  /** What it has for the calls of its methods. */
  readonly policies: MethodPolicies;
  /** What its calls share that make several attempts. */
  readonly retries: RetryState;
  /** What calls take over from those that they are made for. */
  readonly propagation: Propagation;
  /** What the heads of the calls of a method have in common. */
  headOf(path: string): HeadTemplate;
}

/** The method that is called, as this channel calls it. */
export interface ClientMethod {
  readonly host: ClientHost;
  readonly head: HeadTemplate;
  readonly requestType: unknown;
  readonly replyType: unknown;
  readonly cardinality: Cardinality;
  /** The same, and more, for who observes its calls. */
  readonly descriptor: MethodDescriptor;
  /** Reads what comes back. */
  readonly replies: ReplyReader;
}

/** The caller's wishes for one call, checked. */
export interface ClientCallOptions {
  readonly metadata: Metadata | null;
  readonly deadline: Deadline | undefined;
  /** How many milliseconds were left of it when it was made, if that is known. */
  readonly timeLeftMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  /** What ends the call that this one is made for, if it is to end with that. */
  readonly parent: Cancellation | null;
  readonly waitForReady: boolean;
  readonly maxReceiveMessageSize: number;
  readonly maxSendMessageSize: number;
  readonly compressor: Compressor | null;
  /** How many attempts the call makes, and when; null for one. */
  readonly attempts: AttemptPolicy | null;
  /**
   * What has to let the head go, in place of who makes the call: it is given
   * what sends it, with other metadata perhaps.
   */
  readonly gate?: (send: (metadata: Metadata | null) => void) => void;
}
