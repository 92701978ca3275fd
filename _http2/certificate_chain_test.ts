import { assertEquals, assertInstanceOf } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { Authority } from "../_testdata/certificates.ts";
import {
  Authorities,
  defaultAuthorities,
  type ShownCertificate,
} from "./certificate_chain.ts";

const AUTHORITY = new Authority();
/** Another, of the same name. */
const FORGER = new Authority();

/** Certificates as a server shows them, its own first. */
function shown(...chain: string[]): ShownCertificate {
  let next: ShownCertificate | undefined;
  for (const text of chain.reverse()) {
    const { raw, ca } = new X509Certificate(text);
    next = { raw, ca, issuerCertificate: next };
  }
  return next!;
}

/** Whether a chain is signed by an authority. */
function isSigned(
  chain: readonly string[],
  trusted: readonly string[] = [AUTHORITY.cert],
): boolean {
  return new Authorities(trusted, true).faultOf(shown(...chain)) === undefined;
}

Deno.test("Authorities take a chain of any length that ends with one of them", () => {
  const chain: string[] = [];
  let issuer = AUTHORITY;
  for (const name of ["one", "two", "three"]) {
    const { cert } = issuer.issue({ commonName: "server" });
    assertEquals(isSigned([cert, ...chain]), true);
    // In any order, and with others.
    assertEquals(isSigned([cert, FORGER.cert, ...chain.toReversed()]), true);
    if (chain.length > 0) assertEquals(isSigned([cert]), false);
    issuer = new Authority(name, { issuer });
    chain.unshift(issuer.cert);
  }
});

Deno.test("Authorities take their own certificates, and one of several in a text", () => {
  assertEquals(isSigned([AUTHORITY.cert]), true);
  const { cert } = AUTHORITY.issue({ commonName: "server" });
  assertEquals(isSigned([cert], [FORGER.cert + AUTHORITY.cert]), true);
  assertEquals(isSigned([cert], [FORGER.cert, AUTHORITY.cert]), true);
  assertEquals(isSigned([cert], [FORGER.cert]), false);
  assertEquals(isSigned([cert], ["none"]), false);
});

Deno.test("Authorities refuse what somebody of their name has signed", () => {
  for (const version of [1, 3] as const) {
    const own = FORGER.issue({ commonName: "localhost", version });
    assertEquals(isSigned([own.cert]), false);
    const between = new Authority("Between", { issuer: FORGER, version });
    const { cert } = between.issue({ commonName: "server" });
    assertEquals(isSigned([cert, between.cert]), false);
    assertEquals(isSigned([cert, between.cert, AUTHORITY.cert]), false);
  }
});

Deno.test("Authorities refuse what was signed by no authority, or in version 1", () => {
  const between = new Authority("Between", { issuer: AUTHORITY, version: 1 });
  const { cert } = between.issue({ commonName: "server" });
  assertEquals(isSigned([cert, between.cert]), false);
  const own = AUTHORITY.issue({ commonName: "localhost", version: 1 });
  assertEquals(isSigned([own.cert]), false);
  const good = new Authority("Between", { issuer: AUTHORITY });
  const chain = shown(good.issue({ commonName: "server" }).cert, good.cert);
  const next = { ...chain.issuerCertificate!, ca: false };
  const authorities = new Authorities([AUTHORITY.cert], true);
  assertEquals(authorities.faultOf(chain), undefined);
  assertInstanceOf(
    authorities.faultOf({ ...chain, issuerCertificate: next }),
    Error,
  );
});

Deno.test("Authorities refuse each certificate of which a byte is another, or the end is missing", () => {
  const { raw } = shown(AUTHORITY.issue({ commonName: "server" }).cert);
  const authorities = new Authorities([AUTHORITY.cert], true);
  // The first of its fields is all that is signed.
  const end = 4 +
    (raw[5] === 0x81 ? 3 + raw[6]! : 4 + (raw[6]! << 8) + raw[7]!);
  for (let i = 4; i < end; i++) {
    const other = Uint8Array.from(raw);
    other[i]! ^= 1;
    assertInstanceOf(authorities.faultOf({ raw: other }), Error);
  }
  for (let i = 0; i < raw.length; i++) {
    assertInstanceOf(authorities.faultOf({ raw: raw.subarray(0, i) }), Error);
  }
});

Deno.test("Authorities verify no more than a hundred signatures", () => {
  const many = Array.from({ length: 120 }, () => FORGER.cert);
  const { cert } = AUTHORITY.issue({ commonName: "server" });
  assertEquals(isSigned([cert], [...many.slice(0, 90), AUTHORITY.cert]), true);
  assertEquals(isSigned([cert], [...many, AUTHORITY.cert]), false);
});

Deno.test("defaultAuthorities() say nothing of authorities that they do not know, but that version 1 is too old", () => {
  const { cert } = AUTHORITY.issue({ commonName: "server" });
  assertEquals(defaultAuthorities().faultOf(shown(cert)), undefined);
  const old = AUTHORITY.issue({ commonName: "localhost", version: 1 });
  const between = new Authority("Between", { issuer: FORGER, version: 1 });
  const own = between.issue({ commonName: "server" });
  for (const chain of [[old.cert], [own.cert, between.cert]]) {
    assertInstanceOf(defaultAuthorities().faultOf(shown(...chain)), Error);
  }
});
