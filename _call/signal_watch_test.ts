import { assertEquals } from "@std/assert";
import { SignalWatch, type SignalWatcher } from "./signal_watch.ts";

/** A signal that counts the listeners it has and had. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const { addEventListener, removeEventListener } = signal;
  const counts = { has: 0, had: 0 };
  signal.addEventListener = (...args: unknown[]) => {
    counts.has++;
    counts.had++;
    return addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    counts.has--;
    return removeEventListener.apply(signal, args as never);
  };
  return { controller, signal, counts };
}

/** A watcher that notes the order in which watchers are told. */
class Watcher implements SignalWatcher {
  previousWatcher: SignalWatcher | null = null;
  nextWatcher: SignalWatcher | null = null;
  readonly watch: SignalWatch;

  constructor(
    readonly name: string,
    readonly told: string[],
    signal: AbortSignal,
    readonly then?: () => void,
  ) {
    this.watch = SignalWatch.enter(signal, this);
  }

  leave(): void {
    this.watch.leave(this);
  }

  onAborted(signal: AbortSignal): void {
    this.told.push(`${this.name}: ${signal.reason}`);
    this.then?.();
  }
}

Deno.test("SignalWatch listens once for all that watch a signal, until the last has left", () => {
  const { controller, signal, counts } = countedSignal();
  const told: string[] = [];
  const [a, b, c] = ["a", "b", "c"].map((name) =>
    new Watcher(name, told, signal)
  );
  assertEquals(counts, { has: 1, had: 1 });
  b!.leave();
  a!.leave();
  assertEquals(counts.has, 1);
  c!.leave();
  assertEquals(counts.has, 0);
  controller.abort("Enough");
  assertEquals(told, []);
});

Deno.test("SignalWatch tells all in the order they came", () => {
  const { controller, signal, counts } = countedSignal();
  const told: string[] = [];
  const watchers = ["a", "b", "c", "d"].map((name) =>
    new Watcher(name, told, signal)
  );
  watchers[1]!.leave();
  controller.abort("Enough");
  assertEquals(told, ["a: Enough", "c: Enough", "d: Enough"]);
  assertEquals(counts.has, 0);
});

Deno.test("SignalWatch keeps signals apart, and joins those that are used in turn", () => {
  const [one, other] = [countedSignal(), countedSignal()];
  const told: string[] = [];
  const first = new Watcher("first", told, one.signal);
  const second = new Watcher("second", told, one.signal);
  const watchers: Watcher[] = [];
  for (let i = 0; i < 10; i++) {
    watchers.push(new Watcher(`one ${i}`, told, one.signal));
    watchers.push(new Watcher(`other ${i}`, told, other.signal));
  }
  assertEquals(one.counts.had, 1);
  first.leave();
  second.leave();
  other.controller.abort("Enough");
  assertEquals(told.length, 10);
  assertEquals(told.every((line) => line.startsWith("other")), true);
  one.controller.abort("Enough");
  assertEquals(told.length, 20);
  assertEquals([one.counts.has, other.counts.has], [0, 0]);
});

Deno.test("SignalWatch tells none that has left meanwhile, and the others when one throws", () => {
  const { controller, signal } = countedSignal();
  const told: string[] = [];
  const errors: string[] = [];
  const onError = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(`${event.error}`);
  };
  addEventListener("error", onError);
  new Watcher("a", told, signal, () => second.leave());
  const second = new Watcher("b", told, signal);
  new Watcher("c", told, signal, () => {
    throw new Error("Broken");
  });
  new Watcher("d", told, signal);
  controller.abort("Enough");
  removeEventListener("error", onError);
  assertEquals(told, ["a: Enough", "c: Enough", "d: Enough"]);
  assertEquals(errors, ["Error: Broken"]);
});
