// A channel that is not closed does not keep its process alive, but a call does.

import { assertEquals } from "@std/assert";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { Authority } from "../../_testdata/certificates.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import {
  goOnWell,
  REPLY_MESSAGE,
  shakeHands,
} from "../../_testdata/raw_replies.ts";
import { RawServer, Setting } from "../../_testdata/raw_h2.ts";
import { after, soon } from "../../_testdata/waiting.ts";

function start(what: string, target: string, ...rest: string[]): ChildProcess {
  const program = import.meta.resolve(
    "../../_testdata/exit_by_itself_program.ts",
  );
  return new ChildProcess(["--allow-net", program, what, target, ...rest]);
}

/** Checks that a program gets through, and then exits by itself. */
async function assertExits(program: ChildProcess): Promise<void> {
  assertEquals(await soon(program.line(), "the program"), "done");
  assertEquals((await soon(program.status, "its exit")).code, 0);
}

for (const what of ["one call", "a running call", "a call given up"]) {
  Deno.test(`Channel lets the process exit after ${what}`, async () => {
    await using echo = await startEcho();
    await using program = start(what, `127.0.0.1:${echo.port}`);
    await assertExits(program);
  });
}

Deno.test("Channel lets the process exit when a connection was made, or was not", async () => {
  await using server = new RawServer(async (connection) => {
    await shakeHands(connection);
    await goOnWell(connection);
  });
  {
    await using program = start("a connection", `127.0.0.1:${server.port}`);
    await assertExits(program);
  }
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const target = `127.0.0.1:${listener.addr.port}`;
  await using program = start("a failed connection", target);
  await assertExits(program);
});

for (const tls of [false, true]) {
  Deno.test(
    `Channel lets the process exit when its call failed and a connection ${
      tls ? "with TLS " : ""
    }is not answered`,
    async () => {
      // It accepts connections and says nothing.
      await using server = new RawServer((connection) => connection.end());
      await using program = start(
        "a call given up while it connects",
        `127.0.0.1:${server.port}`,
        ...tls ? [new Authority().cert] : [],
      );
      await assertExits(program);
    },
  );
}

Deno.test("Channel keeps the process alive while a call waits for a stream", async () => {
  await using server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 0]);
    await after(150);
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 1]);
    await goOnWell(connection);
  });
  const target = `127.0.0.1:${server.port}`;
  await using program = start("a waiting call", target);
  await assertExits(program);
});

Deno.test("Channel keeps the process alive when it is asked to", async () => {
  await using echo = await startEcho();
  await using program = start("kept", `127.0.0.1:${echo.port}`);
  assertEquals(await soon(program.line(), "the program"), "done");
  let exited = false;
  program.status.then(() => exited = true);
  await after(150);
  assertEquals(exited, false);
  program.kill();
});

Deno.test("Channel lets the process exit after a call with TLS", async () => {
  const authority = new Authority();
  const server = http2.createSecureServer(
    authority.issue({ commonName: "server" }),
  );
  server.on("stream", (stream) => {
    stream.respond({
      ":status": 200,
      "content-type": "application/grpc",
    }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": 0 }));
    stream.end(REPLY_MESSAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  {
    const target = `127.0.0.1:${port}`;
    await using program = start("one call", target, authority.cert);
    await assertExits(program);
  }
  await new Promise((resolve) => server.close(resolve));
});
