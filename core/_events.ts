/**
 * The classes of events.
 *
 * @module
 */

import type { CallInfo } from "./_call_info.ts";
import type { CallSummary } from "./_call_trace.ts";
import type { Deadline } from "./deadline.ts";
import type { GRPCError } from "./errors.ts";
import type { Metadata } from "./metadata.ts";
import type { Peer } from "./peer.ts";
import type { Status } from "./status.ts";

/**
 * What all events have in common.
 *
 * Listeners are called one after another, in the order they were added, and
 * the call goes on when the last one is through. Later listeners see what
 * earlier ones changed.
 *
 * A listener that throws ends the call: with the status of a `GRPCError`, and
 * otherwise with `UNKNOWN`. The client is not told what a server's listener
 * threw; that goes to the server's `onError`.
 */
export abstract class Event {
  /**
   * The call: the same object for all events of one call, so that it can be the
   * key of what a listener keeps for it.
   */
  readonly call: CallInfo;

  /** The name of the event, such as `"SendRequest"`. */
  abstract readonly type: string;

  #interrupted = false;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo) {
    this.call = call;
  }

  /** The path of the method, such as `/helloworld.Greeter/SayHello`. */
  get methodName(): string {
    return this.call.methodName;
  }

  /** Whether {@linkcode interrupt} was called. */
  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Leaves out the listeners that would be called next for this event. */
  interrupt(): void {
    this.#interrupted = true;
  }
}

/**
 * A client is about to send a request: there is a connection, and nothing was
 * sent yet.
 *
 * @example Usage
 * ```ts
 * import { Channel, listen, SendRequest } from "@grpclib/grpclib";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _listener = listen(channel, SendRequest, (event) => {
 *   event.metadata.set("x-request-id", crypto.randomUUID());
 * });
 * ```
 */
export class SendRequest extends Event {
  /** The name of the event. */
  override readonly type: "SendRequest" = "SendRequest";
  /** The metadata that will be sent; it may be changed or replaced. */
  metadata: Metadata;
  /** The content type of the request. */
  readonly contentType: string;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, metadata: Metadata, contentType: string) {
    super(call);
    this.metadata = metadata;
    this.contentType = contentType;
  }

  /** When the call has to be complete, or `null` if it has no deadline. */
  get deadline(): Deadline | null {
    return this.call.deadline;
  }
}

/**
 * This side is about to encode and send a message.
 *
 * @example Usage
 * ```ts
 * import { Channel, listen, SendMessage } from "@grpclib/grpclib";
 *
 * let sent = 0;
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _listener = listen(channel, SendMessage, () => {
 *   sent++;
 * });
 * ```
 */
export class SendMessage extends Event {
  /** The name of the event. */
  override readonly type: "SendMessage" = "SendMessage";
  /** The message; it may be changed or replaced. */
  message: unknown;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, message: unknown) {
    super(call);
    this.message = message;
  }
}

/**
 * This side has received and decoded a message. It comes when the message does,
 * whether somebody waits for it or not.
 *
 * @example Usage
 * ```ts
 * import { listen, RecvMessage, Server } from "@grpclib/grpclib";
 *
 * await using server = new Server([]);
 * using _listener = listen(server, RecvMessage, (event) => {
 *   console.log(event.methodName, event.message);
 * });
 * ```
 */
export class RecvMessage extends Event {
  /** The name of the event. */
  override readonly type: "RecvMessage" = "RecvMessage";
  /**
   * The message; it may be changed or replaced, by a message: `null` and
   * `undefined` end the call, as a failure of the listener.
   */
  message: unknown;
  /** Whether the message came compressed. */
  readonly compressed: boolean;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, message: unknown, compressed: boolean) {
    super(call);
    this.message = message;
    this.compressed = compressed;
  }
}

/**
 * A client has received the initial metadata of a reply.
 *
 * @example Usage
 * ```ts
 * import { Channel, listen, RecvInitialMetadata } from "@grpclib/grpclib";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _listener = listen(channel, RecvInitialMetadata, (event) => {
 *   console.log(event.metadata.get("served-by"));
 * });
 * ```
 */
export class RecvInitialMetadata extends Event {
  /** The name of the event. */
  override readonly type: "RecvInitialMetadata" = "RecvInitialMetadata";
  /**
   * The metadata, empty when the reply has only trailers; it may be changed or
   * replaced.
   */
  metadata: Metadata;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, metadata: Metadata) {
    super(call);
    this.metadata = metadata;
  }
}

/**
 * A client has received the status and the trailing metadata of a reply. It
 * does not come for a call that ended in another way, such as by its deadline
 * or with its connection; {@linkcode CallEnd} comes for all.
 *
 * @example Usage
 * ```ts
 * import { Channel, listen, RecvTrailingMetadata, statusName } from "@grpclib/grpclib";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _listener = listen(channel, RecvTrailingMetadata, (event) => {
 *   console.log(event.methodName, statusName(event.status));
 * });
 * ```
 */
export class RecvTrailingMetadata extends Event {
  /** The name of the event. */
  override readonly type: "RecvTrailingMetadata" = "RecvTrailingMetadata";
  /** The metadata; it may be changed or replaced. */
  metadata: Metadata;
  /** The status. */
  readonly status: Status;
  /** The message that came with the status. */
  readonly statusMessage: string;

  #details: readonly unknown[] | (() => readonly unknown[]);

  /** @ignore Events come from calls. */
  constructor(
    call: CallInfo,
    metadata: Metadata,
    status: Status,
    statusMessage: string,
    details: () => readonly unknown[],
  ) {
    super(call);
    this.metadata = metadata;
    this.status = status;
    this.statusMessage = statusMessage;
    this.#details = details;
  }

  /** The details that came with the status, decoded; empty when there are none. */
  get statusDetails(): readonly unknown[] {
    const details = this.#details;
    if (typeof details !== "function") return details;
    return this.#details = details();
  }
}

/**
 * A client is about to make another attempt at a call, by its `retry` or
 * `hedging`. It does not come for what is sent again because no server has
 * looked at it.
 *
 * @example Usage
 * ```ts
 * import { Channel, listen, RetryCall } from "@grpclib/grpclib";
 *
 * await using channel = new Channel("127.0.0.1", 50051, { retry: true });
 * using _listener = listen(channel, RetryCall, (event) => {
 *   console.log(event.methodName, event.attempt, event.error?.message);
 * });
 * ```
 */
export class RetryCall extends Event {
  /** The name of the event. */
  override readonly type: "RetryCall" = "RetryCall";
  /** Which attempt it is: 2 for the second. */
  readonly attempt: number;
  /**
   * What the attempt before failed with, or `null` if it is still running, as
   * with `hedging`.
   */
  readonly error: GRPCError | null;
  /** How long the call has waited since, in milliseconds. */
  readonly delayMs: number;

  /** @ignore Events come from calls. */
  constructor(
    call: CallInfo,
    attempt: number,
    error: GRPCError | null,
    delayMs: number,
  ) {
    super(call);
    this.attempt = attempt;
    this.error = error;
    this.delayMs = delayMs;
  }
}

/**
 * Handles a call: takes the `ServerStream` of it, as a service's own method
 * does, and gives a promise of its end.
 */
// The streams of all methods pass here; which one it is only its method knows.
// deno-lint-ignore no-explicit-any
export type MethodFunc = (stream: any) => unknown;

/**
 * A server has received the head of a request. The handler starts when the
 * listeners are through; so this is where calls are let in or not.
 *
 * @example Usage
 * ```ts
 * import { GRPCError, listen, RecvRequest, Server, Status } from "@grpclib/grpclib";
 *
 * await using server = new Server([]);
 * using _listener = listen(server, RecvRequest, (event) => {
 *   if (event.metadata.get("authorization") !== "Bearer secret") {
 *     throw new GRPCError(Status.UNAUTHENTICATED, "Invalid token");
 *   }
 * });
 * ```
 */
export class RecvRequest extends Event {
  /** The name of the event. */
  override readonly type: "RecvRequest" = "RecvRequest";
  /** The metadata that came; it may be changed or replaced. */
  metadata: Metadata;
  /** What will handle the call; it may be replaced. */
  methodFunc: MethodFunc;
  /** The content type of the request. */
  readonly contentType: string;
  /** What the client calls itself, or `null` if it does not say. */
  readonly userAgent: string | null;
  /** The client. */
  readonly peer: Peer;

  /** @ignore Events come from calls. */
  constructor(
    call: CallInfo,
    metadata: Metadata,
    methodFunc: MethodFunc,
    contentType: string,
    userAgent: string | null,
    peer: Peer,
  ) {
    super(call);
    this.metadata = metadata;
    this.methodFunc = methodFunc;
    this.contentType = contentType;
    this.userAgent = userAgent;
    this.peer = peer;
  }

  /** When the client stops to wait, or `null` if it waits without limit. */
  get deadline(): Deadline | null {
    return this.call.deadline;
  }
}

/**
 * A server is about to send initial metadata. It does not come for a reply
 * that has only trailers.
 *
 * @example Usage
 * ```ts
 * import { listen, SendInitialMetadata, Server } from "@grpclib/grpclib";
 *
 * await using server = new Server([]);
 * using _listener = listen(server, SendInitialMetadata, (event) => {
 *   event.metadata.set("served-by", "host-7");
 * });
 * ```
 */
export class SendInitialMetadata extends Event {
  /** The name of the event. */
  override readonly type: "SendInitialMetadata" = "SendInitialMetadata";
  /** The metadata; it may be changed or replaced. */
  metadata: Metadata;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, metadata: Metadata) {
    super(call);
    this.metadata = metadata;
  }
}

/**
 * A server is about to send the status and the trailing metadata.
 *
 * @example Usage
 * ```ts
 * import { listen, SendTrailingMetadata, Server, statusName } from "@grpclib/grpclib";
 *
 * await using server = new Server([]);
 * using _listener = listen(server, SendTrailingMetadata, (event) => {
 *   console.log(event.methodName, statusName(event.status));
 * });
 * ```
 */
export class SendTrailingMetadata extends Event {
  /** The name of the event. */
  override readonly type: "SendTrailingMetadata" = "SendTrailingMetadata";
  /** The metadata; it may be changed or replaced. */
  metadata: Metadata;
  /** The status. */
  readonly status: Status;
  /** The message that goes with the status. */
  readonly statusMessage: string;
  /** The details that go with the status. */
  readonly statusDetails: readonly unknown[];

  /** @ignore Events come from calls. */
  constructor(
    call: CallInfo,
    metadata: Metadata,
    status: Status,
    statusMessage: string,
    statusDetails: readonly unknown[],
  ) {
    super(call);
    this.metadata = metadata;
    this.status = status;
    this.statusMessage = statusMessage;
    this.statusDetails = statusDetails;
  }
}

/**
 * A call is over, on either side: once for every call that began, whatever has
 * ended it. On a client a call begins when its request is to be sent, though
 * there may be no connection yet; on a server, when the head of the request has
 * come, also if that is refused for what it says.
 *
 * Nobody waits for listeners, and nothing can be changed: what they throw goes
 * to `onError` of a server, and is an unhandled rejection on a channel.
 *
 * @example Usage
 * ```ts
 * import { CallEnd, Channel, listen, statusName } from "@grpclib/grpclib";
 *
 * await using channel = new Channel("127.0.0.1", 50051);
 * using _listener = listen(channel, CallEnd, (event) => {
 *   const { methodName, status, durationMs, peer } = event;
 *   console.log(methodName, statusName(status), `${durationMs} ms`, `${peer}`);
 * });
 * ```
 */
export class CallEnd extends Event {
  /** The name of the event. */
  override readonly type: "CallEnd" = "CallEnd";
  /** The status. */
  readonly status: Status;
  /** The message that goes with the status; empty if there is none. */
  readonly statusMessage: string;
  /** The other side, or `null` for a call that had no connection. */
  readonly peer: Peer | null;
  /** How long the call took, in milliseconds. */
  readonly durationMs: number;
  /**
   * How often the request was sent: 0 for a call that had no connection, more
   * than 1 for one that was retried transparently. On a server it is 1.
   */
  readonly attempts: number;
  /** How many messages this side has sent. */
  readonly sentMessages: number;
  /** How many bytes these were, as they were sent: compressed, if they were. */
  readonly sentBytes: number;
  /** How many messages this side has received. */
  readonly receivedMessages: number;
  /** How many bytes these were, as they came. */
  readonly receivedBytes: number;

  readonly #summary: CallSummary;

  /** @ignore Events come from calls. */
  constructor(call: CallInfo, summary: CallSummary) {
    super(call);
    this.#summary = summary;
    this.status = summary.status;
    this.statusMessage = summary.message;
    this.peer = summary.peer;
    this.durationMs = summary.durationMs;
    this.attempts = summary.attempts;
    this.sentMessages = summary.sentMessages;
    this.sentBytes = summary.sentBytes;
    this.receivedMessages = summary.receivedMessages;
    this.receivedBytes = summary.receivedBytes;
  }

  /** The details that go with the status; empty when there are none. */
  get statusDetails(): readonly unknown[] {
    return this.#summary.details;
  }
}
