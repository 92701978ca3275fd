/**
 * Waiting, for tests: with an end, and without sleeping where an event tells.
 *
 * @module
 */

/** Waits some milliseconds, or until a signal aborts: then it throws the reason. */
export function after(ms: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => {
    clearTimeout(timer);
    reject(signal?.reason);
  };
  const timer = setTimeout(() => {
    signal?.removeEventListener("abort", abort);
    resolve();
  }, ms);
  if (signal?.aborted) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return promise;
}

/** Waits until a signal aborts, and gives the reason. */
export function whenAborted(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  signal.addEventListener("abort", () => resolve(signal.reason), {
    once: true,
  });
  return promise;
}

/** Lets the loop turn a number of times, so that what is under way arrives. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** Lets what waits for promises go on a number of times, while the clock stands still. */
export async function microtasks(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

/** Waits until a condition holds, looking once a turn; fails after a while. */
export async function until(
  condition: () => boolean,
  what: string,
): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) {
      throw new Error(`Waited in vain until ${what}`);
    }
    await turns(1);
  }
}

/** Waits for a promise, and fails when it takes too long: nothing may hang. */
export async function soon<T>(
  promise: PromiseLike<T>,
  what = "it",
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Waited in vain for ${what}`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Longer than anything here takes on a busy machine. */
const PATIENCE_MS = 60_000;

/** Waits until a number stands still for some turns, and gives it. */
export async function settled(read: () => number): Promise<number> {
  let last = read();
  for (let still = 0; still < 40;) {
    await turns(1);
    const now = read();
    still = now === last ? still + 1 : 0;
    last = now;
  }
  return last;
}
