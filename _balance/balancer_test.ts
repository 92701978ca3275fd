/** What a balancer asks of its endpoints, and of what looks for them. */

import { assertEquals } from "@std/assert";
import type { StreamClaim } from "../_call/byte_stream.ts";
import { VirtualClock } from "../testing/mod.ts";
import { FakeSubchannel } from "../_testdata/fake_subchannel.ts";
import {
  type BalancedEndpoint,
  Balancer,
  type EndpointFinder,
} from "./balancer.ts";
import { FirstPicker, type Picker, RoundRobinPicker } from "./picker.ts";
import type { ResolutionOwner } from "./resolution.ts";

/** A balancer of one endpoint, on a virtual clock. */
function world({
  idleTimeoutMs = Infinity,
  picker = new RoundRobinPicker() as Picker,
} = {}) {
  const clock = new VirtualClock();
  const finder: EndpointFinder & { asked: number } = {
    asked: 0,
    isAwaited: false,
    start() {},
    askAgain() {
      finder.asked++;
    },
    stop() {},
  };
  const subchannels: FakeSubchannel[] = [];
  let owner!: ResolutionOwner<BalancedEndpoint>;
  const balancer = new Balancer({
    target: "svc",
    clock,
    picker,
    connectionsPerAddress: 1,
    idleTimeoutMs,
    isResolved: true,
    find(it) {
      owner = it;
      return finder;
    },
    makeSubchannel(_endpoint, owner) {
      const made = new FakeSubchannel(owner);
      subchannels.push(made);
      return made;
    },
  });
  balancer.connect();
  owner.onEndpoints([{ key: "a", name: "a" }]);
  return { balancer, clock, finder, subchannel: subchannels[0]!, subchannels };
}

/** A call that waits until there is a connection. */
const claim = (): StreamClaim => ({
  waitForReady: true,
  onStream() {},
  onHead() {},
  onData() {},
  onStop() {},
  onEnd() {},
  onClose() {},
});

const CLAIM = claim();

Deno.test("Balancer keeps the process alive for calls that wait, and no longer", async () => {
  const { balancer, finder, subchannel } = world();
  const needs = () => [finder.isAwaited, subchannel.isWanted];
  assertEquals(needs(), [false, false]);
  balancer.claim(CLAIM);
  assertEquals(needs(), [true, true]);
  balancer.withdraw(CLAIM);
  assertEquals(needs(), [false, false]);
  balancer.claim(CLAIM);
  subchannel.become("READY");
  assertEquals(subchannel.callCount, 1);
  assertEquals(needs(), [false, false]);
  await balancer.close();
});

Deno.test("Balancer keeps the process alive for who waits for another state", async () => {
  const { balancer, finder, subchannel } = world();
  const needs = () => [finder.isAwaited, subchannel.isWatched];
  const { changed } = balancer;
  assertEquals(needs(), [true, true]);
  // Nobody calls: that alone has nothing connected.
  assertEquals(subchannel.isWanted, false);
  subchannel.become("READY");
  await changed;
  assertEquals(needs(), [false, false]);
  await balancer.close();
});

Deno.test("Balancer has endpoints looked for again when one is lost, and whenever one cannot be connected to", async () => {
  const { balancer, finder, subchannel } = world();
  subchannel.become("TRANSIENT_FAILURE");
  assertEquals(finder.asked, 1);
  subchannel.become("IDLE");
  assertEquals(subchannel.state, "CONNECTING");
  assertEquals(finder.asked, 1);
  subchannel.become("TRANSIENT_FAILURE");
  assertEquals(finder.asked, 2);
  subchannel.become("READY");
  assertEquals(finder.asked, 2);
  subchannel.become("IDLE");
  assertEquals(finder.asked, 3);
  await balancer.close();
});

Deno.test("Balancer is idle no earlier than idleTimeoutMs after the loss of a connection", async () => {
  const { balancer, clock, subchannel } = world({ idleTimeoutMs: 1000 });
  subchannel.become("READY");
  subchannel.unusedSince = Infinity; // it has a call
  await clock.advance(1900);
  subchannel.unusedSince = -Infinity;
  subchannel.become("IDLE");
  await clock.advance(900);
  assertEquals(balancer.state, "CONNECTING");
  await clock.advance(200);
  assertEquals(balancer.state, "IDLE");
  assertEquals(clock.timers, 0);
  await balancer.close();
});

Deno.test("Balancer is not idle while calls wait", async () => {
  const { balancer, clock, subchannel } = world({ idleTimeoutMs: 1000 });
  subchannel.become("TRANSIENT_FAILURE");
  balancer.claim(CLAIM);
  await clock.advance(10_000);
  subchannel.become("READY");
  assertEquals(subchannel.callCount, 1);
  await balancer.close();
  assertEquals(clock.timers, 0);
});

Deno.test("Balancer has no newcomer overtake calls that wait", async () => {
  const { balancer, subchannel } = world();
  subchannel.become("READY");
  subchannel.hasRoom = false;
  const [first, second] = [claim(), claim()];
  balancer.claim(first);
  // There is room, of which nobody has told yet.
  subchannel.hasRoom = true;
  balancer.claim(second);
  assertEquals(subchannel.opened.length, 0);
  subchannel.tellRoom();
  assertEquals(subchannel.opened[0] === first, true);
  assertEquals(subchannel.opened[1] === second, true);
  await balancer.close();
});

Deno.test("Balancer lets what pick_first has lost be, unless calls wait", async () => {
  const { balancer, subchannel } = world({ picker: new FirstPicker() });
  subchannel.become("READY");
  subchannel.become("IDLE");
  assertEquals([balancer.state, subchannel.state], ["IDLE", "IDLE"]);
  balancer.connect();
  subchannel.become("READY");
  subchannel.hasRoom = false;
  balancer.claim(CLAIM);
  subchannel.become("IDLE");
  assertEquals([balancer.state, subchannel.state], [
    "CONNECTING",
    "CONNECTING",
  ]);
  await balancer.close();
});

Deno.test("Balancer fails calls with the failure of now", async () => {
  const { balancer, subchannel } = world();
  const told: string[] = [];
  const call = () =>
    balancer.claim({
      ...claim(),
      waitForReady: false,
      onClose: ({ message }) => told.push(message),
    });
  subchannel.become("TRANSIENT_FAILURE", "Refused");
  call();
  subchannel.become("IDLE");
  subchannel.become("TRANSIENT_FAILURE", "Reset");
  call();
  assertEquals(told, [
    "Cannot connect to svc: a: Refused",
    "Cannot connect to svc: a: Reset",
  ]);
  await balancer.close();
});

Deno.test("Balancer has no timer when it is never to be idle", async () => {
  const { balancer, clock } = world({ idleTimeoutMs: Infinity });
  assertEquals(balancer.state, "CONNECTING");
  assertEquals(clock.timers, 0);
  await balancer.close();
});
