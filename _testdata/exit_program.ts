/**
 * A server that ends by signals, for the tests of gracefulExit:
 * `exit_program.ts [graceMs] [drainMs]`. It writes its port, and "closed" in the end.
 */

// deno-lint-ignore-file no-console

import { Health } from "../health/mod.ts";
import { gracefulExit, Server } from "../server.ts";
import { echoWith } from "./echo_service.ts";

// To be read with the rest.
console.error = console.log;

const [graceMs, drainMs] = Deno.args;
const server = new Server([
  echoWith({
    // Waits for the end of the requests, whatever else happens.
    async clientStream(stream) {
      while (await stream.recvMessage() !== null);
      await stream.sendMessage({ text: "finished" });
    },
    // Never ends, and lets nobody call it off.
    unary: () =>
      new Promise(() => {
        setInterval(() => {}, 1000);
      }),
  }),
  new Health(),
]);
{
  using _exit = gracefulExit([server], {
    ...(graceMs === undefined ? {} : { graceMs: Number(graceMs) }),
    ...(drainMs === undefined ? {} : { drainMs: Number(drainMs) }),
  });
  await server.start("127.0.0.1");
  console.log(server.port);
  await server.waitClosed();
}
// Nothing is left that would keep the process: it ends by itself.
console.log("closed");
