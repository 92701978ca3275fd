/** Which subchannel takes a call. */

import { assertEquals } from "@std/assert";
import type { BalancedSubchannel } from "./subchannel.ts";
import {
  FirstPicker,
  LeastRequestPicker,
  type Picker,
  ReplaceablePicker,
  RoundRobinPicker,
} from "./picker.ts";

/** A subchannel with as much room as it is given. */
class Fake {
  readonly name: string;
  hasRoom = true;
  callCount = 0;

  constructor(name: string) {
    this.name = name;
  }

  checkRoom(): boolean {
    return this.hasRoom;
  }

  get subchannel(): BalancedSubchannel {
    return this as unknown as BalancedSubchannel;
  }
}

/** The names of those that are picked, one after the other; "" for none. */
function picks(picker: Picker, count: number): string {
  return Array.from({ length: count }, () => {
    const picked = picker.pick() as unknown as Fake | null;
    return picked?.name ?? "-";
  }).join("");
}

function fakes(names: string): Record<string, Fake> {
  return Object.fromEntries([...names].map((name) => [name, new Fake(name)]));
}

function update(picker: Picker, all: Record<string, Fake>, names: string) {
  picker.update([...names].map((name) => all[name]!.subchannel));
}

Deno.test("RoundRobinPicker takes one after the other, from a random start", () => {
  for (
    const [random, order] of [
      [0, "abcdabcd"],
      [0.3, "bcdabcda"],
      [0.99, "dabcdabc"],
    ] as const
  ) {
    const picker = new RoundRobinPicker(() => random);
    assertEquals(picks(picker, 1), "-");
    update(picker, fakes("abcd"), "abcd");
    assertEquals(picks(picker, 8), order);
  }
});

Deno.test("RoundRobinPicker keeps its place when others go", () => {
  const all = fakes("abcdef");
  for (
    const [first, taken, then, order] of [
      ["abcd", 2, "abcd", "cdab"],
      ["abcd", 2, "acd", "cdac"],
      ["abcd", 2, "bcd", "cdbc"],
      ["abcd", 2, "abd", "dabd"],
      ["abcd", 4, "bcd", "bcdb"],
      ["abcd", 3, "", "----"],
    ] as const
  ) {
    const picker = new RoundRobinPicker(() => 0);
    update(picker, all, first);
    picks(picker, taken);
    update(picker, all, then);
    assertEquals(picks(picker, 4), order, `${first} ${taken} ${then}`);
  }
});

Deno.test("RoundRobinPicker starts anywhere again when others come", () => {
  const all = fakes("abcd");
  const picker = new RoundRobinPicker(sequence(0, 0.5, 0.75, 0));
  // As a channel does, of which one connection is ready after the other.
  update(picker, all, "a");
  update(picker, all, "ab");
  assertEquals(picks(picker, 3), "bab");
  update(picker, all, "abcd");
  assertEquals(picks(picker, 3), "dab");
  update(picker, all, "cd");
  assertEquals(picks(picker, 2), "cd");
  update(picker, all, "ab");
  assertEquals(picks(picker, 2), "ab");
});

Deno.test("RoundRobinPicker passes over those without room", () => {
  const all = fakes("abc");
  const picker = new RoundRobinPicker(() => 0);
  update(picker, all, "abc");
  all["b"]!.hasRoom = false;
  assertEquals(picks(picker, 4), "acac");
  all["a"]!.hasRoom = all["c"]!.hasRoom = false;
  assertEquals(picks(picker, 2), "--");
  all["b"]!.hasRoom = true;
  assertEquals(picks(picker, 2), "bb");
});

Deno.test("FirstPicker takes the first that has room", () => {
  const all = fakes("ab");
  const picker = new FirstPicker();
  assertEquals(picks(picker, 1), "-");
  update(picker, all, "ab");
  assertEquals(picks(picker, 2), "aa");
  all["a"]!.hasRoom = false;
  assertEquals(picks(picker, 2), "bb");
});

/** Gives numbers one after the other, and then the first again. */
function sequence(...numbers: number[]): () => number {
  let i = 0;
  return () => numbers[i++ % numbers.length]!;
}

Deno.test("LeastRequestPicker takes the one with the fewest calls of those it draws", () => {
  const all = fakes("abcd");
  [all["a"]!.callCount, all["b"]!.callCount] = [5, 1];
  [all["c"]!.callCount, all["d"]!.callCount] = [3, 0];
  for (
    const [draws, order] of [
      [[0, 0.26], "bb"],
      [[0, 0.5], "cc"],
      [[0.5, 0], "cc"],
      [[0.99, 0], "dd"],
      [[0, 0], "aa"],
      [[0, 0.26, 0.5, 0.99], "bd"],
    ] as const
  ) {
    const picker = new LeastRequestPicker(2, sequence(...draws));
    assertEquals(picks(picker, 1), "-");
    update(picker, all, "abcd");
    assertEquals(picks(picker, 2), order, `${draws}`);
  }
  const picker = new LeastRequestPicker(4, sequence(0, 0.26, 0.5, 0.99));
  update(picker, all, "abcd");
  assertEquals(picks(picker, 2), "dd");
});

Deno.test("LeastRequestPicker looks at all when those it draws have no room", () => {
  const all = fakes("abcd");
  all["a"]!.hasRoom = all["d"]!.hasRoom = false;
  [all["b"]!.callCount, all["c"]!.callCount] = [2, 1];
  const picker = new LeastRequestPicker(2, () => 0);
  update(picker, all, "abcd");
  assertEquals(picks(picker, 2), "cc");
  all["b"]!.hasRoom = all["c"]!.hasRoom = false;
  assertEquals(picks(picker, 1), "-");
});

Deno.test("ReplaceablePicker has another picker go on with those that are READY", () => {
  const picker = new ReplaceablePicker(new RoundRobinPicker(() => 0));
  const all = fakes("abc");
  update(picker, all, "abc");
  assertEquals(picks(picker, 4), "abca");
  picker.replace(new FirstPicker());
  assertEquals(picks(picker, 3), "aaa");
  update(picker, all, "c");
  assertEquals(picks(picker, 3), "ccc");
});
