/**
 * One listener on a signal, for all the calls that it may cancel.
 *
 * A caller may give one signal to all calls of a program. A listener for each
 * would take a time in proportion to the calls that are under way, to be added
 * and to be removed, as a signal looks through all it has.
 *
 * @module
 */

/** Something that watches a signal: the cancellation of a call. */
export interface SignalWatcher {
  /** Its neighbours among those that watch the same signal, kept by the watch. */
  previousWatcher: SignalWatcher | null;
  nextWatcher: SignalWatcher | null;
  /** The signal was aborted; the watcher watches it no longer. */
  onAborted(signal: AbortSignal): void;
}

/** The watch that was made last. */
let latest: SignalWatch | null = null;

/** Those that more than one has watched: a signal of one call needs no entry. */
const shared = new Map<AbortSignal, SignalWatch>();

/**
 * Those that watch one signal. It is the listener itself, so that a call makes
 * no function for it, and listens only as long as there is somebody: a signal
 * with a timer keeps a process alive while it is listened to.
 */
export class SignalWatch {
  readonly #signal: AbortSignal;
  #first: SignalWatcher | null = null;
  #last: SignalWatcher | null = null;
  #isShared = false;

  private constructor(signal: AbortSignal) {
    this.#signal = signal;
    latest = this;
    signal.addEventListener("abort", this);
  }

  /**
   * Begins to watch a signal that is not aborted.
   *
   * @param signal The signal.
   * @param watcher Told when it is.
   * @returns What the watcher has to {@linkcode leave}.
   */
  static enter(signal: AbortSignal, watcher: SignalWatcher): SignalWatch {
    let watch = latest;
    if (watch === null || watch.#signal !== signal) {
      watch = (shared.size > 0 ? shared.get(signal) : undefined) ??
        new SignalWatch(signal);
    }
    watch.#add(watcher);
    return watch;
  }

  /** Ends watching, of one that does. */
  leave(watcher: SignalWatcher): void {
    const { previousWatcher: previous, nextWatcher: next } = watcher;
    if (previous === null) this.#first = next;
    else previous.nextWatcher = next;
    if (next === null) this.#last = previous;
    else next.previousWatcher = previous;
    watcher.previousWatcher = watcher.nextWatcher = null;
    if (this.#first === null) {
      if (latest === this) latest = null;
      if (this.#isShared) shared.delete(this.#signal);
      this.#isShared = false;
      this.#signal.removeEventListener("abort", this);
    }
  }

  /** Tells all, in the order they came. */
  handleEvent(): void {
    try {
      while (this.#first !== null) {
        const watcher = this.#first;
        this.leave(watcher);
        watcher.onAborted(this.#signal);
      }
    } finally {
      // One that throws does not keep it from the others.
      if (this.#first !== null) this.handleEvent();
    }
  }

  #add(watcher: SignalWatcher): void {
    watcher.previousWatcher = this.#last;
    if (this.#last === null) {
      this.#first = watcher;
    } else {
      this.#last.nextWatcher = watcher;
      if (!this.#isShared) {
        this.#isShared = true;
        shared.set(this.#signal, this);
      }
    }
    this.#last = watcher;
  }
}
