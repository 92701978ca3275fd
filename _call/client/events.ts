/**
 * The events of a client's call, for whoever listens. A call that nobody
 * listens to has none of this.
 *
 * @module
 */

import type { Deadline } from "../../core/deadline.ts";
import type { GRPCError } from "../../core/errors.ts";
import {
  type CallInfo,
  type ClientEvent,
  type MethodDescriptor,
  RecvInitialMetadata,
  RecvMessage,
  RecvTrailingMetadata,
  RetryCall,
  SendMessage,
  SendRequest,
} from "../../core/events.ts";
import type { Audience, Callback } from "../../core/_listeners.ts";
import { Metadata } from "../../core/metadata.ts";
import type { Peer } from "../../core/peer.ts";
import type { Context } from "../../_context.ts";
import { decodeMetadata, type RawHeaders } from "../../_wire/headers.ts";
import type { ReceivedOutcome } from "../../_wire/outcome.ts";
import type { NextAttempt } from "./attempts.ts";
import { messageOf, tell } from "../events.ts";
import { after, type Step, StepQueue } from "../step_queue.ts";

/** A call that has events: what is done when the listeners are through. */
export interface ClientEventsOwner {
  /** What the events say of it. */
  readonly info: CallInfo;
  readonly finished: boolean;
  /** Whose context listeners run in; absent while it is that of the moment. */
  readonly context?: Context;
  cancel(error: Error): void;
  decodeDetails(outcome: ReceivedOutcome): readonly unknown[];
  /** @param metadata What listeners made of it; null if none has seen it. */
  acceptHead(raw: RawHeaders, metadata: Metadata | null): void;
  whenRoom(bytes: Uint8Array, compressed: boolean): void | Promise<void>;
  plainOf(bytes: Uint8Array, compressed: boolean): Uint8Array;
  decodePlain(plain: Uint8Array): unknown;
  /**
   * @param message What listeners made of it, if they have seen it.
   * @param plainBytes How many bytes it was decoded from, then.
   */
  acceptMessage(
    bytes: Uint8Array,
    compressed: boolean,
    message?: unknown,
    plainBytes?: number,
  ): void;
  /** @param metadata What listeners made of it; null if none has seen it. */
  acceptOutcome(
    raw: RawHeaders,
    outcome: ReceivedOutcome,
    metadata: Metadata | null,
  ): void;
  /** Stops the flow of bytes while listeners are at work. */
  pause(): void;
  /** Lets them flow again. */
  resume(): void;
}

/** What sends a request, when the listeners are through with it. */
export interface RequestOpener {
  /** @param metadata What is sent with it. */
  acceptRequest(metadata: Metadata | null): void;
}

/** What has come already. */
const NOW = Promise.resolve();

/** What the events of a call say of it. */
export class ClientCallInfo implements CallInfo {
  readonly methodName: string;
  readonly method: MethodDescriptor;
  readonly deadline: Deadline | null;
  readonly #owner: { readonly peer: Peer | null };

  constructor(
    owner: { readonly peer: Peer | null },
    method: MethodDescriptor,
    deadline: Deadline | undefined,
  ) {
    this.#owner = owner;
    this.methodName = method.path;
    this.method = method;
    this.deadline = deadline ?? null;
  }

  get peer(): Peer | null {
    return this.#owner.peer;
  }
}

/**
 * Tells the events of one call. An event that nobody listens for is not made,
 * and what it would be about goes on at once, if no listener of what came
 * before is still at work.
 */
export class ClientEvents {
  /** Whether somebody listens for what is sent. */
  readonly hearsMessages: boolean;
  /** Whether somebody listens for anything that comes behind the request. */
  readonly hearsMore: boolean;
  #outgoing: StepQueue | null = null;
  /** What came in, in order, behind listeners that take their time. */
  #incoming: StepQueue | null = null;
  readonly #owner: ClientEventsOwner;
  readonly #audience: Audience<ClientEvent>;
  readonly #info: CallInfo;

  constructor(
    owner: ClientEventsOwner,
    audience: Audience<ClientEvent>,
  ) {
    this.#owner = owner;
    this.#audience = audience;
    this.#info = owner.info;
    this.hearsMessages = audience.has(SendMessage);
    this.hearsMore = audience.size > 1 || !audience.has(SendRequest);
  }

  /** What is sent, in order, behind listeners that take their time. */
  get outgoing(): StepQueue {
    return this.#outgoing ??= new StepQueue();
  }

  /** The request can be sent: gives its metadata to `opener`. */
  sendRequest(
    metadata: Metadata | null,
    contentType: string,
    opener: RequestOpener,
  ): void {
    const listeners = this.#audience.get(SendRequest);
    if (listeners === undefined) return opener.acceptRequest(metadata);
    const event = new SendRequest(
      this.#info,
      metadata ?? new Metadata(),
      contentType,
    );
    this.#tellSoon(listeners, event, opener);
  }

  #tellSoon(
    listeners: readonly Callback[],
    event: SendRequest,
    opener: RequestOpener,
  ): void {
    const step = (): void => this.#tellRequest(listeners, event, opener);
    const { context } = this.#owner;
    if (context !== undefined) return context(step);
    // This is the context of the call. A microtask keeps what a listener enters
    // there from the caller, and takes a tenth of the time that it takes to keep
    // a context and to enter it.
    NOW.then(step);
  }

  #tellRequest(
    listeners: readonly Callback[],
    event: SendRequest,
    opener: RequestOpener,
  ): void {
    const owner = this.#owner;
    if (owner.finished) return;
    let wait: void | Promise<void>;
    try {
      wait = tell(listeners, event);
    } catch (error) {
      return owner.cancel(error as GRPCError);
    }
    if (wait !== undefined) this.#awaitRequest(wait, event, opener);
    else if (!owner.finished) opener.acceptRequest(event.metadata);
  }

  // What has a function in it is apart from what has none, here and below: V8
  // makes memory for what such a function needs wherever the one around it is
  // called.

  #awaitRequest(
    wait: Promise<void>,
    event: SendRequest,
    opener: RequestOpener,
  ): void {
    const owner = this.#owner;
    wait.catch((error) => owner.cancel(error as GRPCError)).then(() => {
      if (!owner.finished) opener.acceptRequest(event.metadata);
    });
  }

  /** A message is to be encoded: gives the one that is sent to `next`. */
  sendMessage(
    message: unknown,
    next: (message: unknown) => void | Promise<void>,
  ): void | Promise<void> {
    const listeners = this.#audience.get(SendMessage);
    if (listeners === undefined) return next(message);
    const event = new SendMessage(this.#info, message);
    return this.#within(() =>
      after(tell(listeners, event), () => next(event.message))
    );
  }

  /** Another attempt is to be made: calls `next` then. */
  retryCall(describe: () => NextAttempt, next: () => void): void {
    const listeners = this.#audience.get(RetryCall);
    if (listeners === undefined) return next();
    const { attempt, error, delayMs } = describe();
    const event = new RetryCall(this.#info, attempt, error, delayMs);
    this.#guard(() => after(tell(listeners, event), next));
  }

  /** Whether what comes has nobody to wait for. */
  get #isFree(): boolean {
    return this.#incoming === null || this.#incoming.tail === null;
  }

  onHead(raw: RawHeaders): void {
    const listeners = this.#audience.get(RecvInitialMetadata);
    if (listeners !== undefined || !this.#isFree) {
      this.#hearHead(listeners, raw);
    } else if (!this.#owner.finished) this.#owner.acceptHead(raw, null);
  }

  #hearHead(
    listeners: readonly Callback[] | undefined,
    raw: RawHeaders,
  ): void {
    const owner = this.#owner;
    this.#receive(() => {
      if (listeners === undefined) return owner.acceptHead(raw, null);
      const metadata = decodeMetadata(raw);
      const event = new RecvInitialMetadata(this.#info, metadata);
      return after(tell(listeners, event), () => {
        if (!owner.finished) owner.acceptHead(raw, event.metadata);
      });
    });
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    const owner = this.#owner;
    const listeners = this.#audience.get(RecvMessage);
    if (listeners !== undefined || !this.#isFree) {
      this.#hearMessage(listeners, bytes, compressed);
    } else if (!owner.finished) owner.acceptMessage(bytes, compressed);
  }

  #hearMessage(
    listeners: readonly Callback[] | undefined,
    bytes: Uint8Array,
    compressed: boolean,
  ): void {
    const owner = this.#owner;
    this.#receive(() => {
      if (listeners === undefined) {
        return owner.acceptMessage(bytes, compressed);
      }
      return after(owner.whenRoom(bytes, compressed), () => {
        if (owner.finished) return;
        const plain = owner.plainOf(bytes, compressed);
        const message = owner.decodePlain(plain);
        const event = new RecvMessage(this.#info, message, compressed);
        return after(tell(listeners, event), () => {
          if (owner.finished) return;
          const { length } = plain;
          owner.acceptMessage(bytes, compressed, messageOf(event), length);
        });
      });
    });
  }

  /** @param trailersOnly Whether there was no head before. */
  onOutcome(
    raw: RawHeaders,
    outcome: ReceivedOutcome,
    trailersOnly: boolean,
  ): void {
    if (trailersOnly) this.#hearNoHead();
    const listeners = this.#audience.get(RecvTrailingMetadata);
    if (listeners !== undefined || !this.#isFree) {
      this.#hearOutcome(listeners, raw, outcome);
    } else if (!this.#owner.finished) {
      this.#owner.acceptOutcome(raw, outcome, null);
    }
  }

  #hearNoHead(): void {
    const listeners = this.#audience.get(RecvInitialMetadata);
    if (listeners === undefined) return;
    const event = new RecvInitialMetadata(this.#info, new Metadata());
    this.#receive(() => tell(listeners, event));
  }

  #hearOutcome(
    listeners: readonly Callback[] | undefined,
    raw: RawHeaders,
    outcome: ReceivedOutcome,
  ): void {
    const owner = this.#owner;
    this.#receive(() => {
      if (listeners === undefined) {
        return owner.acceptOutcome(raw, outcome, null);
      }
      const event = new RecvTrailingMetadata(
        this.#info,
        decodeMetadata(raw),
        outcome.status,
        outcome.message,
        () => owner.decodeDetails(outcome),
      );
      return after(tell(listeners, event), () => {
        if (owner.finished) return;
        owner.acceptOutcome(raw, outcome, event.metadata);
      });
    });
  }

  /** Does something when the listeners of what came before are through. */
  behind(step: () => void): void {
    if (!this.#isFree) this.#receive(step);
    else if (!this.#owner.finished) step();
  }

  #receive(step: Step): void {
    const incoming = this.#incoming ??= new StepQueue();
    const wait = incoming.run(() => this.#guard(step));
    if (wait === undefined) return;
    this.#owner.pause();
    wait.then(() => this.#owner.resume());
  }

  /** Runs a step of a call that is not over; what it throws ends the call. */
  #guard(step: Step): void | Promise<void> {
    if (this.#owner.finished) return;
    try {
      return this.#within(step)?.catch((error) =>
        this.#owner.cancel(error as GRPCError)
      );
    } catch (error) {
      this.#owner.cancel(error as GRPCError);
    }
  }

  /** Runs a step in the context of the call. */
  #within(step: Step): void | Promise<void> {
    const { context } = this.#owner;
    return context === undefined ? step() : context(step);
  }
}
