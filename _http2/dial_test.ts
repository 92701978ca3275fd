/** From a target to a socket: one address after the other. */

import {
  assert,
  assertEquals,
  assertGreaterOrEqual,
  assertInstanceOf,
  assertLess,
  assertStringIncludes,
} from "@std/assert";
import type { LookupAddress } from "node:dns";
import net from "node:net";
import { soon, turns } from "../_testdata/waiting.ts";
import { Dial, type Endpoint, interleave, type System } from "./dial.ts";

const V4 = { address: "192.0.2.1", family: 4 };
const OTHER_V4 = { address: "192.0.2.2", family: 4 };
const V6 = { address: "2001:db8::1", family: 6 };
const ENDPOINT: Endpoint = { hostname: "example.com", port: 80 };

/** How a host answers: it takes connections, refuses them, or is silent. */
type Host = "takes" | "refuses" | "is silent" | "is denied";

/** Names, hosts and sockets, all made up. */
class FakeSystem implements System {
  /** What was connected to, and when. */
  readonly attempts: { readonly host: string; readonly at: number }[] = [];
  readonly sockets: net.Socket[] = [];
  readonly #addresses: readonly LookupAddress[] | Error;
  readonly #hosts: Readonly<Record<string, Host>>;

  constructor(
    addresses: readonly LookupAddress[] | Error,
    hosts: Readonly<Record<string, Host>>,
  ) {
    this.#addresses = addresses;
    this.#hosts = hosts;
  }

  lookup(
    _hostname: string,
    callback: (error: Error | null, addresses: LookupAddress[]) => void,
  ): void {
    const addresses = this.#addresses;
    setTimeout(() => {
      if (addresses instanceof Error) callback(addresses, []);
      else callback(null, [...addresses]);
    }, 0);
  }

  connect(options: net.NetConnectOpts): net.Socket {
    const { host = "" } = options as net.TcpNetConnectOpts;
    this.attempts.push({ host, at: performance.now() });
    const behaviour = this.#hosts[host];
    if (behaviour === "is denied") throw new Error(`No permission for ${host}`);
    const socket = new net.Socket();
    this.sockets.push(socket);
    setTimeout(() => {
      if (behaviour === "takes") socket.emit("connect");
      if (behaviour === "refuses") {
        socket.destroy(new Error(`${host} refuses`));
      }
    }, 0);
    return socket;
  }
}

/** Dials, and tells how that ended. */
async function dial(system: FakeSystem): Promise<net.Socket | Error> {
  const { promise, resolve } = Promise.withResolvers<net.Socket | Error>();
  new Dial(ENDPOINT, { onSocket: resolve, onFailure: resolve }, system);
  return await soon(promise);
}

function hostsOf({ attempts }: FakeSystem): string[] {
  return attempts.map(({ host }) => host);
}

Deno.test("Dial connects to the first address that takes connections", async () => {
  const system = new FakeSystem([V6, V4, OTHER_V4], {
    [V6.address]: "takes",
    [V4.address]: "takes",
  });
  const socket = await dial(system);
  assertEquals(socket, system.sockets[0]);
  assertEquals(hostsOf(system), [V6.address]);
});

Deno.test("Dial tries the next address at once when one refuses", async () => {
  const system = new FakeSystem([V6, V4, OTHER_V4], {
    [V6.address]: "refuses",
    [V4.address]: "is denied",
    [OTHER_V4.address]: "takes",
  });
  const start = performance.now();
  assertEquals(await dial(system), system.sockets[1]);
  assertEquals(hostsOf(system), [V6.address, V4.address, OTHER_V4.address]);
  assertLess(performance.now() - start, 200);
});

Deno.test("Dial gives a silent address a head start of 250 ms before the next", async () => {
  const system = new FakeSystem([V6, V4], {
    [V6.address]: "is silent",
    [V4.address]: "takes",
  });
  assertEquals(await dial(system), system.sockets[1]);
  const [first, second] = system.attempts;
  assertGreaterOrEqual(second!.at - first!.at, 245);
  // Nobody needs the first any more.
  assert(system.sockets[0]!.destroyed);
  assertEquals(system.sockets[1]!.destroyed, false);
});

Deno.test("Dial fails with the error of the only address, or else with all of them", async () => {
  const one = new FakeSystem([V4], { [V4.address]: "refuses" });
  const error = await dial(one);
  assertInstanceOf(error, Error);
  assertEquals(error.message, "192.0.2.1 refuses");
  const many = new FakeSystem([V6, V4, OTHER_V4], {
    [V6.address]: "refuses",
    [V4.address]: "is denied",
    [OTHER_V4.address]: "refuses",
  });
  const all = await dial(many);
  assertInstanceOf(all, AggregateError);
  assertEquals(
    all.message,
    "2001:db8::1 refuses; No permission for 192.0.2.1; 192.0.2.2 refuses",
  );
});

Deno.test("Dial fails when the name has no address, or cannot be looked up", async () => {
  const nothing = await dial(new FakeSystem([], {}));
  assertInstanceOf(nothing, Error);
  assertStringIncludes(nothing.message, "no address found");
  assertStringIncludes(nothing.message, "example.com");
  const error = new Error("getaddrinfo ENOTFOUND example.com");
  assertEquals(await dial(new FakeSystem(error, {})), error);
});

Deno.test("Dial fails later, and not at once, when nothing can be connected", async () => {
  const system = new FakeSystem([], { "": "is denied" });
  let error: unknown;
  new Dial({ path: "/run/x.sock" }, {
    onSocket: () => {},
    onFailure: (reason) => error = reason,
  }, system);
  assertEquals(error, undefined);
  await turns(1);
  assertInstanceOf(error, Error);
});

Deno.test("Dial.cancel() gives all up, and tells nothing", async () => {
  for (const host of ["takes", "refuses", "is silent", "is denied"] as const) {
    for (const turnsBefore of [0, 1]) {
      const system = new FakeSystem([V4, OTHER_V4], { [V4.address]: host });
      let told = 0;
      const dial = new Dial(ENDPOINT, {
        onSocket: () => turnsBefore === 0 && told++,
        onFailure: () => told++,
      }, system);
      await turns(turnsBefore);
      dial.cancel();
      await turns(3);
      assertEquals(told, 0);
    }
  }
});

Deno.test("interleave() lets the families alternate, the first one's first", () => {
  assertEquals(interleave([]), []);
  assertEquals(interleave([V4, OTHER_V4, V6]), [V4, V6, OTHER_V4]);
  assertEquals(interleave([V6, V4, OTHER_V4]), [V6, V4, OTHER_V4]);
  assertEquals(interleave([V4, OTHER_V4]), [V4, OTHER_V4]);
});
