/** Attempts to connect that race, of a channel with several addresses. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import net from "node:net";
import {
  Channel,
  type ChannelOptions,
  createStub,
  Status,
} from "../../client.ts";
import type { ConnectFunction } from "../../client.ts";
import { Server } from "../../server.ts";
import { VirtualClock } from "../../testing/mod.ts";
import { MemoryWires } from "../../testing/_memory_wire.ts";
import { echo } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { microtasks, soon, turns, until } from "../../_testdata/waiting.ts";
import {
  type Address,
  addressesOf,
  type AddressSource,
  fixedAddresses,
  interleaved,
  joinedAddresses,
  type NameSystem,
} from "./addresses.ts";
import { ConnectRace } from "./connect_race.ts";
import type { SocketSource } from "./connect.ts";
import { openConnections } from "../open_connections.ts";
import { parseTarget } from "../../core/target.ts";

/** What is found at an address. */
type Host = "serves" | "refuses" | "is silent" | "hangs up";

/** A channel to hosts that do as they are told, on a virtual clock. */
class World implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly server = new Server([echo], { clock: this.clock });
  readonly #wires = new MemoryWires(this.clock, null);
  /** What was tried, and what was given up, in order. */
  readonly log: string[] = [];
  readonly channel: Channel;

  constructor(hosts: Record<string, Host>, options: ChannelOptions = {}) {
    const connect: ConnectFunction = ({ address, signal }) => {
      this.log.push(address);
      signal.addEventListener("abort", () => this.log.push(`-${address}`));
      const host = hosts[address];
      if (host === "refuses") throw new Error(`connect REFUSED ${address}`);
      if (host === "is silent") return new Promise(() => {});
      const { client, server } = this.#wires.make();
      if (host === "serves") this.server.accept(server);
      else server.destroy();
      return client;
    };
    this.channel = new Channel({
      target: Object.keys(hosts),
      connect,
      clock: this.clock,
      ...options,
    });
  }

  async call(): Promise<string> {
    const { text } = await createStub(Echo, this.channel).unary({ text: "a" });
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel.close();
    this.server.close();
    await this.#wires.close();
    await this.server.waitClosed();
    assertEquals(this.clock.timers, 0);
    assertEquals([...openConnections].map(String), []);
  }
}

Deno.test("Channel connects to the first of its addresses alone when that is well", async () => {
  await using world = new World({ "a:1": "serves", "b:1": "serves" });
  assertEquals(world.channel.target, "a:1,b:1");
  assertEquals(await soon(world.call()), "a");
  await world.clock.advance(1000);
  assertEquals(world.log, ["a:1"]);
});

Deno.test("Channel tries the next address at once when one fails, and the first again for the next connection", async () => {
  await using world = new World({
    "a:1": "refuses",
    "b:1": "hangs up",
    "c:1": "serves",
  });
  const start = world.clock.now();
  assertEquals(await soon(world.call()), "a");
  assertEquals(world.log, ["a:1", "b:1", "c:1"]);
  assertEquals(world.clock.now(), start);
});

Deno.test("Channel tries the next address beside one that is silent, and gives that up for it", async () => {
  await using world = new World({
    "a:1": "is silent",
    "b:1": "is silent",
    "c:1": "serves",
    "d:1": "serves",
  });
  const call = world.call();
  await turns(2);
  assertEquals(world.log, ["a:1"]);
  await world.clock.advance(249);
  assertEquals(world.log, ["a:1"]);
  await world.clock.advance(1);
  assertEquals(world.log, ["a:1", "b:1"]);
  await world.clock.advance(250);
  assertEquals(await soon(call), "a");
  assertEquals(world.log, ["a:1", "b:1", "c:1", "-a:1", "-b:1"]);
  assertEquals(world.channel.state, "READY");
});

Deno.test("Channel waits between addresses for as long as connectionAttemptDelayMs says", async () => {
  await using world = new World({ "a:1": "is silent", "b:1": "serves" }, {
    config: { connectionAttemptDelayMs: 1000 },
  });
  const call = world.call();
  await world.clock.advance(999);
  assertEquals(world.log, ["a:1"]);
  await world.clock.advance(1);
  assertEquals(await soon(call), "a");
});

Deno.test("Calls fail with every address that was tried, and why each failed", async () => {
  await using world = new World({
    "a:1": "refuses",
    "b:1": "is silent",
    "c:1": "hangs up",
  }, { config: { connectTimeoutMs: 5000 } });
  const call = assertStatus(Status.UNAVAILABLE, () => world.call(), "");
  await world.clock.advance(5000);
  const { message, cause } = await soon(call);
  assertMatch(
    message,
    /^Cannot connect to a:1,b:1,c:1: connect REFUSED a:1; c:1: .*before HTTP\/2 SETTINGS.*; b:1: no connection within 5000 ms \(1 attempt failed/,
  );
  assertInstanceOf(cause, AggregateError);
  assertEquals(cause.errors.length, 3);
});

Deno.test("Channel.close() ends attempts that race", async () => {
  await using world = new World({ "a:1": "is silent", "b:1": "is silent" });
  const call = assertStatus(Status.CANCELLED, () => world.call(), "");
  await world.clock.advance(250);
  await world.channel.close();
  await call;
  assertEquals(world.log, ["a:1", "b:1", "-a:1", "-b:1"]);
});

Deno.test("Channel() refuses lists that are none", () => {
  for (
    const [target, words] of [
      [[], "the list of targets is empty"],
      [["127.0.0.1:1", "a b"], "a host name or address is needed"],
      ["ipv4:127.0.0.1:1,x:2", "one IPv4 address"],
    ] as const
  ) {
    try {
      new Channel({ target });
      assert(false, "it throws");
    } catch (error) {
      assertStringIncludes((error as Error).message, words);
    }
  }
});

Deno.test("Channel takes several addresses as one target, and each but once", () => {
  const { target } = new Channel({
    target: ["ipv4:127.0.0.1:1,127.0.0.2", "[::1]:1", "127.0.0.1:1"],
  });
  assertEquals(target, "127.0.0.1:1,127.0.0.2:50051,[::1]:1");
});

Deno.test("Channel finds the address of a list that is served, with real sockets", async () => {
  await using server = new Server([echo]);
  await server.start("127.0.0.3");
  const silent = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.2", resolve));
  const { port } = silent.address() as net.AddressInfo;
  try {
    await using channel = new Channel({
      target: [
        `127.0.0.1:${server.port}`,
        `127.0.0.2:${port}`,
        `127.0.0.3:${server.port}`,
      ],
    });
    await using stream = createStub(Echo, channel).unary.open();
    await stream.sendMessage({ text: "a" }, { end: true });
    assertEquals((await soon(stream.recvMessage())).text, "a");
    assertEquals(`${stream.peer}`, `127.0.0.3:${server.port}`);
  } finally {
    await new Promise((resolve) => silent.close(resolve));
  }
});

// Names

/** A source of sockets that nobody asks for one. */
const NO_SOCKET: SocketSource = () => ({ setRef() {}, cancel() {} });

const connect = () => NO_SOCKET;

/** The names of the addresses that are found, and of those that are not. */
async function find(
  target: string,
  names: Partial<NameSystem>,
): Promise<{ found: string[]; failed: string[] }> {
  const { promise, resolve } = Promise.withResolvers<
    { found: string[]; failed: string[] }
  >();
  const system = { lookUp: () => {}, isPermitted: () => true, ...names };
  addressesOf(parseTarget(target), connect, system)((addresses, failures) =>
    resolve({
      found: addresses.map(({ name }) => name),
      failed: failures.map(({ name, cause }) =>
        `${name}: ${(cause as Error).message}`
      ),
    })
  );
  return await soon(promise);
}

Deno.test("addressesOf() looks up names, and nothing else", async () => {
  const asked: string[] = [];
  const names: Partial<NameSystem> = {
    lookUp(hostname, port, onFound) {
      asked.push(`${hostname} ${port}`);
      onFound(null, ["127.0.0.1", "::1"]);
    },
  };
  assertEquals(await find("example.com:80", names), {
    found: ["127.0.0.1:80", "[::1]:80"],
    failed: [],
  });
  assertEquals((await find("10.0.0.1:80", names)).found, ["10.0.0.1:80"]);
  assertEquals((await find("[fe80::1%1]:8", names)).found, ["[fe80::1%1]:8"]);
  assertEquals((await find("unix:/run/x", names)).found, ["unix:/run/x"]);
  assertEquals(asked, ["example.com 80"]);
});

Deno.test("addressesOf() gives the error of a look-up", async () => {
  const names: Partial<NameSystem> = {
    lookUp: (hostname, _port, onFound) =>
      onFound(new Error(`getaddrinfo ENOTFOUND ${hostname}`), []),
  };
  assertEquals(await find("example.com:80", names), {
    found: [],
    failed: ["example.com:80: getaddrinfo ENOTFOUND example.com"],
  });
});

Deno.test("addressesOf() leaves a name to the runtime when not all its addresses are permitted", async () => {
  const names: NameSystem = {
    lookUp: (_hostname, _port, onFound) => onFound(null, ["127.0.0.1", "::1"]),
    isPermitted: (address) => address !== "::1",
  };
  assertEquals((await find("a:80", names)).found, ["a:80"]);
});

Deno.test("joinedAddresses() keeps the order of the targets, whichever is found first", () => {
  const [a, b] = ["a", "b"].map((name): Address => ({
    name,
    path: undefined,
    connect: NO_SOCKET,
  })) as [Address, Address];
  let later = () => {};
  const told: string[][] = [];
  joinedAddresses([
    (onFound) => later = () => onFound([a], []),
    fixedAddresses([b]),
  ])((addresses) => told.push(addresses.map(({ name }) => name)));
  assertEquals(told, []);
  later();
  assertEquals(told, [["a", "b"]]);
});

Deno.test("interleaved() has the families take turns, beginning with the first", () => {
  for (
    const [listed, ordered] of [
      ["", ""],
      ["1:1 2:1 3:1", "1:1 2:1 3:1"],
      ["[a]:1 [b]:1 1:1 2:1", "[a]:1 1:1 [b]:1 2:1"],
      ["1:1 2:1 3:1 [a]:1", "1:1 [a]:1 2:1 3:1"],
    ] as const
  ) {
    const addresses = listed.split(" ").filter(Boolean).map((name) => ({
      name,
      path: undefined,
      connect: NO_SOCKET,
    }));
    assertEquals(
      interleaved(addresses).map(({ name }) => name),
      ordered.split(" ").filter(Boolean),
    );
  }
});

Deno.test("Channel gives up a look-up that takes longer than an attempt to connect may", async () => {
  const clock = new VirtualClock();
  const { race, told } = raceWith(() => {}, clock);
  race.start();
  await clock.advance(100);
  assertEquals(told, ["Cannot connect to name: no address within 100 ms"]);
  assertEquals(clock.timers, 0);
  await microtasks();
});

/** A race that opens nothing. */
function raceWith(addresses: AddressSource, clock: VirtualClock) {
  const told: string[] = [];
  const race = new ConnectRace({
    target: "name",
    addresses,
    clock,
    headStartMs: 10,
    lookupTimeoutMs: 100,
  }, {
    openConnection: () => {
      throw new Error("nothing is to be opened");
    },
    onRaceLost: ({ message }) => told.push(message),
  });
  return { race, told };
}

Deno.test("ConnectRace takes no addresses that come too late", async () => {
  for (const end of ["cancel", "timeout"] as const) {
    const clock = new VirtualClock();
    const address: Address = {
      name: "a",
      path: undefined,
      connect: NO_SOCKET,
    };
    let later = () => {};
    const { race, told } = raceWith((onFound) => {
      later = () => onFound([address], []);
    }, clock);
    race.start();
    if (end === "cancel") race.cancel();
    else await clock.advance(100);
    later();
    assertEquals(told.length, end === "cancel" ? 0 : 1);
    assertEquals(clock.timers, 0);
  }
});

Deno.test("ConnectRace fails in the words of the look-up when there is no address", () => {
  const clock = new VirtualClock();
  const { race, told } = raceWith(
    (onFound) => onFound([], [{ name: "name", cause: new Error("ENOTFOUND") }]),
    clock,
  );
  race.start();
  assertEquals(told, ["Cannot connect to name: ENOTFOUND"]);
  const empty = raceWith((onFound) => onFound([], []), clock);
  empty.race.start();
  assertEquals(empty.told, ["Cannot connect to name: it has no address"]);
});

Deno.test("Channel that nobody waits for lets the race go on, and close() end it", async () => {
  await using world = new World({ "a:1": "is silent", "b:1": "serves" });
  world.channel.connect();
  assertEquals(world.channel.state, "CONNECTING");
  await world.clock.advance(250);
  await until(() => world.channel.state === "READY", "it is connected");
});
