/**
 * The events of a server's call, for whoever listens. A call that nobody
 * listens to has none of this.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";
import {
  type CallInfo,
  type MethodFunc,
  RecvMessage,
  RecvRequest,
  SendInitialMetadata,
  SendMessage,
  SendTrailingMetadata,
  type ServerEvent,
} from "../core/events.ts";
import type { Listeners } from "../core/_listeners.ts";
import { Metadata } from "../core/metadata.ts";
import { type Context, currentContext, noContext } from "../_context.ts";
import type { RequestHead } from "../_wire/headers.ts";
import type { Ending } from "./ending.ts";
import { copyMetadata } from "./join_metadata.ts";
import { messageOf, tell } from "./listener_failure.ts";
import type { RequestStart } from "./server_host.ts";
import { after, Serial, type Step } from "./serial.ts";

/** A call that has events. */
export interface ServerEventsOwner {
  /** Why the call ended before its time, if it did. */
  readonly aborted: GRPCError | undefined;
  /** A listener failed, or a message is bad: the call has to end with this. */
  onEventError(error: GRPCError): void;
  /** Stops the flow of bytes while listeners are at work. */
  pause(): void;
  /** Lets them flow again. */
  resume(): void;
}

/** Tells the events of one call. */
export class ServerEvents {
  /** What is sent, in order, behind listeners that take their time. */
  readonly departures: Serial = new Serial();
  /** What came in, likewise. */
  readonly #arrivals = new Serial();
  readonly #owner: ServerEventsOwner;
  readonly #listeners: Listeners<ServerEvent>;
  readonly #info: CallInfo;
  /** Whose context listeners run in: nobody's, and then the handler's. */
  #context: Context = noContext;

  constructor(
    owner: ServerEventsOwner,
    listeners: Listeners<ServerEvent>,
    start: RequestStart,
  ) {
    this.#owner = owner;
    this.#listeners = listeners;
    const { request: { route: { path: methodName } }, deadline, peer } = start;
    this.#info = { methodName, deadline, peer };
  }

  /** A request has come: gives its metadata and its handler to `next`. */
  recvRequest(
    head: RequestHead,
    metadata: Metadata,
    methodFunc: MethodFunc,
    next: (metadata: Metadata, methodFunc: MethodFunc) => void,
  ): void {
    const event = new RecvRequest(
      this.#info,
      metadata,
      (stream) => {
        // The context of the handler is that of the call from now on.
        this.#context = currentContext();
        return methodFunc(stream);
      },
      head.contentType!,
      head.userAgent,
      this.#info.peer!,
    );
    this.behind(() =>
      after(tell(this.#listeners, event), () => {
        if (this.#owner.aborted !== undefined) return;
        next(event.metadata, event.methodFunc);
      })
    );
  }

  /** A message was decoded: gives the one that is received to `next`. */
  recvMessage(
    message: unknown,
    compressed: boolean,
    next: (message: unknown) => void,
  ): void | Promise<void> {
    const event = new RecvMessage(this.#info, message, compressed);
    return after(tell(this.#listeners, event), () => {
      if (this.#owner.aborted === undefined) next(messageOf(event));
    });
  }

  /** The initial metadata is to be sent: gives what is sent to `next`. */
  sendInitialMetadata(
    metadata: Metadata | null,
    next: (metadata: Metadata) => void | Promise<void>,
  ): void | Promise<void> {
    const event = new SendInitialMetadata(
      this.#info,
      metadata ?? new Metadata(),
    );
    return this.#send(event, () => next(event.metadata));
  }

  /** A message is to be encoded: gives the one that is sent to `next`. */
  sendMessage(
    message: unknown,
    next: (message: unknown) => void | Promise<void>,
  ): void | Promise<void> {
    const event = new SendMessage(this.#info, message);
    return this.#send(event, () => next(event.message));
  }

  /** The status is to be sent: gives the metadata that goes with it to `next`. */
  sendTrailingMetadata(
    ending: Ending,
    next: (metadata: Metadata) => void,
  ): void | Promise<void> {
    const event = new SendTrailingMetadata(
      this.#info,
      // A copy: it may be that of an error which is thrown again.
      copyMetadata(ending.metadata),
      ending.status,
      ending.message,
      ending.details,
    );
    return this.#context(() =>
      after(tell(this.#listeners, event), () => next(event.metadata))
    );
  }

  /**
   * Takes a step when the listeners of what came before are through. What it
   * throws ends the call.
   */
  behind(step: Step): void {
    const wait = this.#arrivals.run(() => this.#guard(step));
    if (wait === undefined) return;
    this.#owner.pause();
    wait.then(() => this.#owner.resume());
  }

  /** Tells of something that is sent. A listener that fails ends the call. */
  #send(event: ServerEvent, next: Step): void | Promise<void> {
    return this.#context(() => this.#sendWatched(event, next));
  }

  #sendWatched(event: ServerEvent, next: Step): void | Promise<void> {
    let wait: void | Promise<void>;
    try {
      wait = tell(this.#listeners, event);
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
