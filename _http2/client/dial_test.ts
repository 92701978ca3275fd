/** From a target to a socket. */

import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertStrictEquals,
} from "@std/assert";
import net from "node:net";
import { soon, turns } from "../../_testdata/waiting.ts";
import { type Connect, Dial, type Endpoint } from "./dial.ts";

const ENDPOINT: Endpoint = { hostname: "example.com", port: 80 };

/** How a host answers: it takes connections, refuses them, or is silent. */
type Host = "takes" | "refuses" | "is silent" | "is denied";

/** Makes sockets that do as they are told. */
function fake(host: Host): { connect: Connect; sockets: net.Socket[] } {
  const sockets: net.Socket[] = [];
  const connect = () => {
    if (host === "is denied") throw new Error("No permission");
    const socket = new net.Socket();
    sockets.push(socket);
    setTimeout(() => {
      if (host === "takes") socket.emit("connect");
      if (host === "refuses") socket.destroy(new Error("refused"));
    }, 0);
    return socket;
  };
  return { connect, sockets };
}

/** Dials, and tells how that ended. */
async function dial(
  endpoint: Endpoint,
  connect: Connect,
): Promise<net.Socket | Error> {
  const { promise, resolve } = Promise.withResolvers<net.Socket | Error>();
  new Dial(endpoint, { onSocket: resolve, onFailure: resolve }, connect);
  return await soon(promise);
}

Deno.test("Dial connects by name, address or path", async () => {
  const wishes: net.NetConnectOpts[] = [];
  const { connect } = fake("takes");
  const note: Connect = (options) => {
    wishes.push(options);
    return connect(options);
  };
  await dial(ENDPOINT, note);
  await dial({ hostname: "::1", port: 1 }, note);
  await dial({ path: "/run/x.sock" }, note);
  const families = {
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: 250,
  };
  assertEquals(wishes, [
    { host: "example.com", port: 80, ...families },
    { host: "::1", port: 1, ...families },
    { path: "/run/x.sock" },
  ]);
});

Deno.test("Dial fails with the error of the socket, later and not at once", async () => {
  for (
    const [host, message] of [
      ["refuses", "refused"],
      ["is denied", "No permission"],
    ] as const
  ) {
    let told: Error | undefined;
    new Dial(ENDPOINT, {
      onSocket: () => {},
      onFailure: (error) => told = error,
    }, fake(host).connect);
    assertEquals(told, undefined);
    await turns(2);
    assertEquals(told?.message, message);
  }
});

Deno.test("Dial names the flag when the permission to look a name up is missing", async () => {
  const denied = new Error("getaddrinfo EPERM example.com");
  const error = await dial(ENDPOINT, () => {
    const socket = new net.Socket();
    setTimeout(() => socket.destroy(denied), 0);
    return socket;
  });
  assertInstanceOf(error, Error);
  assertEquals(
    error.message,
    'Requires net access to "example.com:80", run again with the --allow-net flag',
  );
  assertStrictEquals(error.cause, denied);
});

Deno.test("Dial.cancel() gives up, and tells nothing", async () => {
  for (const host of ["takes", "refuses", "is silent", "is denied"] as const) {
    for (const turnsBefore of [0, 1]) {
      const { connect, sockets } = fake(host);
      let told = 0;
      const dial = new Dial(ENDPOINT, {
        onSocket: () => turnsBefore === 0 && told++,
        onFailure: () => turnsBefore === 0 && told++,
      }, connect);
      await turns(turnsBefore);
      dial.cancel();
      await turns(3);
      assertEquals(told, 0);
      if (host === "is silent") assert(sockets[0]!.destroyed);
    }
  }
});
