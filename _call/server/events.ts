/**
 * The events of a server's call, for whoever listens. A call that nobody
 * listens to has none of this.
 *
 * @module
 */

import type { GRPCError } from "../../core/errors.ts";
import {
  type CallInfo,
  type MethodFunc,
  RecvMessage,
  RecvRequest,
  SendInitialMetadata,
  SendMessage,
  SendTrailingMetadata,
  type ServerEvent,
} from "../../core/events.ts";
import type { Audience, Callback } from "../../core/_listeners.ts";
import { Metadata } from "../../core/metadata.ts";
import { type Context, currentContext, noContext } from "../../_context.ts";
import type { Outcome } from "../../_wire/outcome.ts";
import { copyMetadata } from "./outcome.ts";
import { messageOf, tell } from "../events.ts";
import type { RequestStart } from "./host.ts";
import { after, type Step, StepQueue } from "../step_queue.ts";

/** What has come already. */
const NOW = Promise.resolve();

/** A call that has events. */
export interface ServerEventsOwner {
  /** Why the call ended before its time, if it did. */
  readonly aborted: GRPCError | undefined;
  /** The metadata that came with the request. */
  readonly metadata: Metadata;
  /**
   * The listeners are through with the request.
   *
   * @param metadata What they made of it; null if none has seen it.
   * @param methodFunc What handles the call.
   */
  acceptRequest(metadata: Metadata | null, methodFunc: MethodFunc): void;
  /** A listener failed, or a message is bad: the call has to end with this. */
  onEventError(error: GRPCError): void;
  /** Stops the flow of bytes while listeners are at work. */
  pause(): void;
  /** Lets them flow again. */
  resume(): void;
}

/** A message that has come, and that listeners are to see. */
export interface MessageArrival {
  /** Whether it came compressed. */
  readonly compressed: boolean;
  /** Waits until it may be decoded. */
  whenRoom(): void | Promise<void>;
  /** Decodes it. */
  decode(): unknown;
}

/** What has come while the listeners are still to be told of the request. */
interface LateStep {
  readonly step: Step;
  /** Whether it is about something that has listeners too. */
  readonly isHeard: boolean;
}

/**
 * Tells the events of one call. An event that nobody listens for is not made,
 * and what it would be about goes on at once, if no listener of what came
 * before is still at work.
 */
export class ServerEvents {
  /** Whether somebody listens for the messages that come. */
  readonly hearsMessages: boolean;
  /** Whether somebody listens for anything that is sent. */
  readonly hearsReplies: boolean;
  /**
   * Whether this is a task of the call alone, in a context that is nobody's, and
   * what is done now is the last of it.
   */
  isAlone = false;
  #outgoing: StepQueue | null = null;
  /** What came in, in order, behind listeners that take their time. */
  #incoming: StepQueue | null = null;
  /** Whether the listeners are still to be told of the request, */
  #isTelling = false;
  /** and what has come meanwhile. */
  #behindRequest: LateStep[] | null = null;
  readonly #owner: ServerEventsOwner;
  readonly #audience: Audience<ServerEvent>;
  readonly #start: RequestStart;
  readonly #info: CallInfo;
  /** Whose context listeners run in: nobody's, and then the handler's. */
  #context: Context = noContext;

  constructor(
    owner: ServerEventsOwner,
    audience: Audience<ServerEvent>,
    start: RequestStart,
  ) {
    this.#owner = owner;
    this.#audience = audience;
    this.#start = start;
    this.#info = start.info;
    this.hearsMessages = audience.has(RecvMessage);
    this.hearsReplies = audience.has(SendInitialMetadata) ||
      audience.has(SendMessage) || audience.has(SendTrailingMetadata);
  }

  /** What is sent, in order, behind listeners that take their time. */
  get outgoing(): StepQueue {
    return this.#outgoing ??= new StepQueue();
  }

  /** A request has come: the owner accepts what listeners make of it. */
  recvRequest(): void {
    const methodFunc: MethodFunc = (stream) => this.#handle(stream);
    const listeners = this.#audience.get(RecvRequest);
    if (listeners === undefined) {
      return this.#owner.acceptRequest(null, methodFunc);
    }
    const { request: { head }, peer } = this.#start;
    const event = new RecvRequest(
      this.#info,
      this.#owner.metadata,
      methodFunc,
      head.contentType!,
      head.userAgent,
      peer,
    );
    this.#isTelling = true;
    this.#tellSoon(listeners, event);
  }

  #handle(stream: Parameters<MethodFunc>[0]): ReturnType<MethodFunc> {
    const { handler, record } = this.#start;
    // The context of the handler is that of the call from now on. It takes time
    // to keep it: only for who runs in it.
    if (this.hearsMessages || this.hearsReplies) {
      this.#context = currentContext();
    }
    record?.handling();
    return handler.handle(stream);
  }

  /**
   * In a microtask what a listener enters of asynchronous contexts is kept from
   * all that comes behind, which takes a tenth of the time that it takes to
   * enter a context and to leave it.
   */
  #tellSoon(listeners: readonly Callback[], event: RecvRequest): void {
    NOW.then(() => this.#tellRequest(listeners, event));
    NOW.then(() => this.#goOn());
  }

  #tellRequest(listeners: readonly Callback[], event: RecvRequest): void {
    const owner = this.#owner;
    if (owner.aborted !== undefined) return;
    let wait: void | Promise<void>;
    try {
      wait = tell(listeners, event);
    } catch (error) {
      return owner.onEventError(error as GRPCError);
    }
    if (wait !== undefined) return this.#awaitRequest(wait, event);
    owner.acceptRequest(event.metadata, event.methodFunc);
  }

  // What has a function in it is apart from what has none, here and below: V8
  // makes memory for what such a function needs wherever the one around it is
  // called.

  #awaitRequest(wait: Promise<void>, event: RecvRequest): void {
    const owner = this.#owner;
    this.#wait(
      (this.#incoming ??= new StepQueue()).run(() =>
        wait.then(() => {
          if (owner.aborted !== undefined) return;
          owner.acceptRequest(event.metadata, event.methodFunc);
        }).catch((error) => owner.onEventError(error as GRPCError))
      ),
    );
  }

  /** The listeners know of the request: takes up what came meanwhile. */
  #goOn(): void {
    const steps = this.#behindRequest;
    this.#isTelling = false;
    this.#behindRequest = null;
    if (steps === null) return;
    const last = steps.length - 1;
    for (let i = 0; i <= last; i++) {
      const { step, isHeard } = steps[i]!;
      this.isAlone = i === last;
      if (isHeard) this.#receive(step);
      else this.behind(step);
    }
    this.isAlone = false;
  }

  #putBehind(step: Step, isHeard: boolean): void {
    const late: LateStep = { step, isHeard };
    // Most have one, and an array that grows has room for seventeen.
    if (this.#behindRequest === null) this.#behindRequest = [late];
    else this.#behindRequest.push(late);
  }

  /**
   * A message has come: gives the one that is received to `next`, or nothing if
   * no listener wants to see it.
   *
   * @param arrival The message.
   * @param next Told what it is.
   */
  recvMessage(
    arrival: MessageArrival,
    next: (message: unknown) => void,
  ): void {
    const listeners = this.#audience.get(RecvMessage);
    if (listeners === undefined) return this.behind(() => next(undefined));
    this.#receive(() =>
      after(arrival.whenRoom(), () => {
        if (this.#owner.aborted !== undefined) return;
        const { compressed } = arrival;
        const event = new RecvMessage(this.#info, arrival.decode(), compressed);
        return after(tell(listeners, event), () => {
          if (this.#owner.aborted === undefined) next(messageOf(event));
        });
      })
    );
  }

  /** The initial metadata is to be sent: gives what is sent to `next`. */
  sendInitialMetadata(
    metadata: Metadata | null,
    next: (metadata: Metadata | null) => void | Promise<void>,
  ): void | Promise<void> {
    const listeners = this.#audience.get(SendInitialMetadata);
    if (listeners === undefined) return next(metadata);
    const event = new SendInitialMetadata(
      this.#info,
      metadata ?? new Metadata(),
    );
    return this.#send(listeners, event, () => next(event.metadata));
  }

  /** A message is to be encoded: gives the one that is sent to `next`. */
  sendMessage(
    message: unknown,
    next: (message: unknown) => void | Promise<void>,
  ): void | Promise<void> {
    const listeners = this.#audience.get(SendMessage);
    if (listeners === undefined) return next(message);
    const event = new SendMessage(this.#info, message);
    return this.#send(listeners, event, () => next(event.message));
  }

  /** The status is to be sent: gives the metadata that goes with it to `next`. */
  sendTrailingMetadata(
    outcome: Outcome,
    next: (metadata: Metadata | null) => void,
  ): void | Promise<void> {
    const listeners = this.#audience.get(SendTrailingMetadata);
    if (listeners === undefined) return next(outcome.metadata);
    const event = new SendTrailingMetadata(
      this.#info,
      // A copy: it may be that of an error which is thrown again.
      copyMetadata(outcome.metadata),
      outcome.status,
      outcome.message,
      outcome.details,
    );
    return this.#context(() =>
      after(tell(listeners, event), () => next(event.metadata))
    );
  }

  /**
   * Takes a step when the listeners of what came before are through. What it
   * throws then ends the call.
   */
  behind(step: () => void): void {
    if (this.#isTelling) this.#putBehind(step, false);
    else if (!this.isFree) this.#receive(step);
    else if (this.#owner.aborted === undefined) step();
  }

  /** Whether what comes has nobody to wait for. */
  get isFree(): boolean {
    return !this.#isTelling &&
      (this.#incoming === null || this.#incoming.tail === null);
  }

  #receive(step: Step): void {
    if (this.#isTelling) this.#putBehind(step, true);
    else this.#receiveNow(step);
  }

  #receiveNow(step: Step): void {
    const incoming = this.#incoming ??= new StepQueue();
    this.#wait(incoming.run(() => this.#guard(step)));
  }

  /** Stops the flow of bytes until listeners are through. */
  #wait(wait: void | Promise<void>): void {
    if (wait === undefined) return;
    this.#owner.pause();
    wait.then(() => this.#owner.resume());
  }

  /** Tells of something that is sent. A listener that fails ends the call. */
  #send(
    listeners: readonly Callback[],
    event: ServerEvent,
    next: Step,
  ): void | Promise<void> {
    return this.#context(() => this.#sendWatched(listeners, event, next));
  }

  #sendWatched(
    listeners: readonly Callback[],
    event: ServerEvent,
    next: Step,
  ): void | Promise<void> {
    let wait: void | Promise<void>;
    try {
      wait = tell(listeners, event);
    } catch (error) {
      this.#owner.onEventError(error as GRPCError);
      throw error;
    }
    if (wait === undefined) return next();
    return wait.catch((error) => {
      this.#owner.onEventError(error as GRPCError);
      throw error;
    }).then(() => {
      if (this.#owner.aborted !== undefined) throw this.#owner.aborted;
      return next();
    });
  }

  #guard(step: Step): void | Promise<void> {
    if (this.#owner.aborted !== undefined) return;
    try {
      return this.#context(step)?.catch((error) =>
        this.#owner.onEventError(error as GRPCError)
      );
    } catch (error) {
      this.#owner.onEventError(error as GRPCError);
    }
  }
}
