import { assertEquals } from "@std/assert";
import { type ClientSocket, VerifiedClients } from "./verified_clients.ts";

const NEXT_WEEK = new Date(Date.now() + 7 * 86_400_000).toUTCString();
const LAST_WEEK = new Date(Date.now() - 7 * 86_400_000).toUTCString();

/** A socket whose client has shown a certificate, in a session or before it. */
function socket(
  fingerprint256: string,
  { authorized = true, isResumed = false, valid_to = NEXT_WEEK } = {},
): ClientSocket {
  return {
    authorized,
    getPeerCertificate: () => ({ fingerprint256, valid_to }),
    isSessionReused: () => isResumed,
  } as unknown as ClientSocket;
}

Deno.test("VerifiedClients has what was verified in the handshake, and in an earlier one", () => {
  const clients = new VerifiedClients();
  assertEquals(clients.has(socket("A", { isResumed: true })), false);
  assertEquals(clients.has(socket("A")), true);
  assertEquals(clients.has(socket("A", { isResumed: true })), true);
  assertEquals(clients.has(socket("A", { isResumed: true })), true);
  assertEquals(clients.has(socket("B", { isResumed: true })), false);
});

Deno.test("VerifiedClients has no certificate that was not verified, or is expired by now", () => {
  const clients = new VerifiedClients();
  assertEquals(clients.has(socket("A", { authorized: false })), false);
  assertEquals(clients.has(socket("A", { isResumed: true })), false);
  assertEquals(clients.has(socket("B")), true);
  const expired = { isResumed: true, valid_to: LAST_WEEK };
  assertEquals(clients.has(socket("B", expired)), false);
});

Deno.test("VerifiedClients has none when there is no certificate, or no socket any more", () => {
  const clients = new VerifiedClients();
  for (const certificate of [null, {}]) {
    const empty = {
      ...socket("A"),
      getPeerCertificate: () => certificate,
    } as unknown as ClientSocket;
    assertEquals(clients.has(empty), false);
  }
});

Deno.test("VerifiedClients forgets those that were shown longest ago when there are too many", () => {
  const clients = new VerifiedClients();
  for (const name of ["A", "B", "A"]) clients.has(socket(name));
  for (let i = 0; i < 9_999; i++) clients.has(socket(`${i}`));
  assertEquals(clients.has(socket("A", { isResumed: true })), true);
  assertEquals(clients.has(socket("B", { isResumed: true })), false);
});
