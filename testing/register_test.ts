/** Tests of services, and what they find left behind. */

import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import { createStub, Server, Status, type Stub } from "@grpclib/grpclib";
import { echo, echoWith } from "../_testdata/echo_service.ts";
import { Echo } from "../_testdata/gen/echo_pb.ts";
import {
  assertRejectsStatus,
  ChannelFor,
  Faults,
  grpcTest,
  VirtualClock,
} from "./mod.ts";

grpcTest(
  "grpcTest() gives a channel to the services, and all the rest",
  [echo],
  async (context) => {
    const { channel, server, faults, t } = context;
    assertInstanceOf(channel, ChannelFor);
    assertInstanceOf(server, Server);
    assertInstanceOf(faults, Faults);
    assertEquals(channel.server, server);
    await t.step("a step", async () => {
      assertEquals(
        (await createStub(Echo, channel).unary({ text: "a" })).text,
        "a",
      );
    });
    assertEquals(context.takeErrors(), []);
  },
);

const buggy = echoWith({
  unary: () => {
    throw new TypeError("a bug");
  },
});

grpcTest(
  "grpcTest() gives what handlers threw when it is asked",
  [buggy],
  async (context) => {
    const { unary } = createStub(Echo, context.channel);
    await assertRejectsStatus(unary({}), Status.UNKNOWN);
    const [first, ...others] = context.takeErrors();
    assertEquals(`${first?.error}`, "TypeError: a bug");
    assertEquals(first?.info.methodName, "/grpclib.test.Echo/Unary");
    assertEquals(others, []);
    assertEquals(context.takeErrors(), []);
  },
);

grpcTest(
  "grpcTest() lets what was cut come to its end",
  [echo],
  async ({ channel, faults }) => {
    const stub = createStub(Echo, channel);
    const calls = [
      stub.unary({ delayMs: 60_000 }),
      Array.fromAsync(stub.serverStream({ delayMs: 60_000, count: 1 })),
    ];
    await stub.unary({});
    faults.cut();
    for (const call of calls) {
      await assertRejectsStatus(
        call,
        Status.UNAVAILABLE,
      );
    }
  },
);

const clock = new VirtualClock();
const order: string[] = [];
let made = 0;

grpcTest<Stub<typeof Echo>>({
  name: "grpcTest() sets up and tears down around the test",
  services() {
    made++;
    return [echo];
  },
  options: { clock, config: { maxReceiveMessageSize: 100 } },
  setUp({ channel }) {
    order.push("set up");
    return createStub(Echo, channel);
  },
  async fn({ channel }, { unary }) {
    order.push("test");
    const late = assertRejectsStatus(
      unary({ delayMs: 60_000 }, { timeoutMs: 30_000 }),
      Status.DEADLINE_EXCEEDED,
    );
    await clock.advance(30_000);
    await late;
    const payload = new Uint8Array(200);
    await assertRejectsStatus(unary({ payload }), Status.RESOURCE_EXHAUSTED);
    assertEquals(channel.state, "READY");
  },
  async tearDown({ channel }, { unary }) {
    order.push("tear down");
    assertEquals((await unary({ text: "still there" })).text, "still there");
    assertEquals(channel.state, "READY");
  },
});

Deno.test("grpcTest() has done so, with services of its own", () => {
  assertEquals(order, ["set up", "test", "tear down"]);
  assertEquals([made, clock.timers], [1, 0]);
});

grpcTest({
  name: "grpcTest() leaves out a test that is to be ignored",
  ignore: true,
  services: () => {
    throw new Error("never");
  },
  fn: () => {},
});

/** Runs `deno test` in a process of its own, and gives what it wrote. */
async function runTests(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--no-check", "--no-prompt", ...args],
    env: { NO_COLOR: "1", MALLOC_PERTURB_: "165" },
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

const hasRun =
  (await Deno.permissions.query({ name: "run", command: Deno.execPath() }))
    .state === "granted";

Deno.test({
  name: "grpcTest() fails tests that leave something behind, and says what",
  // This file is run without permissions, too.
  ignore: !hasRun,
  async fn() {
    const path = new URL("../_testdata/leaky_tests.ts", import.meta.url);
    const { code, output } = await runTests(path.href);
    assertEquals(code, 1);
    assert(output.includes("0 passed | 8 failed"), output);
    for (
      const line of [
        "call that runs: /grpclib.test.Echo/Unary",
        "handler that runs: /grpclib.test.Echo/Unary",
        "connection to in-memory:50051",
        "connection from in-memory",
        "timer of 4321 ms",
        "fault that did not strike: cut at frame 9 of the server",
        "Handler of /grpclib.test.Echo/Unary failed, and the test did not take the error: TypeError: a bug",
        "GRPCError [UNKNOWN]: Internal Server Error",
        "GRPCError [ABORTED]: it failed",
      ]
    ) assert(output.includes(line), `${line}\n\n${output}`);
  },
});

Deno.test({
  name: "ChannelFor, grpcTest and Faults need no permission",
  ignore: !hasRun,
  async fn() {
    const files = ["register", "channel_for", "faults", "virtual_clock"];
    const { code, output } = await runTests(
      ...files.map((name) => import.meta.resolve(`./${name}_test.ts`)),
    );
    assertEquals(code, 0, output);
    assert(/ok \| [0-9]{2} passed/.test(output), output);
  },
});

const backoffClock = new VirtualClock();

grpcTest({
  name: "grpcTest() has the channel connect again at once, by its clock",
  services: [echo],
  options: { clock: backoffClock },
  fn: async ({ channel, faults }) => {
    const stub = createStub(Echo, channel);
    await stub.unary({});
    faults.cut();
    faults.refuse({ times: 1 });
    await assertRejectsStatus(stub.unary({}), Status.UNAVAILABLE);
    let text: string | undefined;
    const call = stub.unary({ text: "again" }, { waitForReady: true })
      .then((reply) => text = reply.text, () => {});
    // Far from a second.
    for (let i = 0; i < 10; i++) await backoffClock.advance(10);
    assertEquals(text, "again");
    await call;
  },
});
