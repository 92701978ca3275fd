/** What a watch of an endpoint's health does with the endpoint's streams. */

import { assertEquals } from "@std/assert";
import type { StreamClaim } from "../_call/byte_stream.ts";
import { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { ServingStatus } from "../health/mod.ts";
import { VirtualClock } from "../testing/mod.ts";
import {
  CLEAN,
  closed,
  FakeStream,
  frameOf,
} from "../_testdata/fake_stream.ts";
import { FakeSubchannel } from "../_testdata/fake_subchannel.ts";
import { HealthCheckedSubchannel } from "./health_watch.ts";

/** An endpoint whose health is asked for, and a server that a test plays. */
class World {
  readonly clock = new VirtualClock();
  /** The states that the balancer was told of. */
  readonly told: string[] = [];
  readonly checked: HealthCheckedSubchannel;
  /** Called when the balancer is told of a state. */
  onTold = () => {};
  inner!: FakeSubchannel;

  constructor({ maxStreams = 100 } = {}) {
    this.checked = new HealthCheckedSubchannel(
      (owner) => {
        this.inner = new FakeSubchannel(owner);
        this.inner.maxStreams = maxStreams;
        return this.inner;
      },
      {
        onState: ({ state }) => {
          this.told.push(state);
          this.onTold();
        },
        onRoom: () => this.told.push("room"),
      },
      {
        service: "",
        authority: "a",
        scheme: "http",
        clock: this.clock,
        backoff: {
          initialReconnectBackoffMs: 1_000,
          maxReconnectBackoffMs: 1_000,
        },
      },
    );
  }

  /** How often it was asked. */
  get asked(): number {
    return this.inner.background.length;
  }

  /** The last watch, with its stream. */
  get watch(): StreamClaim {
    return this.inner.background.at(-1)!;
  }

  /** The server says that it allows so many streams. */
  allow(maxStreams: number): void {
    this.inner.maxStreams = maxStreams;
    this.inner.tellRoom();
  }

  /** The server says how it is. */
  say(status: number, watch = this.watch): void {
    const frame = frameOf(Uint8Array.of(0x08, status));
    watch.onData(frame, 0, frame.length);
  }
}

Deno.test("HealthCheckedSubchannel asks nothing of a server that allows a single stream, and takes it for well", () => {
  const world = new World({ maxStreams: 1 });
  world.inner.become("READY");
  assertEquals(world.asked, 0);
  assertEquals(world.checked.state, "READY");
  assertEquals(world.clock.timers, 0);
});

Deno.test("HealthCheckedSubchannel gives its stream back when the server allows no other", () => {
  const world = new World();
  world.inner.become("READY");
  const stream = new FakeStream();
  world.watch.onStream(stream, new Peer(null));
  world.say(ServingStatus.NOT_SERVING);
  assertEquals(world.checked.state, "TRANSIENT_FAILURE");
  world.told.length = 0;
  world.allow(1);
  assertEquals(stream.log.at(-1), "reset CANCEL");
  assertEquals(world.told, ["READY", "room"]);
  // What the server says on it still is not heard.
  world.say(ServingStatus.NOT_SERVING);
  world.watch.onClose(closed(Status.CANCELLED, "reset"));
  assertEquals(world.checked.state, "READY");
  assertEquals([world.asked, world.clock.timers], [1, 0]);
});

Deno.test("HealthCheckedSubchannel asks as soon as the server allows streams, and takes it for well until it answers", () => {
  const world = new World({ maxStreams: 1 });
  world.inner.become("READY");
  world.allow(1);
  assertEquals(world.asked, 0);
  world.allow(100);
  world.allow(100);
  assertEquals([world.asked, world.checked.state], [1, "READY"]);
  world.say(ServingStatus.NOT_SERVING);
  assertEquals(world.checked.state, "TRANSIENT_FAILURE");
});

Deno.test("HealthCheckedSubchannel asks later where calls have all streams", async () => {
  const world = new World({ maxStreams: 2 });
  world.inner.hasRoom = false;
  world.inner.become("READY");
  assertEquals([world.asked, world.checked.state], [0, "CONNECTING"]);
  world.inner.hasRoom = true;
  await world.clock.advance(1_200);
  assertEquals(world.asked, 1);
  world.say(ServingStatus.SERVING);
  world.say(ServingStatus.SERVING);
  assertEquals(world.told, ["CONNECTING", "READY"]);
  await world.checked.close();
});

Deno.test("HealthCheckedSubchannel hears nothing more of one answer when the first part has it closed", async () => {
  const world = new World();
  world.inner.become("READY");
  world.onTold = () => void world.checked.close();
  const frames = Uint8Array.of(
    ...frameOf(Uint8Array.of(0x08, ServingStatus.SERVING)),
    ...frameOf(Uint8Array.of(0x08, ServingStatus.NOT_SERVING)),
  );
  world.told.length = 0;
  world.watch.onData(frames, 0, frames.length);
  assertEquals(world.told, ["READY"]);
  await world.checked.close();
});

Deno.test("HealthCheckedSubchannel does not hear a watch of a connection that is gone", async () => {
  const world = new World();
  world.inner.become("READY");
  const first = world.watch;
  world.say(ServingStatus.SERVING);
  world.inner.become("IDLE");
  world.inner.become("READY");
  assertEquals([world.asked, world.checked.state], [2, "CONNECTING"]);
  world.say(ServingStatus.SERVING, first);
  assertEquals(world.checked.state, "CONNECTING");
  first.onEnd(["grpc-status", `${Status.UNIMPLEMENTED}`]);
  first.onClose(CLEAN);
  assertEquals(world.checked.state, "CONNECTING");
  world.say(ServingStatus.SERVING);
  assertEquals(world.checked.state, "READY");
  await world.checked.close();
  assertEquals(world.clock.timers, 0);
});
