/**
 * Certificates made on the spot: a test needs no key in the repository and no
 * other program.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc5280#section-4.1}
 * @module
 */

import { Buffer } from "node:buffer";
import {
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import net from "node:net";

/** A certificate and its key, in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate says. */
export interface CertificateOptions {
  /** The common name of its subject. */
  readonly commonName: string;
  /**
   * What it is for: DNS names, IP addresses and URIs.
   *
   * @default {["localhost"]}
   */
  readonly hosts?: readonly string[];
  /**
   * How many days ago it became valid, for a week in all.
   *
   * @default {1}
   */
  readonly daysOld?: number;
  /**
   * The version of X.509. In version 1 there are no hosts.
   *
   * @default {3}
   */
  readonly version?: 1 | 3;
}

/** What the certificate of an authority says. */
export interface AuthorityOptions {
  /** Who issues it; the authority itself if nobody else. */
  readonly issuer?: Authority;
  /**
   * The version of X.509.
   *
   * @default {3}
   */
  readonly version?: 1 | 3;
}

/** An authority that issues certificates. */
export class Authority {
  /** The authority's own certificate, in PEM. */
  readonly cert: string;
  readonly #name: Buffer;
  readonly #key: KeyObject;

  /**
   * @param commonName The name of the authority.
   * @param options What its certificate says.
   */
  constructor(
    commonName = "Test authority",
    { issuer, version = 3 }: AuthorityOptions = {},
  ) {
    const { privateKey, publicKey } = keyPair();
    this.#name = distinguishedName(commonName);
    this.#key = privateKey;
    this.cert = (issuer ?? this).#sign(
      version,
      this.#name,
      publicKey,
      validity(1),
      // basicConstraints: CA
      extension("551d13", seq(der(0x01, Buffer.of(0xff)))),
    );
  }

  /** Issues a certificate. */
  issue(options: CertificateOptions): KeyPair {
    const { commonName, hosts = ["localhost"], daysOld = 1, version = 3 } =
      options;
    const { privateKey, publicKey } = keyPair();
    const cert = this.#sign(
      version,
      distinguishedName(commonName),
      publicKey,
      validity(daysOld),
      // subjectAltName
      extension("551d11", seq(...hosts.map(generalName))),
    );
    const key = privateKey.export({ type: "pkcs8", format: "pem" });
    return { cert, key: key.toString() };
  }

  #sign(
    version: 1 | 3,
    subject: Buffer,
    publicKey: KeyObject,
    valid: Buffer,
    extensions: Buffer,
  ): string {
    const body = seq(
      ...(version === 3 ? [der(0xa0, der(0x02, Buffer.of(2)))] : []),
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])), // serial number
      ECDSA_WITH_SHA256,
      this.#name,
      valid,
      subject,
      publicKey.export({ type: "spki", format: "der" }) as Buffer,
      ...(version === 3 ? [der(0xa3, seq(extensions))] : []),
    );
    const signature = sign("sha256", body, this.#key);
    return pem(seq(body, ECDSA_WITH_SHA256, bits(signature)));
  }
}

const ECDSA_WITH_SHA256 = seq(oid("2a8648ce3d040302"));
const COMMON_NAME = oid("550403");
const DAY_MS = 86_400_000;

function keyPair(): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "P-256" });
}

function distinguishedName(commonName: string): Buffer {
  return seq(
    der(0x31, seq(COMMON_NAME, der(0x0c, Buffer.from(commonName)))),
  );
}

function validity(daysOld: number): Buffer {
  const from = Date.now() - daysOld * DAY_MS;
  return seq(time(from), time(from + 7 * DAY_MS));
}

function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return der(0x17, Buffer.from(text.slice(2)));
}

function generalName(host: string): Buffer {
  if (net.isIPv4(host)) {
    return der(0x87, Buffer.from(host.split(".").map(Number)));
  }
  if (host === "::1") return der(0x87, Buffer.alloc(16).fill(1, 15));
  return der(host.includes(":") ? 0x86 : 0x82, Buffer.from(host));
}

/** An extension that everybody has to understand. */
function extension(id: string, value: Buffer): Buffer {
  return seq(oid(id), der(0x01, Buffer.of(0xff)), der(0x04, value));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function bits(bytes: Buffer): Buffer {
  return der(0x03, Buffer.concat([Buffer.of(0), bytes]));
}

function seq(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

/** One value in DER: its tag, its length, its bytes. */
function der(tag: number, bytes: Buffer): Buffer {
  const { length } = bytes;
  const head = length < 0x80
    ? [tag, length]
    : length < 0x100
    ? [tag, 0x81, length]
    : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), bytes]);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${
    lines.join("\n")
  }\n-----END CERTIFICATE-----\n`;
}
