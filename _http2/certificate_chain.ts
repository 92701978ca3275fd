/**
 * Who has signed the certificate of a server.
 *
 * `node:tls` of Deno 2.9.6 does not verify the signatures of a certificate of
 * version 1, nor of a chain in which one is not encoded as it should be: it
 * compares names, which anybody can write (docs/security.md, "Forged
 * certificates"). So the signatures are verified here, once more as a rule.
 * Whatever else there is to a chain was looked at by then.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1}
 * @module
 */

import { Buffer } from "node:buffer";
import {
  constants,
  createPublicKey,
  type KeyObject,
  verify,
} from "node:crypto";
import tls from "node:tls";
import { maySeeAuthorities } from "./permission.ts";

/** How many signatures are verified for one chain: as many as Deno verifies. */
const MAX_SIGNATURES = 100;

/** Hash functions by how their algorithm ends. */
const HASHES = ["sha256", "sha384", "sha512"];
const ECDSA = "2a8648ce3d0403";
const ED25519 = "2b6570";
const RSA = "2a864886f70d0101";
const RSA_PSS = `${RSA}0a`;
const SHA_2 = "6086480165030402";

/** A certificate as `node:tls` shows it, with the next of its chain. */
export interface ShownCertificate {
  /** The certificate in DER. */
  readonly raw: Uint8Array;
  /** Whether it is that of an authority. */
  readonly ca?: boolean;
  /** The next; the last may be followed by itself. */
  readonly issuerCertificate?: ShownCertificate | undefined;
}

/** The authorities that a client trusts. */
export class Authorities {
  /** Their public keys, by name. */
  readonly #keys = new Map<string, Buffer[]>();
  readonly #raw = new Set<string>();
  /** Whether the runtime may trust others as well. */
  readonly #areAll: boolean;

  /**
   * @param texts Certificates in PEM, one or more in each.
   * @param areAll Whether these are all that are trusted.
   */
  constructor(texts: readonly string[], areAll: boolean) {
    this.#areAll = areAll;
    for (const text of texts) {
      for (const [, base64] of text.matchAll(PEM_BLOCK)) {
        this.#add(Buffer.from(base64!, "base64"));
      }
    }
  }

  #add(der: Buffer): void {
    let certificate: Certificate;
    try {
      certificate = new Certificate(der, true);
    } catch {
      // The runtime ignores it, too.
      return;
    }
    const { subject, publicKey } = certificate;
    const keys = this.#keys.get(subject);
    if (keys === undefined) this.#keys.set(subject, [publicKey]);
    else keys.push(publicKey);
    this.#raw.add(der.toString("latin1"));
  }

  /**
   * Says what is wrong with the signatures of a chain.
   *
   * @param shown The chain of a server, its own certificate first.
   * @returns What is wrong, or `undefined`.
   */
  faultOf(shown: ShownCertificate): Error | undefined {
    try {
      if (this.#hasSigned(shown)) return undefined;
    } catch {
      // Not encoded as it should be.
    }
    return Object.assign(
      new Error(
        "the server's certificate is not signed by an authority that is trusted (tls.ca)",
      ),
      { code: "CERT_SIGNATURE_FAILURE" },
    );
  }

  #hasSigned(shown: ShownCertificate): boolean {
    const chain = chainOf(shown);
    if (this.#raw.has(chain[0]!.der.toString("latin1"))) return true;
    const unused = chain.slice(1).filter(({ isAuthority }) => isAuthority);
    const signed = chain.slice(0, 1);
    let isKnown = this.#areAll;
    let left = MAX_SIGNATURES;
    for (const certificate of signed) {
      if (!certificate.isVersion3) return false;
      const keys = this.#keys.get(certificate.issuer);
      if (keys !== undefined) isKnown = true;
      for (const key of keys ?? []) {
        if (left-- > 0 && certificate.isSignedBy(key)) return true;
      }
      for (let i = unused.length - 1; i >= 0; i--) {
        const issuer = unused[i]!;
        if (issuer.subject !== certificate.issuer) continue;
        if (left-- > 0 && certificate.isSignedBy(issuer.publicKey)) {
          signed.push(issuer);
          unused.splice(i, 1);
        }
      }
    }
    // Of authorities that are not known here the runtime has to tell: it does,
    // but for certificates of version 1.
    return !isKnown && left > 0 && chain.every((it) => it.isVersion3);
  }
}

/** What PEM has around a certificate. */
const PEM_BLOCK =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([^-]*)-----END/g;

let known: Authorities | undefined;

/**
 * The authorities that the runtime trusts, as far as it tells. Without the
 * permission to look at them there are none.
 */
export function defaultAuthorities(): Authorities {
  const { getCACertificates } = tls as {
    getCACertificates?: (type: "default") => readonly string[];
  };
  return known ??= new Authorities(
    !maySeeAuthorities()
      ? []
      : getCACertificates?.("default") ?? tls.rootCertificates,
    false,
  );
}

/** The certificates that a server has shown, its own first. */
function chainOf(shown: ShownCertificate): Certificate[] {
  const chain: Certificate[] = [];
  const seen = new Set<ShownCertificate>();
  let next: ShownCertificate | undefined = shown;
  while (next !== undefined && !seen.has(next)) {
    seen.add(next);
    chain.push(new Certificate(Buffer.from(next.raw), next.ca === true));
    next = next.issuerCertificate;
  }
  return chain;
}

/** What of a certificate has to do with its signature. */
class Certificate {
  readonly der: Buffer;
  readonly isAuthority: boolean;
  readonly isVersion3: boolean;
  /** The names, in DER. */
  readonly issuer: string;
  readonly subject: string;
  /** The public key, in DER. */
  readonly publicKey: Buffer;
  readonly #signed: Buffer;
  readonly #algorithm: Buffer;
  readonly #signature: Buffer;

  /**
   * @param der The certificate in DER.
   * @param isAuthority Whether it may issue others.
   * @throws {RangeError} If it is cut off.
   */
  constructor(der: Buffer, isAuthority: boolean) {
    this.der = der;
    this.isAuthority = isAuthority;
    const [signed, algorithm, signature] = partsOf(elementAt(der, 0));
    const fields = partsOf(signed!);
    this.isVersion3 = fields[0]!.der[0] === 0xa0;
    // serial number, algorithm, issuer, validity, subject, public key
    const at = this.isVersion3 ? 1 : 0;
    this.issuer = fields[at + 2]!.der.toString("latin1");
    this.subject = fields[at + 4]!.der.toString("latin1");
    this.publicKey = fields[at + 5]!.der;
    this.#signed = signed!.der;
    this.#algorithm = algorithm!.der;
    // A bit string begins with how many bits are not used.
    this.#signature = signature!.content.subarray(1);
  }

  /** Whether it is signed by who has a key. */
  isSignedBy(publicKey: Buffer): boolean {
    try {
      const key = createPublicKey({
        key: publicKey,
        format: "der",
        type: "spki",
      });
      return this.#isSignedBy(key);
    } catch {
      // A key of another kind, or none.
      return false;
    }
  }

  #isSignedBy(key: KeyObject): boolean {
    const [identifier, parameters] = partsOf(elementAt(this.#algorithm, 0));
    const oid = identifier!.content.toString("hex");
    const end = identifier!.content.at(-1)!;
    const signed = this.#signed;
    const signature = this.#signature;
    if (oid === ED25519) return verify(null, signed, key, signature);
    if (oid === RSA_PSS) {
      const hash = HASHES.findIndex((_, i) =>
        parameters!.der.includes(Buffer.from(`${SHA_2}0${i + 1}`, "hex"))
      );
      const saltLength = [32, 48, 64][hash]!;
      const padding = constants.RSA_PKCS1_PSS_PADDING;
      return verify(
        HASHES[hash],
        signed,
        { key, padding, saltLength },
        signature,
      );
    }
    const hash = oid.startsWith(ECDSA)
      ? HASHES[end - 2]
      : oid.startsWith(RSA)
      ? HASHES[end - 11]
      : undefined;
    return hash !== undefined && verify(hash, signed, key, signature);
  }
}

/** A value in DER, and what is in it. */
interface Element {
  readonly der: Buffer;
  readonly content: Buffer;
}

/** Reads the value that begins at a byte. */
function elementAt(bytes: Buffer, start: number): Element {
  let at = start + 2;
  let length = bytes[start + 1]!;
  if (length >= 0x80) {
    const size = length - 0x80;
    length = bytes.readUIntBE(at, size);
    at += size;
  }
  const end = at + length;
  if (!(end <= bytes.length)) throw new RangeError("Cannot read DER: cut off");
  return { der: bytes.subarray(start, end), content: bytes.subarray(at, end) };
}

/** Reads all values in another. */
function partsOf({ content }: Element): Element[] {
  const parts: Element[] = [];
  for (let at = 0; at < content.length; at += parts.at(-1)!.der.length) {
    parts.push(elementAt(content, at));
  }
  return parts;
}
