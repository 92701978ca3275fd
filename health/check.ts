/**
 * Checks: what tells whether something is well.
 *
 * @module
 */

/** What a check finds: `true` for healthy, `false` for not, `null` for unknown. */
export type CheckStatus = boolean | null;

/** Whom a {@linkcode Check} tells about itself. */
export interface CheckListener {
  /** The status is another. */
  onChange(): void;
  /** The check failed, which counts as `false`. */
  onError(error: unknown): void;
}

/**
 * A check of one's own. {@linkcode ServiceCheck} and {@linkcode ServiceStatus}
 * are enough for most.
 */
export interface Check {
  /** What the check is called in error messages. */
  readonly name: string;

  /** What is known of the status, without looking. */
  readonly status: CheckStatus;

  /**
   * Brings the status up to date, or makes sure that it is.
   *
   * @returns The status. When it rejects, that counts as `false`.
   */
  check(): Promise<CheckStatus>;

  /**
   * Has a listener told when the status changes. Only as long as somebody
   * listens, a check has to look by itself.
   *
   * @param listener Whom to tell.
   * @returns What ends it.
   */
  subscribe(listener: CheckListener): Disposable;
}

/** The listeners of a check. */
export class CheckListeners {
  readonly #listeners = new Set<CheckListener>();
  readonly #onLast: (() => void) | undefined;

  /** @param onLast Called when the last one has left. */
  constructor(onLast?: () => void) {
    this.#onLast = onLast;
  }

  /** How many there are. */
  get size(): number {
    return this.#listeners.size;
  }

  /** Adds one. */
  add(listener: CheckListener): Disposable {
    // Of its own, so that one that is there twice leaves twice.
    const entry: CheckListener = {
      onChange: () => listener.onChange(),
      onError: (error) => listener.onError(error),
    };
    this.#listeners.add(entry);
    return {
      [Symbol.dispose]: () => {
        if (!this.#listeners.delete(entry)) return;
        if (this.#listeners.size === 0) this.#onLast?.();
      },
    };
  }

  /** Tells all that the status is another. */
  tellChange(): void {
    for (const listener of [...this.#listeners]) listener.onChange();
  }

  /** Tells all that the check failed. */
  tellError(error: unknown): void {
    for (const listener of [...this.#listeners]) listener.onError(error);
  }
}

/** Throws unless a value is a status. */
export function requireStatus(value: unknown, action: string): CheckStatus {
  if (value === true || value === false || value === null) return value;
  throw new TypeError(
    `${action}: the status must be true, false or null, received ${
      typeof value === "object" ? "an object" : typeof value
    }`,
  );
}
