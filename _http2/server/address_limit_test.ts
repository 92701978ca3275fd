import { assertEquals } from "@std/assert";
import { Duplex } from "node:stream";
import { AddressLimit, networkOf } from "./address_limit.ts";

const NETWORKS: readonly (readonly [address: string, network: string])[] = [
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::FFFF:10.1.2.3", "10.1.2.3"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
  ["2001:db8::7", "2001:db8:0:0::/64"],
  ["2001:DB8:1:2::7", "2001:db8:1:2::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
];

for (const [address, network] of NETWORKS) {
  Deno.test(`networkOf() gives ${network} for ${address}`, () => {
    assertEquals(networkOf(address), network);
  });
}

/** A socket that comes from an address, or from none. */
function socketFrom(remoteAddress?: string): Duplex {
  const socket = new Duplex({ read() {}, write: (_, __, done) => done() });
  return Object.assign(socket, { remoteAddress });
}

/** Closes a socket, and waits until it is. */
function close(socket: Duplex): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.once("close", resolve);
  socket.destroy();
  return promise;
}

Deno.test("AddressLimit.admit() counts each address by itself, while its sockets are open", async () => {
  const limit = new AddressLimit(2);
  const first = socketFrom("10.0.0.1");
  assertEquals(limit.admit(first), true);
  assertEquals(limit.admit(socketFrom("::ffff:10.0.0.1")), true);
  assertEquals(limit.admit(socketFrom("10.0.0.1")), false);
  assertEquals(limit.admit(socketFrom("10.0.0.2")), true);
  await close(first);
  assertEquals(limit.admit(socketFrom("10.0.0.1")), true);
  assertEquals(limit.admit(socketFrom("10.0.0.1")), false);
});

Deno.test("AddressLimit.admit() takes any number of sockets without an address", () => {
  const limit = new AddressLimit(1);
  for (let i = 0; i < 3; i++) assertEquals(limit.admit(socketFrom()), true);
});
