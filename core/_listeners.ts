/**
 * Who listens for which events.
 *
 * @module
 */

import { MiddlewareList } from "./_middleware.ts";
import type { CallObserver } from "./_call_trace.ts";
import { ConnectivityObservers } from "./_connectivity_trace.ts";
import { describe, isPromiseLike } from "./_describe.ts";
import type { CallInfo } from "./_call_info.ts";
import { CallEnd, type Event } from "./_events.ts";

/** The class of an event, as `listen` takes it. */
export type EventClass<E extends Event> =
  // Its arguments are nobody's business but the calls'.
  // deno-lint-ignore no-explicit-any
  (abstract new (...args: any[]) => E) & { readonly name: string };

/** Something that has events of type `T`: a channel or a server. */
export interface Listenable<T extends Event> {
  /** The classes of the events it has, for {@linkcode listen}. */
  readonly events: readonly EventClass<T>[];
}

const NO_AUDIENCE: Audience<never> = new Map();

const NOBODY: Pick<Observers, "traced" | "listeners"> = {
  traced: [],
  listeners: [],
};

/** What is called for an event. */
export type Callback = (event: never) => unknown;

/**
 * Who listens for what, as it was when a call began: it never changes. What
 * nobody listens for is not in it.
 */
export type Audience<T extends Event> = ReadonlyMap<
  EventClass<T>,
  readonly Callback[]
>;

/**
 * Who observes calls as a whole, as it was when a call began: it never changes.
 */
export interface Observers {
  readonly traced: readonly CallObserver[];
  /** Who listens for `CallEnd`. */
  readonly listeners: readonly Callback[];
  /** Whether one of them wants to know how long calls take. */
  readonly isTimed: boolean;
  /** Told what one of them threw, and which call it was about. */
  readonly report: FailureReport;
}

/** Told what somebody threw who observes a call, and of which call. */
export type FailureReport = (error: unknown, call: CallInfo) => void;

/** The listeners of all channels and servers. */
// deno-lint-ignore no-explicit-any
const ALL = new WeakMap<object, Listeners<any>>();

/** Gives the listeners of a channel or server; undefined if it is none. */
export function listenersOf<T extends Event>(
  target: Listenable<T>,
): Listeners<T> | undefined {
  return ALL.get(target);
}

/**
 * Has all calls of a channel or server observed that begin from now on.
 *
 * @param target The channel or server.
 * @param observer Told of each call.
 * @returns What ends it, for calls that begin later.
 */
export function observe(
  target: Listenable<Event>,
  observer: CallObserver,
): Disposable {
  const list = ALL.get(target);
  if (list === undefined) {
    throw new TypeError(
      "Cannot observe: the target must be a Channel or a Server",
    );
  }
  return list.observe(observer);
}

/** The listeners of one channel or server. */
export class Listeners<T extends Event> {
  readonly #owner: string;
  readonly #types: readonly EventClass<T>[];
  readonly #report: FailureReport;
  /** What goes around calls. */
  readonly middleware: MiddlewareList<unknown> = new MiddlewareList();
  /** Who follows states and connections. */
  readonly connectivity: ConnectivityObservers = new ConnectivityObservers();
  /** Never changed in place: a call keeps to what it began with. */
  #audience: Audience<T> = NO_AUDIENCE;
  /** Likewise; null if there are none. */
  #observers: Observers | null = null;

  /**
   * @param owner What they belong to, in words.
   * @param target What `listen` finds them by.
   * @param report Told what those throw who observe calls as a whole.
   */
  constructor(owner: string, target: Listenable<T>, report: FailureReport) {
    this.#owner = owner;
    this.#types = target.events;
    this.#report = report;
    ALL.set(target, this);
  }

  /** Who listens to a call that begins now; null if nobody does. */
  get audience(): Audience<T> | null {
    return this.#audience.size === 0 ? null : this.#audience;
  }

  /** Who observes a call, as a whole, that begins now; null if nobody does. */
  get observers(): Observers | null {
    return this.#observers;
  }

  /** Adds an observer, behind those there are. */
  observe(observer: CallObserver): Disposable {
    const { traced, listeners } = this.#observers ?? NOBODY;
    this.#setObservers([...traced, observer], listeners);
    let isThere = true;
    return {
      [Symbol.dispose]: () => {
        if (!isThere) return;
        isThere = false;
        const { traced, listeners } = this.#observers ?? NOBODY;
        // It may be there for others, too.
        const at = traced.indexOf(observer);
        this.#setObservers(traced.toSpliced(at, 1), listeners);
      },
    };
  }

  /** Adds a listener, after those there are. */
  add<E extends T>(
    type: EventClass<E>,
    callback: (event: E) => unknown,
  ): Disposable {
    if (!this.#types.includes(type)) {
      const name = typeof type === "function" && type.name
        ? type.name
        : describe(type);
      throw new TypeError(
        `Cannot listen for ${name}: the events of a ${this.#owner} are ${
          this.#types.map(({ name }) => name).join(", ")
        }`,
      );
    }
    // A function may listen more than once; each time it is another listener.
    const listener = (event: E): unknown => callback(event);
    if (type === CallEnd as unknown) return this.#addEndListener(listener);
    const list = this.#audience.get(type) ?? [];
    this.#replace(type, [...list, listener]);
    return { [Symbol.dispose]: () => this.#remove(type, listener) };
  }

  #addEndListener(listener: Callback): Disposable {
    const { traced, listeners } = this.#observers ?? NOBODY;
    this.#setObservers(traced, [...listeners, listener]);
    return {
      [Symbol.dispose]: () => {
        const { traced, listeners } = this.#observers ?? NOBODY;
        this.#setObservers(traced, listeners.filter((one) => one !== listener));
      },
    };
  }

  #setObservers(
    traced: readonly CallObserver[],
    listeners: readonly Callback[],
  ): void {
    const isNobody = traced.length + listeners.length === 0;
    const report = this.#report;
    const isTimed = listeners.length > 0 ||
      traced.some(({ isTimed }) => isTimed === true);
    this.#observers = isNobody ? null : { traced, listeners, isTimed, report };
  }

  #remove(type: EventClass<T>, listener: Callback): void {
    const list = this.#audience.get(type) ?? [];
    this.#replace(type, list.filter((one) => one !== listener));
  }

  #replace(type: EventClass<T>, list: readonly Callback[]): void {
    const audience = new Map(this.#audience);
    if (list.length > 0) audience.set(type, list);
    else audience.delete(type);
    this.#audience = audience;
  }
}

/**
 * Calls the listeners of an event, one after another.
 *
 * @param list The listeners.
 * @param event The event.
 * @returns Nothing, or a promise if one of them returned one.
 */
export function dispatch(
  list: readonly Callback[],
  event: Event,
): void | Promise<void> {
  return callFrom(list, 0, event as never);
}

function callFrom(
  list: readonly Callback[],
  first: number,
  event: never,
): void | Promise<void> {
  for (let i = first; i < list.length; i++) {
    if ((event as Event).interrupted) return;
    const result = list[i]!(event);
    if (isPromiseLike(result)) {
      return Promise.resolve(result).then(() => callFrom(list, i + 1, event));
    }
  }
}
