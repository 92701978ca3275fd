import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { stateOf } from "../_testdata/states.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { Inbox, type InboxOwner } from "./inbox.ts";
import { Turns } from "../_turns.ts";

const KIB = 1024;
/** What a message counts for beyond its bytes. */
const OVERHEAD = 32;

/**
 * An owner whose messages are the texts of their bytes. What starts with "bad"
 * cannot be decoded.
 */
class Owner implements InboxOwner<string> {
  readonly party = {};
  /** How many bytes are held. */
  heldBytes = 0;
  readonly log: string[] = [];
  readonly errors: GRPCError[] = [];

  decodeMessage(bytes: Uint8Array, compressed: boolean): string {
    const text = new TextDecoder().decode(bytes);
    if (text.startsWith("bad")) {
      throw new GRPCError(Status.INTERNAL, `Cannot decode ${text}`);
    }
    this.log.push(`decode ${text.slice(0, 10)}`);
    return compressed ? `${text} compressed` : text;
  }

  onBadMessage(error: GRPCError): void {
    this.errors.push(error);
  }

  hold(bytes: number): void {
    this.heldBytes += bytes;
  }

  pause(): void {
    this.log.push("pause");
  }

  resume(): void {
    this.log.push("resume");
  }
}

function setUp() {
  const owner = new Owner();
  const inbox = new Inbox<string>(owner, new Turns(() => 0));
  return {
    owner,
    inbox,
    deliver(...texts: string[]) {
      for (const text of texts) {
        inbox.deliver(new TextEncoder().encode(text), false);
      }
    },
    /** Delivers a message of so many bytes. */
    deliverBytes(bytes: number) {
      inbox.deliver(new Uint8Array(bytes).fill(0x61), false);
    },
    /** The marks that were passed since the last call. */
    marks() {
      return owner.log.splice(0).filter((word) => !word.startsWith("decode"));
    },
  };
}

Deno.test("Inbox.take() gives the messages in order when they came before", () => {
  const { inbox, deliver } = setUp();
  deliver("a", "b", "c");
  assertEquals([inbox.take(), inbox.take(), inbox.take()], ["a", "b", "c"]);
});

Deno.test("Inbox.take() decodes a message when it is taken, not when it comes", () => {
  const { owner, inbox, deliver } = setUp();
  deliver("a", "b");
  assertEquals(owner.log, []);
  inbox.take();
  assertEquals(owner.log, ["decode a"]);
});

Deno.test("Inbox.take() tells of compression when a message is compressed", () => {
  const { inbox } = setUp();
  inbox.deliver(new TextEncoder().encode("a"), true);
  assertEquals(inbox.take(), "a compressed");
});

Deno.test("Inbox.take() waits when there is no message, and takers are served in order", async () => {
  const { inbox, deliver } = setUp();
  const takers = [inbox.take(), inbox.take(), inbox.take()];
  for (const taker of takers) assertInstanceOf(taker, Promise);
  deliver("a", "b");
  assertEquals(await takers[0], "a");
  assertEquals(await takers[1], "b");
  assertEquals(await stateOf(takers[2] as Promise<unknown>), "pending");
  deliver("c", "d");
  assertEquals(await takers[2], "c");
  assertEquals(inbox.take(), "d");
});

Deno.test("Inbox.take() keeps the order when thousands of messages come and go", () => {
  const { inbox, deliver } = setUp();
  const taken: unknown[] = [];
  let next = 0;
  for (let round = 0; round < 60; round++) {
    for (let i = 0; i < 100; i++) deliver(`${next++}`);
    for (let i = 0; i < 60; i++) taken.push(inbox.take());
  }
  while (taken.length < next) taken.push(inbox.take());
  assertEquals(taken, Array.from({ length: next }, (_, i) => `${i}`));
});

Deno.test("Inbox.deliver() pauses the flow once when more than 128 KiB wait", () => {
  const { deliverBytes, marks } = setUp();
  deliverBytes(128 * KIB - OVERHEAD);
  assertEquals(marks(), []);
  deliverBytes(0);
  assertEquals(marks(), ["pause"]);
  deliverBytes(1000);
  assertEquals(marks(), []);
});

Deno.test("Inbox.deliver() pauses the flow when a flood of empty messages waits", () => {
  const { deliverBytes, marks } = setUp();
  for (let i = 0; i < 128 * KIB / OVERHEAD; i++) deliverBytes(0);
  assertEquals(marks(), []);
  deliverBytes(0);
  assertEquals(marks(), ["pause"]);
});

Deno.test("Inbox.deliver() does not pause when a taker waits for the message", async () => {
  const { inbox, deliverBytes, marks } = setUp();
  const taker = inbox.take();
  deliverBytes(1000 * KIB);
  assertEquals((await taker)!.length, 1000 * KIB);
  assertEquals(marks(), []);
});

Deno.test("Inbox.take() resumes the flow once when less than 64 KiB wait", () => {
  const { inbox, deliverBytes, marks } = setUp();
  for (let i = 0; i < 9; i++) deliverBytes(16 * KIB - OVERHEAD);
  assertEquals(marks(), ["pause"]);
  for (let i = 0; i < 5; i++) inbox.take();
  assertEquals(marks(), []); // 64 KiB are left
  inbox.take();
  assertEquals(marks(), ["resume"]);
  inbox.take();
  assertEquals(marks(), []);
});

Deno.test("Inbox.take() lets the flow pause again when the inbox fills again", () => {
  const { inbox, deliverBytes, marks } = setUp();
  deliverBytes(200 * KIB);
  inbox.take();
  deliverBytes(200 * KIB);
  inbox.take();
  assertEquals(marks(), ["pause", "resume", "pause", "resume"]);
});

Deno.test("Inbox.take() lets the flow go on when thousands of messages are taken as they come", () => {
  const { inbox, deliverBytes, marks } = setUp();
  deliverBytes(0);
  for (let i = 0; i < 10_000; i++) {
    deliverBytes(i % 100);
    inbox.take();
  }
  assertEquals(marks(), []);
});

Deno.test("Inbox.finish() gives null again and again when all messages are taken", () => {
  const { inbox, deliver } = setUp();
  deliver("a");
  inbox.finish(null);
  assertEquals([inbox.take(), inbox.take(), inbox.take()], ["a", null, null]);
});

Deno.test("Inbox.finish() gives null to those who wait when it ends well", async () => {
  const { inbox } = setUp();
  const takers = [inbox.take(), inbox.take()];
  inbox.finish(null);
  assertEquals(await Promise.all(takers), [null, null]);
});

Deno.test("Inbox.finish() throws the error when the messages before it are taken", () => {
  const { inbox, deliver } = setUp();
  const error = new GRPCError(Status.DATA_LOSS);
  deliver("a");
  inbox.finish(error);
  assertEquals(inbox.take(), "a");
  assertStrictEquals(assertThrows(() => inbox.take()), error);
  assertStrictEquals(assertThrows(() => inbox.take()), error);
});

Deno.test("Inbox.finish() rejects those who wait when it ends with an error", async () => {
  const { inbox } = setUp();
  const error = new GRPCError(Status.DATA_LOSS);
  const takers = [inbox.take(), inbox.take()] as Promise<string>[];
  inbox.finish(error);
  for (const taker of takers) {
    assertStrictEquals(await assertRejects(() => taker), error);
  }
});

Deno.test("Inbox.finish() changes nothing when the messages ended before", () => {
  const { inbox } = setUp();
  inbox.finish(null);
  inbox.finish(new GRPCError(Status.DATA_LOSS));
  assertEquals(inbox.take(), null);
});

Deno.test("Inbox.abort() drops what nobody took when messages wait", () => {
  const { inbox, deliver } = setUp();
  const error = new GRPCError(Status.CANCELLED);
  deliver("a", "b");
  inbox.take();
  inbox.abort(error);
  assertStrictEquals(assertThrows(() => inbox.take()), error);
});

Deno.test("Inbox.abort() rejects those who wait when there are some", async () => {
  const { inbox } = setUp();
  const error = new GRPCError(Status.CANCELLED);
  const taker = inbox.take() as Promise<string>;
  inbox.abort(error);
  assertStrictEquals(await assertRejects(() => taker), error);
});

Deno.test("Inbox.abort() wins over a good end when messages wait behind it", () => {
  const { inbox, deliver } = setUp();
  const error = new GRPCError(Status.CANCELLED);
  deliver("a");
  inbox.finish(null);
  inbox.abort(error);
  assertStrictEquals(assertThrows(() => inbox.take()), error);
});

Deno.test("Inbox.take() throws and tells the owner when a message cannot be decoded", () => {
  const { owner, inbox, deliver } = setUp();
  deliver("bad", "good");
  const error = assertThrows(
    () => inbox.take(),
    GRPCError,
    "Cannot decode bad",
  );
  assertEquals(owner.errors, [error]);
});

Deno.test("Inbox.take() gives nothing more when a message could not be decoded", () => {
  const { owner, inbox, deliver } = setUp();
  deliver("bad", "good");
  inbox.finish(null);
  const error = assertThrows(() => inbox.take());
  assertStrictEquals(assertThrows(() => inbox.take()), error);
  assertEquals(owner.errors.length, 1);
});

Deno.test("Inbox.deliver() rejects the taker and tells the owner when a message cannot be decoded", async () => {
  const { owner, inbox, deliver } = setUp();
  const takers = [inbox.take(), inbox.take()] as Promise<string>[];
  deliver("bad");
  const error = await assertRejects(() => takers[0]!, GRPCError);
  assertEquals(owner.errors, [error]);
  assertStrictEquals(await assertRejects(() => takers[1]!), error);
});

/** An inbox whose turn of the event loop is over when a test says so. */
function setUpTurns() {
  let now = 10;
  const owner = new Owner();
  const inbox = new Inbox<string>(owner, new Turns(() => now));
  return {
    owner,
    inbox,
    deliver(...texts: string[]) {
      for (const text of texts) {
        inbox.deliver(new TextEncoder().encode(text), true);
      }
    },
    pass: (ms: number) => now += ms,
  };
}

Deno.test("Inbox.take() waits for its turn when taking has lasted for long, and keeps the order", async () => {
  const { inbox, deliver, pass } = setUpTurns();
  deliver("a", "b", "c", "d");
  assertEquals(inbox.take(), "a compressed");
  pass(10);
  const takers = [inbox.take(), inbox.take(), inbox.take(), inbox.take()];
  for (const taker of takers) assertInstanceOf(taker, Promise);
  deliver("e");
  inbox.finish(null);
  assertEquals(
    await Promise.all(takers),
    ["b", "c", "d", "e"].map((text) => `${text} compressed`),
  );
  assertEquals(await inbox.take(), null);
});

Deno.test("Inbox.deliver() has a taker wait for its turn when taking has lasted for long", async () => {
  const { owner, inbox, deliver, pass } = setUpTurns();
  const [first, second] = [inbox.take(), inbox.take()];
  deliver("a");
  pass(10);
  deliver("b");
  assertEquals(owner.log, ["decode a"]);
  assertEquals([await first, await second], ["a compressed", "b compressed"]);
});

Deno.test("Inbox.abort() rejects the takers that wait for their turn", async () => {
  const { inbox, deliver, pass } = setUpTurns();
  deliver("a", "b");
  inbox.take();
  pass(10);
  const taker = inbox.take() as Promise<string>;
  const error = new GRPCError(Status.CANCELLED);
  inbox.abort(error);
  await assertRejects(() => taker, GRPCError);
  assertThrows(() => inbox.take(), GRPCError);
});

Deno.test("Inbox.whenRoom() waits until less is there that nobody takes", async () => {
  const { inbox } = setUp();
  const bytes = new Uint8Array(10);
  const large = { message: "large", plainBytes: 4 * 1024 * KIB };
  assertEquals(inbox.whenRoom(bytes, true), undefined);
  inbox.deliver(bytes, true, large);
  const room = inbox.whenRoom(bytes, true);
  assertInstanceOf(room, Promise);
  assertEquals(await stateOf(room), "pending");
  assertEquals(inbox.take(), "large");
  await room;
});

Deno.test("Inbox.whenRoom() waits no longer when the messages are over", async () => {
  const { inbox } = setUp();
  const bytes = new Uint8Array(10);
  inbox.deliver(bytes, true, { message: "large", plainBytes: 1024 * KIB });
  const room = inbox.whenRoom(bytes, true);
  inbox.abort(new GRPCError(Status.CANCELLED));
  await room;
});

Deno.test("Inbox.deliver() counts what waits, about, and nothing that is taken or dropped", () => {
  const { owner, inbox, deliverBytes } = setUp();
  for (let i = 0; i < 10; i++) deliverBytes(10 * KIB);
  assertEquals(owner.heldBytes, 10 * (10 * KIB + OVERHEAD));
  for (let i = 0; i < 9; i++) inbox.take();
  assertEquals(owner.heldBytes, 10 * KIB + OVERHEAD);
  inbox.take();
  assertEquals(owner.heldBytes, 0);
  inbox.deliver(new Uint8Array(1), true, {
    message: "large",
    plainBytes: 1024 * KIB,
  });
  assertEquals(owner.heldBytes, 1024 * KIB + OVERHEAD);
  inbox.abort(new GRPCError(Status.CANCELLED));
  assertEquals(owner.heldBytes, 0);
});
