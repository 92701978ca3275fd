/** `examples/health`, asked by real tools. */

import { assertEquals, assertMatch } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { Greeter } from "../../examples/helloworld/gen/helloworld_pb.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { named, python, runTool, tool } from "../../_testdata/tools.ts";

const GREETER = "helloworld.Greeter";
const CLIENT = new URL("../../_testdata/health_client.py", import.meta.url);

/** Runs the example's server for a test. */
async function withServer(
  test: (address: string, greet: (name: string) => Promise<void>) => Promise<
    void
  >,
): Promise<void> {
  const path = new URL("../../examples/health/server.ts", import.meta.url);
  const server = new ChildProcess([
    "--allow-net=127.0.0.1",
    path.pathname,
    "0",
  ]);
  try {
    const [, address] = /^Serving on (.*)$/.exec((await server.line())!)!;
    await using channel = new Channel(address!);
    const stub = createStub(Greeter, channel);
    await test(address!, async (name) => void await stub.sayHello({ name }));
  } finally {
    server.kill("SIGKILL");
    await server.leave();
  }
}

const probe = tool("grpc-health-probe");

Deno.test({
  name: named("grpc_health_probe asks for the health of a server", {
    "grpc-health-probe": probe,
  }),
  ignore: probe === null,
  fn: () =>
    withServer(async (address, greet) => {
      const ask = async (...args: string[]) => {
        const { code, stdout, stderr } = await runTool(probe!, [
          `-addr=${address}`,
          ...args,
        ]);
        return [code, stdout + stderr] as const;
      };
      const overall = await ask();
      assertEquals(overall[0], 0);
      assertMatch(overall[1], /status: SERVING/);
      assertMatch((await ask("-service", GREETER))[1], /status: SERVING/);

      await greet("Trouble");
      const [code, said] = await ask("-service", GREETER);
      assertEquals(code, 4);
      assertMatch(said, /NOT_SERVING/);
      assertEquals((await ask())[0], 0);

      const [unknown, why] = await ask("-service", "acme.Foo");
      assertEquals(unknown, 3);
      assertMatch(why, /NotFound/);
    }),
});

const PYTHON = python();

Deno.test({
  name: named("the client of grpcio-health-checking asks for the health", {
    python: PYTHON,
  }),
  ignore: PYTHON === null,
  fn: () =>
    withServer(async (address, greet) => {
      const ask = async (...args: string[]) => {
        const { stdout } = await runTool(PYTHON!, [
          CLIENT.pathname,
          address,
          ...args,
        ]);
        return stdout.trim().split("\n");
      };
      assertEquals(await ask("check", ""), ["SERVING"]);
      await greet("Trouble");
      assertEquals(await ask("check", GREETER), ["NOT_SERVING"]);
      assertEquals(await ask("watch", GREETER, "1"), ["NOT_SERVING"]);
      assertEquals(await ask("watch", "acme.Foo", "1"), ["SERVICE_UNKNOWN"]);
      assertEquals(await ask("list"), [
        "=SERVING",
        `${GREETER}=NOT_SERVING`,
      ]);
      assertEquals(await ask("check", "acme.Foo"), [
        'NOT_FOUND: Unknown service: "acme.Foo"',
      ]);
    }),
});
