import { assertEquals, assertStrictEquals } from "@std/assert";
import { Peer, type PeerAddress, type PeerCertificate } from "./peer.ts";

Deno.test("Peer.toString() writes the address as a target", () => {
  const cases: [PeerAddress | null, string][] = [
    [{ hostname: "127.0.0.1", port: 50051 }, "127.0.0.1:50051"],
    [{ hostname: "example.com", port: 443 }, "example.com:443"],
    [{ hostname: "::1", port: 50051 }, "[::1]:50051"],
    [{ hostname: "fe80::1%eth0", port: 1 }, "[fe80::1%eth0]:1"],
    [{ path: "/run/x.sock" }, "unix:/run/x.sock"],
    [null, "in-memory"],
  ];
  for (const [addr, text] of cases) {
    assertEquals(new Peer(addr).toString(), text);
    assertEquals(`${new Peer(addr)}`, text);
  }
});

Deno.test("Peer keeps the address", () => {
  const addr = { hostname: "127.0.0.1", port: 1 };
  assertStrictEquals(new Peer(addr).addr, addr);
  assertStrictEquals(new Peer(null).addr, null);
});

Deno.test("Peer has a certificate only when given one", () => {
  const cert: PeerCertificate = {
    subject: { CN: "localhost", OU: ["a", "b"] },
    issuer: { CN: "ca" },
    raw: new Uint8Array([0x30]),
    fingerprint256: "AB:CD",
    serialNumber: "01",
    validFrom: "Jan  1 00:00:00 2026 GMT",
    validTo: "Jan  1 00:00:00 2027 GMT",
  };
  assertStrictEquals(new Peer(null, cert).cert, cert);
  assertStrictEquals(new Peer(null).cert, null);
});
