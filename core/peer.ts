/**
 * The other side of a connection.
 *
 * @module
 */

/** Where a peer is: a host and port, or the path of a Unix domain socket. */
export type PeerAddress =
  | {
    /** The name or address of the host; an IPv6 address has no brackets. */
    readonly hostname: string;
    /** The TCP port. */
    readonly port: number;
  }
  | {
    /** The path of the socket in the file system. */
    readonly path: string;
  };

/** The parts of a distinguished name, such as `{ CN: "localhost" }`. */
export type PeerCertificateName = Readonly<
  Record<string, string | readonly string[]>
>;

/** The certificate that a peer showed in the TLS handshake. */
export interface PeerCertificate {
  /** Whom the certificate is for. */
  readonly subject: PeerCertificateName;
  /** Who signed the certificate. */
  readonly issuer: PeerCertificateName;
  /** The further names, as `"DNS:localhost, IP Address:127.0.0.1"`. */
  readonly subjectAltName?: string;
  /** The certificate itself, in DER. */
  readonly raw: Uint8Array;
  /** The SHA-256 digest of the certificate, in pairs of hexadecimal digits joined by colons. */
  readonly fingerprint256: string;
  /** The serial number, in hexadecimal digits. */
  readonly serialNumber: string;
  /** The first moment at which the certificate is valid, as text. */
  readonly validFrom: string;
  /** The last moment at which the certificate is valid, as text. */
  readonly validTo: string;
}

/**
 * The other side of a connection.
 *
 * @example Usage
 * ```ts
 * import { Peer } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const peer = new Peer({ hostname: "::1", port: 50051 });
 *
 * assertEquals(`${peer}`, "[::1]:50051");
 * assertEquals(peer.cert, null);
 * ```
 */
export class Peer {
  /** Where the peer is, or `null` for a connection in memory. */
  readonly addr: PeerAddress | null;

  /** The certificate that the peer showed, or `null` when it showed none. */
  readonly cert: PeerCertificate | null;

  /**
   * Creates a peer from what is known of it.
   *
   * @param addr Where the peer is, or `null` for a connection in memory.
   * @param cert The certificate that the peer showed, if any.
   */
  constructor(addr: PeerAddress | null, cert: PeerCertificate | null = null) {
    this.addr = addr;
    this.cert = cert;
  }

  /**
   * Writes the address as a gRPC target does.
   *
   * @returns The address, such as `"127.0.0.1:50051"`, `"[::1]:50051"`,
   * `"unix:/run/x.sock"` or `"in-memory"`.
   *
   * @example Usage
   * ```ts
   * import { Peer } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Peer({ path: "/run/x.sock" }).toString(), "unix:/run/x.sock");
   * assertEquals(new Peer(null).toString(), "in-memory");
   * ```
   */
  toString(): string {
    const { addr } = this;
    if (addr === null) return "in-memory";
    if ("path" in addr) return `unix:${addr.path}`;
    // Only an IPv6 address has a colon of its own (RFC 3986, section 3.2.2).
    const host = addr.hostname.includes(":")
      ? `[${addr.hostname}]`
      : addr.hostname;
    return `${host}:${addr.port}`;
  }
}
