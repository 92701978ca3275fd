import { assertEquals } from "@std/assert";
import { Writable } from "node:stream";
import type { Duplex } from "node:stream";
import { VirtualClock } from "../testing/mod.ts";
import { DrainWatch } from "./drain_watch.ts";

/** A socket whose peer takes a piece when the test says so. */
class Unread extends Writable {
  #taken: (() => void)[] = [];

  override _write(
    _bytes: Uint8Array,
    _encoding: string,
    callback: () => void,
  ): void {
    this.#taken.push(callback);
  }

  async take(): Promise<void> {
    this.#taken.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
}

/** The watch over a socket, and how often it was told that it is gone. */
function watchOver(
  socket: Writable,
  clock: VirtualClock,
): { watch: DrainWatch; gone: () => number } {
  let gone = 0;
  const watch = new DrainWatch(
    socket as unknown as Duplex,
    clock,
    () => gone++,
  );
  return { watch, gone: () => gone };
}

/** A socket that three pieces are written to, and that is ended. */
function unread(): Unread {
  const socket = new Unread();
  for (let i = 0; i < 3; i++) socket.write(new Uint8Array(10));
  socket.end();
  return socket;
}

Deno.test("DrainWatch.watch() destroys the socket when its peer takes nothing", async () => {
  const clock = new VirtualClock();
  const socket = unread();
  const { watch, gone } = watchOver(socket, clock);
  socket.on("close", () => watch.stop());
  watch.watch();
  await clock.advance(999);
  assertEquals(socket.destroyed, false);
  await clock.advance(1);
  assertEquals(socket.destroyed, true);
  assertEquals(clock.timers, 0);
  assertEquals(gone(), 0);
});

Deno.test("DrainWatch.cut() tells of a stream that never says that it is closed", async () => {
  const clock = new VirtualClock();
  const socket = new Writable({ destroy() {} });
  const { watch, gone } = watchOver(socket, clock);
  watch.cut();
  assertEquals(socket.destroyed, true);
  await clock.advance(999);
  assertEquals(gone(), 0);
  await clock.advance(1);
  assertEquals(gone(), 1);
  assertEquals(clock.timers, 0);
});

Deno.test("DrainWatch.watch() waits when the peer takes something each second", async () => {
  const clock = new VirtualClock();
  const socket = unread();
  const { watch } = watchOver(socket, clock);
  watch.watch();
  for (let i = 0; i < 2; i++) {
    await socket.take();
    await clock.advance(1000);
    watch.watch();
    assertEquals(socket.destroyed, false);
    assertEquals(clock.timers, 1);
  }
  await clock.advance(1000);
  assertEquals(socket.destroyed, true);
});

Deno.test("DrainWatch.stop() leaves the socket alone", async () => {
  const clock = new VirtualClock();
  const socket = unread();
  const { watch } = watchOver(socket, clock);
  watch.stop();
  watch.watch();
  watch.stop();
  assertEquals(clock.timers, 0);
  await clock.advance(5000);
  assertEquals(socket.destroyed, false);
  socket.destroy();
});
