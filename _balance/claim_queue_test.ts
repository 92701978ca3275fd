/** Calls that wait for a stream: in what order, and in which context, they go on. */

import { assertEquals } from "@std/assert";
import { AsyncLocalStorage } from "node:async_hooks";
import type { StreamClaim } from "../_call/byte_stream.ts";
import { History } from "../core/_figures.ts";
import type { ConnectivityState } from "../core/connectivity.ts";
import { CHANNEL_CLOSED } from "../_http2/reset.ts";
import { ClaimQueue, reasonOfWait } from "./claim_queue.ts";

const storage = new AsyncLocalStorage<string>();

/** Calls that wait, each made in a context of its own name. */
class World {
  readonly queue = new ClaimQueue();
  /** What became of them, and in which context. */
  readonly log: string[] = [];
  readonly #names = new Map<StreamClaim, string>();
  /** Opens streams. */
  readonly opener = {
    open: (claim: StreamClaim) => this.#note("open", this.#names.get(claim)!),
  };

  add(name: string, waitForReady = false): void {
    const claim: StreamClaim = {
      waitForReady,
      onStream() {},
      onHead() {},
      onData() {},
      onStop() {},
      onEnd() {},
      onClose: () => this.#note("close", name),
    };
    this.#names.set(claim, name);
    storage.run(name, () => this.queue.add(claim));
  }

  #note(what: string, name: string): void {
    this.log.push(`${what} ${name} in ${storage.getStore()}`);
  }
}

Deno.test("ClaimQueue serves calls in their order, each in its context, until there is no room", () => {
  const world = new World();
  for (const name of ["a", "b", "c", "d"]) world.add(name);
  let room = 2;
  let asked = 0;
  storage.run("server", () =>
    world.queue.serve(() => {
      asked++;
      return room-- > 0 ? world.opener : null;
    }));
  assertEquals(world.log, ["open a in a", "open b in b"]);
  assertEquals([world.queue.size, asked], [2, 3]);
});

Deno.test("ClaimQueue fails calls in their contexts, but for those that wait for ready until all fail", () => {
  const world = new World();
  world.add("a");
  world.add("b", true);
  world.add("c");
  storage.run("server", () => world.queue.failHasty(CHANNEL_CLOSED));
  assertEquals(world.log, ["close a in a", "close c in c"]);
  storage.run("server", () => world.queue.failAll(CHANNEL_CLOSED));
  assertEquals(world.log.slice(2), ["close b in b"]);
  assertEquals(world.queue.size, 0);
});

Deno.test("reasonOfWait() has the last failure since there was a connection", () => {
  const reasonOf = (
    ...changes: (readonly [ConnectivityState, string | null])[]
  ) => {
    const history = new History<ConnectivityState>();
    for (const [state, reason] of changes) history.add(state, reason);
    return reasonOfWait(history);
  };
  const plain = "it waited for a connection";
  assertEquals(reasonOf(), plain);
  assertEquals(reasonOf(["CONNECTING", null]), plain);
  assertEquals(
    reasonOf(["TRANSIENT_FAILURE", "first"], ["TRANSIENT_FAILURE", "last"], [
      "CONNECTING",
      null,
    ]),
    `${plain}: last`,
  );
  assertEquals(
    reasonOf(["TRANSIENT_FAILURE", "first"], ["READY", null]),
    `${plain} with room for it`,
  );
  assertEquals(
    reasonOf(["TRANSIENT_FAILURE", "first"], ["READY", null], ["IDLE", null]),
    plain,
  );
});
