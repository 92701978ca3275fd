/**
 * Whose certificates a server has verified.
 *
 * A session of TLS that is resumed has the certificate of the connection on
 * which it was begun, and nobody verifies it again. On Deno 2.9.6 the tickets of
 * all servers of a process are good for all of them, and what one of them found
 * out about a certificate is forgotten: one that knows nothing of certificates,
 * or lets those in that it does not trust, would issue tickets for the next.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc8446#section-4.6.1}
 * @see {@link https://www.rfc-editor.org/rfc/rfc8446#section-8.1}
 * @module
 */

import type { DetailedPeerCertificate, TLSSocket } from "node:tls";

/** How many certificates are remembered: those that were shown last. */
const MOST_REMEMBERED = 10_000;

/** What is read of a socket of `node:tls`. */
export type ClientSocket = Pick<
  TLSSocket,
  "authorized" | "getPeerCertificate" | "isSessionReused"
>;

/** The certificates that the clients of a server have shown and were verified. */
export class VerifiedClients {
  /** Their SHA-256 digests, of those shown last at the end. */
  readonly #fingerprints = new Set<string>();

  /**
   * Says whether a client has shown a certificate that this server has verified:
   * in this handshake, or before where the session is resumed.
   *
   * @param socket The socket, after the handshake.
   */
  has(socket: ClientSocket): boolean {
    // Without a certificate there is an empty object, or null when the socket is
    // already gone.
    const { fingerprint256, valid_to } = (socket.getPeerCertificate() ??
      {}) as Partial<DetailedPeerCertificate>;
    if (!socket.authorized || fingerprint256 === undefined) return false;
    const wasVerified = this.#fingerprints.delete(fingerprint256);
    if (
      socket.isSessionReused() &&
      !(wasVerified && Date.parse(valid_to!) > Date.now())
    ) return false;
    this.#fingerprints.add(fingerprint256);
    if (this.#fingerprints.size > MOST_REMEMBERED) {
      const [oldest] = this.#fingerprints;
      this.#fingerprints.delete(oldest!);
    }
    return true;
  }
}
