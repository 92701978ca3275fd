import { assertEquals, assertStrictEquals } from "@std/assert";
import { Duplex } from "node:stream";
import { turns } from "../../_testdata/waiting.ts";
import {
  Backlog,
  batchWrites,
  CLIENT_BATCH,
  SERVER_BATCH,
} from "./socket_writes.ts";

// --- batchWrites()

/** A socket that tells what was written to it, at most so much at a time. */
class FakeSocket extends Duplex {
  readonly written: string[] = [];
  readonly #hold: boolean;
  #release: (() => void)[] = [];

  constructor(hold = false) {
    super({ writableHighWaterMark: 16, decodeStrings: true });
    this.#hold = hold;
  }

  override _read(): void {}

  override _write(
    chunk: Uint8Array,
    _encoding: string,
    done: (error?: Error | null) => void,
  ): void {
    this.written.push(new TextDecoder().decode(chunk));
    if (this.#hold) this.#release.push(done);
    else done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.written.push("END");
    done();
  }

  /** Takes what waits, as the network does after a while. */
  release(): void {
    for (const done of this.#release.splice(0)) done();
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

/** A schedule that runs when a test says so. */
function manual() {
  const writes: (() => void)[] = [];
  return {
    schedule: (write: () => void) => void writes.push(write),
    run() {
      for (const write of writes.splice(0)) write();
    },
    writes,
  };
}

Deno.test("batchWrites() writes all at once when its time comes", () => {
  const socket = new FakeSocket();
  const { schedule, run, writes } = manual();
  batchWrites(socket, { schedule, maxBytes: 100 });
  for (const text of ["a", "b", "c"]) socket.write(bytes(text));
  assertEquals([socket.written, writes.length], [[], 1]);
  run();
  assertEquals(socket.written, ["abc"]);
  socket.write(bytes("d"));
  run();
  assertEquals(socket.written, ["abc", "d"]);
  socket.destroy();
});

Deno.test("batchWrites() writes at once when there is enough", () => {
  const socket = new FakeSocket();
  const { schedule, run } = manual();
  batchWrites(socket, { schedule, maxBytes: 4 });
  socket.write(bytes("abc"));
  assertEquals(socket.written, []);
  socket.write(bytes("d"));
  assertEquals(socket.written, ["abcd"]);
  socket.write(bytes("efghij"));
  assertEquals(socket.written, ["abcd", "efghij"]);
  // Nothing is left for the write that was scheduled.
  run();
  assertEquals(socket.written, ["abcd", "efghij"]);
  socket.destroy();
});

Deno.test("batchWrites() keeps the order when a write is not for the batch", () => {
  const socket = new FakeSocket();
  const { schedule } = manual();
  batchWrites(socket, { schedule, maxBytes: 100 });
  socket.write(bytes("a"));
  socket.write("text");
  socket.write(bytes("b"));
  socket.write(bytes("c"), () => {});
  assertEquals(socket.written, ["a", "text", "b", "c"]);
  socket.destroy();
});

Deno.test("batchWrites() writes what it has before the end", async () => {
  const socket = new FakeSocket();
  const { schedule, run } = manual();
  batchWrites(socket, { schedule, maxBytes: 100 });
  socket.write(bytes("a"));
  assertStrictEquals(socket.end(bytes("z")), socket);
  run();
  await turns(1);
  assertEquals(socket.written, ["a", "z", "END"]);
});

Deno.test("batchWrites() writes what it has before the socket is destroyed, and nothing after", () => {
  const socket = new FakeSocket();
  const { schedule, run } = manual();
  batchWrites(socket, { schedule, maxBytes: 100 });
  socket.write(bytes("a"));
  assertStrictEquals(socket.destroy(), socket);
  socket.write(bytes("b"));
  run();
  assertEquals(socket.written, ["a"]);
});

Deno.test("batchWrites() tells whether the socket wants more", () => {
  const socket = new FakeSocket(true);
  const { schedule } = manual();
  batchWrites(socket, { schedule, maxBytes: 8 });
  assertEquals(socket.write(bytes("1234567")), true);
  assertEquals(socket.write(bytes("89")), true);
  assertEquals(socket.write(bytes("more than the mark")), false);
  assertEquals(socket.write(bytes("x")), false);
  socket.destroy();
});

for (const [name, batch] of Object.entries({ CLIENT_BATCH, SERVER_BATCH })) {
  Deno.test(`${name} writes without being asked`, async () => {
    const socket = new FakeSocket();
    batchWrites(socket, batch);
    socket.write(bytes("a"));
    socket.write(bytes("b"));
    assertEquals(socket.written, []);
    await turns(2);
    assertEquals(socket.written, ["ab"]);
    socket.destroy();
  });
}

// --- Backlog

Deno.test("Backlog is high above a mebibyte, until all of it is sent", async () => {
  const socket = new FakeSocket(true);
  let gone = 0;
  const backlog = new Backlog(socket, () => gone++);
  const mebibyte = new Uint8Array(1024 * 1024);
  socket.write(mebibyte);
  assertEquals(backlog.isHigh, false);
  socket.write(bytes("a"));
  assertEquals(backlog.isHigh, true);
  socket.release();
  await turns(1);
  assertEquals([backlog.isHigh, gone], [false, 0]);
  socket.release();
  await turns(1);
  assertEquals([backlog.isHigh, gone], [false, 1]);
  socket.destroy();
});

Deno.test("Backlog tells nobody when it never was high", async () => {
  const socket = new FakeSocket(true);
  let gone = 0;
  const backlog = new Backlog(socket, () => gone++);
  socket.write(new Uint8Array(1000));
  assertEquals(backlog.isHigh, false);
  socket.release();
  await turns(1);
  assertEquals(gone, 0);
  socket.destroy();
});
