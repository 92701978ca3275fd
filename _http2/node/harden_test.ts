import { assert, assertEquals } from "@std/assert";
import { EventEmitter } from "node:events";
import type { Http2Session } from "node:http2";
import { turns } from "../../_testdata/waiting.ts";
import { harden } from "./harden.ts";

/** A session that tells what is done to it. */
class FakeSession extends EventEmitter {
  readonly log: string[] = [];
  destroyed = false;

  close(): void {
    this.log.push("close");
    this.emit("close");
  }

  destroy(error?: Error, code?: number): void {
    this.log.push(`destroy ${error?.message} ${code}`);
    this.destroyed = true;
  }
}

function hardened(): FakeSession {
  const session = new FakeSession();
  harden(session as unknown as Http2Session);
  return session;
}

Deno.test("harden() puts close() off to the next tick", async () => {
  const session = hardened();
  session.close();
  session.log.push("after");
  await turns(1);
  assertEquals(session.log, ["after", "close"]);
});

Deno.test("harden() puts destroy() off to the next tick, with all that it was given", async () => {
  const session = hardened();
  session.destroy(new Error("why"), 2);
  session.log.push("after");
  assertEquals(session.destroyed, false);
  await turns(1);
  assertEquals(session.log, ["after", "destroy why 2"]);
});

Deno.test("harden() destroys once, and closes nothing that is destroyed", async () => {
  const session = hardened();
  session.destroy();
  session.destroy();
  session.close();
  await turns(1);
  assertEquals(session.log, ["destroy undefined undefined"]);
});

Deno.test("harden() calls back when a close() with a callback is done", async () => {
  const session = hardened();
  (session as unknown as Http2Session).close(() => session.log.push("called"));
  await turns(1);
  assertEquals(session.log, ["close", "called"]);
});

Deno.test("harden() has an 'error' end no process", () => {
  assert(hardened().emit("error", new Error("nobody listens")));
});
