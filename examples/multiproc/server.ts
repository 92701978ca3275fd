/**
 * Serves on all cores: one process for each, and one port for all.
 *
 *     deno run --allow-net=127.0.0.1 --allow-run=deno \
 *       examples/multiproc/server.ts [port] [processes]
 *
 * Each process listens on the same port with `reusePort`, and the system gives
 * each new connection to one of them. On Linux it spreads them evenly.
 *
 * @module
 */

import {
  gracefulExit,
  Server,
  type ServerStream,
} from "@grpclib/grpclib/server";
import { PrimeCheckerBase } from "./gen/prime_grpc.ts";
import type { Candidate, Verdict } from "./gen/prime_pb.ts";

class PrimeChecker extends PrimeCheckerBase {
  override async check(
    stream: ServerStream<Candidate, Verdict>,
  ): Promise<void> {
    const { value } = await stream.recvMessage();
    await stream.sendMessage({ isPrime: isPrime(value), pid: Deno.pid });
  }
}

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return value > 1;
}

/** One of the processes that serve. */
async function serve(port: number): Promise<void> {
  const server = new Server([new PrimeChecker()]);
  using _exit = gracefulExit([server]);
  await server.start("127.0.0.1", port, { reusePort: true });
  console.log(`Process ${Deno.pid} serves on ${server.address}`);
  await server.waitClosed();
}

/** Starts those processes, and waits for them. */
async function supervise(port: number, count: number): Promise<void> {
  const children = Array.from(
    { length: count },
    () =>
      new Deno.Command("deno", {
        args: [
          "run",
          "--allow-net=127.0.0.1",
          import.meta.filename!,
          `${port}`,
          "serve",
        ],
      }).spawn(),
  );
  // A terminal sends SIGINT to all of them by itself; a second signal would end
  // them at once.
  const onInterrupt = () => {};
  const onTerminate = () => {
    for (const child of children) child.kill("SIGTERM");
  };
  Deno.addSignalListener("SIGINT", onInterrupt);
  Deno.addSignalListener("SIGTERM", onTerminate);
  await Promise.all(children.map(({ status }) => status));
  Deno.removeSignalListener("SIGINT", onInterrupt);
  Deno.removeSignalListener("SIGTERM", onTerminate);
}

const [port = "50051", role = `${navigator.hardwareConcurrency}`] = Deno.args;
if (role === "serve") await serve(+port);
else await supervise(+port, +role);
