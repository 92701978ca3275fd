/** gracefulExit, in processes of their own. */

import { assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  Status,
  type Stub,
} from "../../client.ts";
import { HealthStub, ServingStatus } from "../../health/mod.ts";
import { gracefulExit } from "../../server.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { assertStatus } from "../../_testdata/waiters.ts";
import { soon, turns } from "../../_testdata/waiting.ts";

/** The program, with a stub to it. */
async function startProgram(...times: [graceMs?: number, drainMs?: number]) {
  const child = new ChildProcess([
    "--allow-net=127.0.0.1",
    import.meta.resolve("../../_testdata/exit_program.ts"),
    ...times.map(String),
  ]);
  const port = Number(await soon(child.line(), "the program to start"));
  const channel = new Channel("127.0.0.1", port);
  return {
    child,
    port,
    stub: createStub(Echo, channel),
    health: new HealthStub(channel),
    async [Symbol.asyncDispose]() {
      await channel.close();
      try {
        child.kill();
      } catch {
        // It has ended.
      }
      await child.leave();
    },
  };
}

/** Calls until the server takes no more calls. */
async function untilRefused(stub: Stub<typeof Echo>): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    try {
      await soon(Array.fromAsync(stub.serverStream({})));
    } catch (error) {
      assertInstanceOf(error, GRPCError);
      assertEquals(error.status, Status.UNAVAILABLE);
      return;
    }
    await turns(1);
  }
  throw new Error("The server took 1000 calls after the signal");
}

const SIGNALS = { SIGINT: 2, SIGTERM: 15 } as const;

for (const signal of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[]) {
  Deno.test(`gracefulExit() lets the program end with 0 when ${signal} comes and nothing runs`, async () => {
    await using program = await startProgram();
    program.child.kill(signal);
    assertEquals(await soon(program.child.line()), "closed");
    const { code, signal: killedBy } = await soon(program.child.leave());
    assertEquals([code, killedBy], [0, null]);
  });

  Deno.test(`gracefulExit() lets calls end first when ${signal} comes and they run`, async () => {
    await using program = await startProgram();
    const { child, stub } = program;
    await using running = stub.clientStream.open();
    await running.sendMessage({});
    // A second call through and through: the first has begun by then.
    await Array.fromAsync(stub.serverStream({ count: 1 }));
    child.kill(signal);
    // New calls are refused from now on, and the running one goes on.
    await untilRefused(stub);
    await running.sendMessage({}, { end: true });
    assertEquals((await soon(running.recvMessage())).text, "finished");
    assertEquals(await soon(child.line()), "closed");
    assertEquals((await soon(child.leave())).code, 0);
  });
}

for (
  const [first, second] of [
    ["SIGINT", "SIGINT"],
    ["SIGINT", "SIGTERM"],
    ["SIGTERM", "SIGINT"],
    ["SIGTERM", "SIGTERM"],
  ] as const
) {
  Deno.test(`gracefulExit() ends the program with ${128 + SIGNALS[second]} when ${second} comes after ${first}`, async () => {
    await using program = await startProgram();
    const { child, stub } = program;
    const call = stub.unary({});
    call.catch(() => {});
    await Array.fromAsync(stub.serverStream({ count: 1 }));
    child.kill(first);
    // It closes the port, and waits for the call.
    await untilRefused(stub);
    child.kill(second);
    const { code } = await soon(child.leave());
    assertEquals(code, 128 + SIGNALS[second]);
    await assertStatus(Status.UNAVAILABLE, () => call);
  });
}

Deno.test("gracefulExit() aborts the calls after graceMs, and the program ends with 0", async () => {
  await using program = await startProgram(50);
  const { child, stub } = program;
  await using running = stub.clientStream.open();
  await running.sendMessage({});
  await Array.fromAsync(stub.serverStream({ count: 1 }));
  child.kill("SIGTERM");
  await assertStatus(Status.UNAVAILABLE, () => running.recvMessage());
  assertEquals(await soon(child.line()), "closed");
  assertEquals((await soon(child.leave())).code, 0);
});

Deno.test("gracefulExit() goes on as before for drainMs, while the health is NOT_SERVING", async () => {
  const anHourMs = 3_600_000;
  await using program = await startProgram(anHourMs, anHourMs);
  const { child, stub, health } = program;
  await using watch = health.watch.open();
  await watch.sendMessage({}, { end: true });
  const next = async () => (await soon(watch.recvMessage()))?.status;
  assertEquals(await next(), ServingStatus.SERVING);
  child.kill("SIGTERM");
  assertEquals(await next(), ServingStatus.NOT_SERVING);
  // On the same connection, and on one that comes only now.
  await soon(Array.fromAsync(stub.serverStream({ count: 1 })));
  await using late = new Channel("127.0.0.1", program.port);
  await soon(
    Array.fromAsync(createStub(Echo, late).serverStream({ count: 1 })),
  );
  assertEquals(
    (await soon(health.check({}))).status,
    ServingStatus.NOT_SERVING,
  );
  child.kill("SIGTERM");
  assertEquals((await soon(child.leave())).code, 128 + SIGNALS.SIGTERM);
});

Deno.test("gracefulExit() ends the process after the grace, and names the methods that still run", async () => {
  await using program = await startProgram(50);
  const { child, stub } = program;
  // Its handler heeds no signal.
  const calls = [stub.unary({}), stub.unary({})];
  for (const call of calls) call.catch(() => {});
  await using running = stub.clientStream.open();
  await running.sendMessage({});
  await Array.fromAsync(stub.serverStream({ count: 1 }));
  child.kill("SIGTERM");
  for (const call of calls) await assertStatus(Status.UNAVAILABLE, () => call);
  assertEquals(
    await soon(child.line()),
    "Cannot close gracefully, the grace is over and these still run: /grpclib.test.Echo/Unary (2 calls)",
  );
  const { code } = await soon(child.leave());
  assertEquals(code, 128 + SIGNALS.SIGTERM);
});

Deno.test("gracefulExit() listens to its signals until it is disposed of", () => {
  const listening: string[] = [];
  const { addSignalListener, removeSignalListener } = Deno;
  Deno.addSignalListener = (signal, listener) => {
    listening.push(signal);
    addSignalListener(signal, listener);
  };
  Deno.removeSignalListener = (signal, listener) => {
    listening.splice(listening.indexOf(signal), 1);
    removeSignalListener(signal, listener);
  };
  try {
    const exit = gracefulExit([]);
    assertEquals(listening, ["SIGINT", "SIGTERM"]);
    exit[Symbol.dispose]();
    assertEquals(listening, []);
    exit[Symbol.dispose]();
    using _other = gracefulExit([], { signals: ["SIGUSR1"] });
    assertEquals(listening, ["SIGUSR1"]);
  } finally {
    Deno.addSignalListener = addSignalListener;
    Deno.removeSignalListener = removeSignalListener;
  }
  assertEquals(listening, []);
});

Deno.test("gracefulExit() throws when the grace is no number of at least 0", () => {
  for (const graceMs of [-1, NaN]) {
    assertThrows(
      () => gracefulExit([], { graceMs }),
      RangeError,
      "Cannot listen to signals: graceMs must be a number of at least 0",
    );
  }
});
