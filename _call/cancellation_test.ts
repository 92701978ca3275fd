import {
  assert,
  assertEquals,
  assertFalse,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import { FakeClock } from "../_testdata/fake_clock.ts";
import { Deadline } from "../core/deadline.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import {
  abortedByCaller,
  Cancellation,
  type CancellationOwner,
  deadlineExceeded,
  deadlines,
} from "./cancellation.ts";

/** An owner that writes down what its call ended with. */
class Owner implements CancellationOwner {
  readonly ends: GRPCError[] = [];

  onCancelled(error: GRPCError): void {
    this.ends.push(error);
  }
}

/** Counts the listeners of a signal. */
function countListeners(signal: AbortSignal): () => number {
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    count++;
    return addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    count--;
    return removeEventListener.apply(signal, args as never);
  };
  return () => count;
}

/** A cancellation with a deadline and a signal, and who watches for them. */
function watched(timeoutMs: number) {
  const owner = new Owner();
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  const cancellation = new Cancellation(
    owner,
    Deadline.fromTimeout(timeoutMs),
    controller.signal,
  );
  return { owner, controller, listeners, cancellation };
}

Deno.test("deadlineExceeded() makes an error with the status when called", () => {
  const error = deadlineExceeded();
  assertEquals(error.status, Status.DEADLINE_EXCEEDED);
  assertEquals(error.message, "Deadline exceeded");
});

Deno.test("abortedByCaller() keeps the reason as the cause when called", () => {
  const reason = new Error("Enough");
  const error = abortedByCaller(AbortSignal.abort(reason));
  assertEquals(error.status, Status.CANCELLED);
  assertEquals(error.message, "Call was cancelled by the caller");
  assertStrictEquals(error.cause, reason);
});

Deno.test("Cancellation.enter() watches nothing when there is neither deadline nor signal", () => {
  const owner = new Owner();
  using cancellation = new Cancellation(owner, undefined, undefined);
  cancellation.enter();
  assertEquals(deadlines.size, 0);
  assertEquals(cancellation.expiresAt, Infinity);
  assertFalse(cancellation.expired);
  assertEquals(owner.ends, []);
});

Deno.test("Cancellation.enter() tells the owner once when the deadline comes", () => {
  using clock = new FakeClock();
  const owner = new Owner();
  using cancellation = new Cancellation(
    owner,
    Deadline.fromTimeout(10),
    undefined,
  );
  cancellation.enter();
  assertEquals(deadlines.size, 1);
  clock.advance(9);
  assertFalse(cancellation.expired);
  assertEquals(owner.ends, []);
  clock.advance(100);
  assert(cancellation.expired);
  assertEquals(owner.ends.map(({ status }) => status), [
    Status.DEADLINE_EXCEEDED,
  ]);
  assertEquals(deadlines.size, 0);
  assertEquals(clock.delays, []);
});

Deno.test("Cancellation.enter() tells the owner before it returns when the deadline is past", () => {
  const { owner, listeners, cancellation } = watched(0);
  cancellation.enter();
  assertEquals(owner.ends.map(({ status }) => status), [
    Status.DEADLINE_EXCEEDED,
  ]);
  assertEquals(deadlines.size, 0);
  assertEquals(listeners(), 0);
});

Deno.test("Cancellation.enter() tells the owner before it returns when the deadline is now", () => {
  using clock = new FakeClock();
  const owner = new Owner();
  using cancellation = new Cancellation(
    owner,
    new Deadline(clock.now),
    undefined,
  );
  cancellation.enter();
  assertEquals(owner.ends.length, 1);
  assertEquals(clock.delays, []);
});

Deno.test("Cancellation.enter() tells the owner once when the caller aborts", () => {
  const { owner, controller, listeners, cancellation } = watched(100_000);
  cancellation.enter();
  assertEquals([listeners(), deadlines.size], [1, 1]);
  controller.abort("Enough");
  assertEquals(owner.ends.length, 1);
  assertEquals(owner.ends[0]!.status, Status.CANCELLED);
  assertEquals(owner.ends[0]!.cause, "Enough");
  assertEquals([listeners(), deadlines.size], [0, 0]);
});

Deno.test("Cancellation.enter() tells the owner before it returns when the signal is aborted already", () => {
  const owner = new Owner();
  const signal = AbortSignal.abort("Enough");
  using cancellation = new Cancellation(owner, Deadline.fromTimeout(0), signal);
  cancellation.enter();
  assertEquals(owner.ends.map(({ status }) => status), [Status.CANCELLED]);
  assertEquals(deadlines.size, 0);
});

Deno.test("Cancellation[Symbol.dispose]() takes everything back when it is called, even twice", () => {
  const { owner, controller, listeners, cancellation } = watched(100_000);
  cancellation.enter();
  cancellation[Symbol.dispose]();
  cancellation[Symbol.dispose]();
  assertEquals([listeners(), deadlines.size], [0, 0]);
  controller.abort();
  assertEquals(owner.ends, []);
});

Deno.test("Cancellation[Symbol.dispose]() does nothing when it was never entered", () => {
  const { listeners, cancellation } = watched(1);
  cancellation[Symbol.dispose]();
  assertEquals([listeners(), deadlines.size], [0, 0]);
});

Deno.test("Cancellation.signal is one signal when it is read again", () => {
  using cancellation = new Cancellation(new Owner(), undefined, undefined);
  assertStrictEquals(cancellation.signal, cancellation.signal);
  assertFalse(cancellation.signal.aborted);
});

Deno.test("Cancellation.abort() aborts the signal with the reason when it was read before", () => {
  const cancellation = new Cancellation(new Owner(), undefined, undefined);
  const { signal } = cancellation;
  let told = 0;
  signal.addEventListener("abort", () => told++);
  const reason = new GRPCError(Status.UNAVAILABLE, "Gone");
  cancellation.abort(reason);
  assert(signal.aborted);
  assertStrictEquals(signal.reason, reason);
  assertStrictEquals(cancellation.reason, reason);
  assertEquals(told, 1);
});

Deno.test("Cancellation.abort() aborts the signal with the reason when it is read later", () => {
  const cancellation = new Cancellation(new Owner(), undefined, undefined);
  const reason = new GRPCError(Status.UNAVAILABLE, "Gone");
  cancellation.abort(reason);
  assert(cancellation.signal.aborted);
  assertStrictEquals(cancellation.signal.reason, reason);
});

Deno.test("Cancellation.abort() keeps the first reason when there is a second", () => {
  const cancellation = new Cancellation(new Owner(), undefined, undefined);
  const first = new GRPCError(Status.UNAVAILABLE, "Gone");
  cancellation.abort(first);
  cancellation.abort(new GRPCError(Status.CANCELLED, "Later"));
  assertStrictEquals(cancellation.reason, first);
  assertStrictEquals(cancellation.signal.reason, first);
});

Deno.test("Cancellation.abort() stops watching when it is called", () => {
  const { owner, listeners, cancellation } = watched(100_000);
  cancellation.enter();
  cancellation.abort(new GRPCError(Status.UNAVAILABLE));
  assertEquals([listeners(), deadlines.size], [0, 0]);
  assertEquals(owner.ends, []);
});

Deno.test("Cancellation.reason is undefined when nothing ended the call", () => {
  const cancellation = new Cancellation(new Owner(), undefined, undefined);
  assertEquals(cancellation.reason, undefined);
  assertInstanceOf(cancellation.signal, AbortSignal);
});

Deno.test("Cancellation ends those made for it once, and none that are over", () => {
  const parent = new Cancellation(new Owner(), undefined, undefined);
  const owners = [new Owner(), new Owner()];
  const [over, running] = owners.map((owner) => {
    const child = new Cancellation(
      owner,
      undefined,
      undefined,
      deadlines,
      parent,
    );
    child.enter();
    return child;
  });
  over![Symbol.dispose]();
  const reason = new GRPCError(Status.ABORTED, "no");
  parent.abort(reason);
  parent.abort(reason);
  running![Symbol.dispose]();
  assertEquals(owners[0]!.ends, []);
  assertEquals(owners[1]!.ends.length, 1);
  assertStrictEquals(owners[1]!.ends[0]!.cause, reason);
});
