/** Names with several addresses that come and go: real sockets, and real DNS. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import dgram from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { anyBudget } from "../../_testdata/account.ts";
import { echoWith } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { tally } from "../../_testdata/memory_fleet.ts";
import { soon, until } from "../../_testdata/waiting.ts";
import {
  type BalancingPolicy,
  Channel,
  Configuration,
  createStub,
} from "../../client.ts";
import { resolveBalancing } from "../../core/balancing.ts";
import { parseTargets } from "../../core/target.ts";
import { Server } from "../../server.ts";
import { VirtualClock } from "../../testing/mod.ts";
import { engineOf } from "../../_engines.ts";
import { connectionsOf } from "../../_connections.ts";

/** Servers on 127.0.0.1, 127.0.0.2 and so on, all on one port. */
class Fleet implements AsyncDisposable {
  readonly servers: Server[] = [];
  port = 0;

  async grow(count: number): Promise<void> {
    while (this.servers.length < count) {
      const address = `127.0.0.${this.servers.length + 1}`;
      const server = new Server([
        echoWith({ unary: (stream) => stream.sendMessage({ text: address }) }),
      ]);
      await server.start(address, this.port);
      this.port = server.port!;
      this.servers.push(server);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.servers) server.close();
    await Promise.all(this.servers.map((server) => server.waitClosed()));
  }
}

/** The addresses 127.0.0.1 to 127.0.0.`count`. */
function addresses(count: number, from = 1): string[] {
  return Array.from({ length: count }, (_, i) => `127.0.0.${from + i}`);
}

/** An authoritative name server on the loopback interface, for A records. */
class NameServer implements AsyncDisposable {
  readonly #socket = dgram.createSocket("udp4");
  /** What it answers. */
  addresses: string[] = [];

  async start(): Promise<number> {
    this.#socket.on("message", (question, { address, port }) => {
      this.#socket.send(this.#answer(question), port, address);
    });
    this.#socket.bind(0, "127.0.0.1");
    await once(this.#socket, "listening");
    return (this.#socket.address() as AddressInfo).port;
  }

  /** https://www.rfc-editor.org/rfc/rfc1035#section-4 */
  #answer(message: Uint8Array): Uint8Array {
    let end = 12;
    while (message[end] !== 0) end += message[end]! + 1;
    end += 5;
    const isA = message[end - 3] === 1;
    const answers = isA ? this.addresses : [];
    return Uint8Array.of(
      message[0]!,
      message[1]!,
      ...[0x84, 0x00, 0, 1, 0, answers.length, 0, 0, 0, 0],
      ...message.subarray(12, end),
      ...answers.flatMap((address) => [
        // The name of the question, A, IN, for 0 seconds, and 4 bytes.
        ...[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4],
        ...address.split(".").map(Number),
      ]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

Deno.test("Nothing is lost while the addresses of a name grow from 2 to 4 and shrink to 1, under load, and the new ones are used within one refresh", async () => {
  await using fleet = new Fleet();
  await fleet.grow(4);
  await using names = new NameServer();
  const port = await names.start();
  const clock = new VirtualClock();
  let questions = 0;
  await using channel = new Channel({
    target: `svc.test:${fleet.port}`,
    resolver: async ({ signal }) => {
      questions++;
      const nameServer = { ipAddr: "127.0.0.1", port };
      const found = await Deno.resolveDns("svc.test.", "A", {
        nameServer,
        signal,
      });
      return { endpoints: found.map((it) => `${it}:${fleet.port}`) };
    },
    balancing: "round_robin",
    clock,
  });
  const { unary } = createStub(Echo, channel);
  const answers: string[] = [];
  let isOver = false;
  const load = async () => {
    while (!isOver) answers.push((await unary({})).text);
  };
  /** What answers once so many endpoints are ready. */
  const spread = async (count: number): Promise<Record<string, number>> => {
    await until(
      () =>
        channel.endpoints.length === count &&
        channel.endpoints.every(({ state }) => state === "READY"),
      `there are ${count}`,
    );
    // Those that were chosen before have to come in first.
    const before = answers.length;
    await until(() => answers.length > before + 40, "there are calls");
    const from = answers.length;
    await until(() => answers.length >= from + 80, "there are calls");
    return tally(answers.slice(from, from + 80));
  };
  names.addresses = addresses(2);
  const loads = Array.from({ length: 8 }, load);
  assertEquals(Object.keys(await spread(2)), addresses(2));
  names.addresses = addresses(4);
  await clock.advance(60_000);
  const four = await spread(4);
  assertEquals(Object.keys(four), addresses(4));
  // Each has 20 of them but for those under way, of which there are up to 8.
  for (const count of Object.values(four)) assert(count > 10, `${count}`);
  names.addresses = addresses(1, 3);
  await clock.advance(60_000);
  assertEquals(Object.keys(await spread(1)), ["127.0.0.3"]);
  isOver = true;
  await soon(Promise.all(loads));
  assertEquals(questions, 3);
});

/** A channel's connections to names that a test knows the addresses of. */
function connections(
  target: string | string[],
  known: Record<string, string[] | Error>,
  clock: VirtualClock,
  policy: BalancingPolicy = "round_robin",
) {
  const asked: string[] = [];
  const config = new Configuration().forClient();
  const source = connectionsOf({
    targets: parseTargets(target),
    tls: false,
    connect: undefined,
    resolver: undefined,
    proxy: null,
    balancing: resolveBalancing("", policy),
    names: {
      lookUp(hostname, _port, onFound) {
        asked.push(hostname);
        const found = known[hostname]!;
        if (found instanceof Error) onFound(found, []);
        else onFound(null, found);
      },
      isPermitted: () => true,
    },
    shared: {
      authority: "test",
      target: "test",
      scheme: "http",
      config,
      idleTimeoutMs: Infinity,
      keepProcessAlive: false,
      clock,
      engine: engineOf("", undefined),
      budget: anyBudget(),
    },
  });
  return {
    source,
    asked,
    get names() {
      return source.endpoints.map(({ address }) => address);
    },
    [Symbol.asyncDispose]: () => source.close(),
  };
}

Deno.test("Each address of a name is an endpoint, asked for again after a minute", async () => {
  await using fleet = new Fleet();
  await fleet.grow(3);
  const { port } = fleet;
  const clock = new VirtualClock();
  const known: Record<string, string[] | Error> = { svc: addresses(1) };
  await using channel = connections(`dns:///svc:${port}`, known, clock);
  channel.source.connect();
  await until(() => channel.source.state === "READY", "it is connected");
  assertEquals(channel.names, [`127.0.0.1:${port}`]);
  known["svc"] = addresses(3);
  await clock.advance(59_000);
  assertEquals(channel.asked.length, 1);
  await clock.advance(1_000);
  await until(() => channel.names.length === 3, "it is looked up");
  await until(
    () => channel.source.endpoints.every(({ state }) => state === "READY"),
    "all are connected",
  );
  known["svc"] = new Error("SERVFAIL");
  await clock.advance(60_000);
  assertEquals(channel.asked.length, 3);
  assertEquals(channel.names.length, 3);
  known["svc"] = addresses(1, 3);
  await clock.advance(1_300);
  await until(() => channel.names.length === 1, "it is looked up again");
  assertEquals(channel.names, [`127.0.0.3:${port}`]);
});

Deno.test("Names in a list are looked up side by side; addresses and paths are as they are", async () => {
  const clock = new VirtualClock();
  const known: Record<string, string[] | Error> = {
    a: ["127.0.0.1", "::1"],
    b: new Error("ENOTFOUND b"),
  };
  const target = ["a:1", "127.0.0.9:1", "b:1", "unix:/nowhere"];
  await using channel = connections(target, known, clock);
  channel.source.connect();
  await until(() => channel.names.length > 0, "some are known");
  assertEquals(channel.names.length, 4);
  known["b"] = ["127.0.0.2"];
  await clock.advance(60_000);
  await until(() => channel.names.length === 5, "all are known");
  const all = [
    "127.0.0.1:1",
    "[::1]:1",
    "127.0.0.9:1",
    "127.0.0.2:1",
    "unix:/nowhere",
  ];
  assertEquals(channel.names, all);
  // One that cannot be looked up now keeps what it had.
  known["a"] = new Error("SERVFAIL");
  known["b"] = ["127.0.0.3"];
  await clock.advance(60_000);
  await until(() => channel.names.includes("127.0.0.3:1"), "it is asked again");
  assertEquals(channel.names, all.with(3, "127.0.0.3:1"));
  // The waits get longer, though something is found each time.
  const before = channel.asked.length;
  await clock.advance(60_000);
  assert(channel.asked.length - before < 2 * 9);
});

Deno.test("pick_first looks its name up once for each round of attempts, and connects to what is there then", async () => {
  await using fleet = new Fleet();
  await fleet.grow(1);
  const { port } = fleet;
  const clock = new VirtualClock();
  const known: Record<string, string[] | Error> = { svc: addresses(2, 2) };
  await using channel = connections(
    `dns:///svc:${port}`,
    known,
    clock,
    "pick_first",
  );
  const { source } = channel;
  const states: string[] = [];
  const next = async () => {
    await soon(source.changed);
    states.push(source.state);
  };
  source.connect();
  await next();
  assertEquals(channel.asked, ["svc"]);
  known.svc = addresses(1);
  const ready = next();
  await clock.advance(1_200);
  await ready;
  source.connect();
  await next();
  assertEquals(states, ["TRANSIENT_FAILURE", "IDLE", "READY"]);
  assertEquals(channel.asked, ["svc", "svc"]);
});

Deno.test("A name without addresses fails calls in the words of the look-up", async () => {
  await using channel = connections("svc:1", {
    svc: new Error("getaddrinfo ENOTFOUND svc"),
  }, new VirtualClock());
  const { promise, resolve } = Promise.withResolvers<string>();
  channel.source.claim({
    waitForReady: false,
    onStream() {},
    onHead() {},
    onData() {},
    onStop() {},
    onEnd() {},
    onClose: ({ message }) => resolve(message),
  });
  assertStringIncludes(
    await soon(promise),
    "Cannot resolve test: getaddrinfo ENOTFOUND svc",
  );
});
