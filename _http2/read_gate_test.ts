import { assert, assertEquals } from "@std/assert";
import { PassThrough } from "node:stream";
import { after, soon, turns, until } from "../_testdata/waiting.ts";
import { turns as everybody } from "../_turns.ts";
import { ReadGate } from "./read_gate.ts";

/** A socket, and what a connection was given of it. */
function setUp() {
  const socket = new PassThrough();
  const read: number[] = [];
  const lengths: number[] = [];
  let work = () => {};
  const gate = new ReadGate(socket, {}, (chunk) => {
    read.push(chunk[0]!);
    lengths.push(chunk.length);
    work();
  });
  socket.on("data", (chunk: Uint8Array) => gate.onData(chunk));
  return {
    socket,
    gate,
    read,
    /** How many bytes came at a time. */
    lengths,
    /** Does something with each chunk. */
    each: (fn: () => void) => work = fn,
    receive: (first: number, length = 4096) =>
      socket.push(new Uint8Array(length).fill(first)),
  };
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

Deno.test("ReadGate.onData() gives all chunks, in order", async () => {
  const { read, lengths, receive } = setUp();
  const sum = () => lengths.reduce((a, b) => a + b, 0);
  for (let i = 0; i < 10; i++) receive(i);
  await until(() => sum() === 10 * 4096, "all are read");
  // In parts, if the machine has kept this program for longer than a turn.
  const chunks = read.filter((it, i) => it !== read[i - 1]);
  assertEquals(chunks, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

Deno.test("ReadGate.onData() lets the loop turn between parts of chunks that take long", async () => {
  const { read, lengths, receive, each } = setUp();
  let loops = 0;
  let isOver = false;
  const count = () => {
    loops++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const seen: number[] = [];
  each(() => {
    seen.push(loops);
    block(8);
  });
  const total = 4 * 65_536;
  const sum = () => lengths.reduce((a, b) => a + b, 0);
  for (let i = 0; i < 4; i++) receive(i, 65_536);
  while (sum() < total) await after(1);
  isOver = true;
  await turns(1);
  assertEquals(sum(), total);
  assertEquals(read, read.toSorted());
  // The first few may come in one turn, for nobody knew how long they take.
  assert(new Set(seen).size >= 5, `${seen}`);
  // What takes too long is made shorter.
  assert(lengths.at(-1)! < 65_536, `${lengths}`);
});

Deno.test("ReadGate.onData() takes as much at once as does not take long", async () => {
  const { lengths, receive, each } = setUp();
  let isSlow = true;
  each(() => {
    if (isSlow) block(8);
  });
  receive(0, 65_536);
  receive(1, 65_536);
  while (lengths.length < 3) await after(1);
  isSlow = false;
  const sum = () => lengths.reduce((a, b) => a + b, 0);
  while (sum() < 2 * 65_536) await after(1);
  for (let i = 0; i < 4; i++) receive(2, 65_536);
  while (sum() < 6 * 65_536) await after(1);
  assertEquals(lengths.at(-1), 65_536, `${lengths}`);
});

Deno.test("ReadGate.hold() gives nothing until it is taken back, and loses nothing", async () => {
  const { gate, read, lengths, receive } = setUp();
  gate.hold(true);
  for (let i = 0; i < 5; i++) receive(i);
  await turns(5);
  assertEquals(read, []);
  gate.hold(false);
  const sum = () => lengths.reduce((a, b) => a + b, 0);
  while (sum() < 5 * 4096) await turns(1);
  // They may come in parts.
  assertEquals([...new Set(read)], [0, 1, 2, 3, 4]);
});

Deno.test("ReadGate.hold() waits for one turn at a time, however often it is called", async () => {
  const { gate, lengths } = setUp();
  const { wait } = everybody;
  let waits = 0;
  everybody.wait = (...args) => {
    waits++;
    wait.apply(everybody, args);
  };
  try {
    gate.hold(true);
    gate.onData(new Uint8Array(4096));
    for (let i = 0; i < 10; i++) {
      gate.hold(false);
      gate.hold(true);
    }
    gate.hold(false);
    assertEquals(waits, 1);
    await until(() => lengths.length > 0, "the chunk is given");
  } finally {
    everybody.wait = wait;
  }
  assertEquals(lengths, [4096]);
});

Deno.test("ReadGate.hold() gives something now and then, so that the end of the socket is seen", async () => {
  const { socket, gate, read, receive } = setUp();
  const ended = Promise.withResolvers<void>();
  socket.on("end", () => ended.resolve());
  gate.hold(true);
  receive(1);
  socket.push(null);
  await soon(ended.promise);
  assertEquals(read, [1]);
  gate.flush();
});

Deno.test("ReadGate.stop() reads no more, not even what waits", async () => {
  const { socket, gate, read, receive, each } = setUp();
  each(() => gate.stop());
  for (let i = 0; i < 5; i++) receive(i, 65_536);
  await turns(5);
  gate.hold(true);
  gate.hold(false);
  gate.flush();
  await turns(5);
  assertEquals(read, [0]);
  assert(socket.isPaused());
});

Deno.test("ReadGate.flush() gives what waits", () => {
  const { gate, read } = setUp();
  gate.hold(true);
  gate.onData(new Uint8Array(1).fill(1));
  gate.onData(new Uint8Array(1).fill(2));
  assertEquals(read, []);
  gate.flush();
  assertEquals(read, [1, 2]);
});
