/**
 * The events of a client's call, for whoever listens. A call that nobody
 * listens to has none of this.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";
import {
  type CallInfo,
  type ClientEvent,
  RecvInitialMetadata,
  RecvMessage,
  RecvTrailingMetadata,
  SendMessage,
  SendRequest,
} from "../core/events.ts";
import type { Listeners } from "../core/_listeners.ts";
import { Metadata } from "../core/metadata.ts";
import type { Peer } from "../core/peer.ts";
import { type Context, currentContext } from "../_context.ts";
import { decodeMetadata, type RawHeaders } from "../_wire/headers.ts";
import type { ParsedOutcome } from "../_wire/outcome.ts";
import type { ClientCallOptions, ClientTarget } from "./client_target.ts";
import { messageOf, tell } from "./listener_failure.ts";
import { after, Serial, type Step } from "./serial.ts";

/** A call that has events: what is done when the listeners are through. */
export interface ClientEventsOwner {
  readonly peer: Peer | null;
  readonly finished: boolean;
  cancel(error: Error): void;
  decodeDetails(outcome: ParsedOutcome): readonly unknown[];
  acceptHead(raw: RawHeaders, metadata: Metadata): void;
  whenRoom(bytes: Uint8Array, compressed: boolean): void | Promise<void>;
  plainOf(bytes: Uint8Array, compressed: boolean): Uint8Array;
  decodePlain(plain: Uint8Array): unknown;
  acceptMessage(
    bytes: Uint8Array,
    compressed: boolean,
    message: unknown,
    plainBytes: number,
  ): void;
  acceptOutcome(
    raw: RawHeaders,
    outcome: ParsedOutcome,
    metadata: Metadata,
  ): void;
  /** Stops the flow of bytes while listeners are at work. */
  pause(): void;
  /** Lets them flow again. */
  resume(): void;
}

/** Tells the events of one call. */
export class ClientEvents {
  /** Whose context listeners run in: that of whoever made the call. */
  readonly context: Context = currentContext();
  /** What is sent, in order, behind listeners that take their time. */
  readonly departures: Serial = new Serial();
  /** What came in, likewise. */
  readonly #arrivals = new Serial();
  readonly #owner: ClientEventsOwner;
  readonly #listeners: Listeners<ClientEvent>;
  readonly #info: CallInfo;

  constructor(
    owner: ClientEventsOwner,
    target: ClientTarget,
    options: ClientCallOptions,
  ) {
    this.#owner = owner;
    this.#listeners = target.host.listeners;
    this.#info = {
      methodName: target.head.fields.path,
      deadline: options.deadline ?? null,
      get peer() {
        return owner.peer;
      },
    };
  }

  /** The request can be sent: gives its metadata to `next`. */
  sendRequest(
    metadata: Metadata | null,
    contentType: string,
    next: (metadata: Metadata) => void,
  ): void {
    const event = new SendRequest(
      this.#info,
      metadata ?? new Metadata(),
      contentType,
    );
    this.#guard(() =>
      after(tell(this.#listeners, event), () => next(event.metadata))
    );
  }

  /** A message is to be encoded: gives the one that is sent to `next`. */
  sendMessage(
    message: unknown,
    next: (message: unknown) => void | Promise<void>,
  ): void | Promise<void> {
    const event = new SendMessage(this.#info, message);
    return this.context(() =>
      after(tell(this.#listeners, event), () => next(event.message))
    );
  }

  onHead(raw: RawHeaders): void {
    this.#receive(() => {
      const metadata = decodeMetadata(raw);
      const event = new RecvInitialMetadata(this.#info, metadata);
      return after(tell(this.#listeners, event), () => {
        if (!this.#owner.finished) this.#owner.acceptHead(raw, event.metadata);
      });
    });
  }

  onFrame(bytes: Uint8Array, compressed: boolean): void {
    const owner = this.#owner;
    this.#receive(() =>
      after(owner.whenRoom(bytes, compressed), () => {
        if (owner.finished) return;
        const plain = owner.plainOf(bytes, compressed);
        const message = owner.decodePlain(plain);
        const event = new RecvMessage(this.#info, message, compressed);
        return after(tell(this.#listeners, event), () => {
          if (owner.finished) return;
          const { length } = plain;
          owner.acceptMessage(bytes, compressed, messageOf(event), length);
        });
      })
    );
  }

  /** @param trailersOnly Whether there was no head before. */
  onOutcome(
    raw: RawHeaders,
    outcome: ParsedOutcome,
    trailersOnly: boolean,
  ): void {
    if (trailersOnly) {
      const event = new RecvInitialMetadata(this.#info, new Metadata());
      this.#receive(() => tell(this.#listeners, event));
    }
    this.#receive(() => {
      const event = new RecvTrailingMetadata(
        this.#info,
        decodeMetadata(raw),
        outcome.status,
        outcome.message,
        () => this.#owner.decodeDetails(outcome),
      );
      return after(tell(this.#listeners, event), () => {
        if (this.#owner.finished) return;
        this.#owner.acceptOutcome(raw, outcome, event.metadata);
      });
    });
  }

  /** Does something when the listeners of what came before are through. */
  behind(step: () => void): void {
    this.#receive(step);
  }

  #receive(step: Step): void {
    const wait = this.#arrivals.run(() => this.#guard(step));
    if (wait === undefined) return;
    this.#owner.pause();
    wait.then(() => this.#owner.resume());
  }

  /** Runs a step of a call that is not over; what it throws ends the call. */
  #guard(step: Step): void | Promise<void> {
    if (this.#owner.finished) return;
    try {
      return this.context(step)?.catch((error) =>
        this.#owner.cancel(error as GRPCError)
      );
    } catch (error) {
      this.#owner.cancel(error as GRPCError);
    }
  }
}
