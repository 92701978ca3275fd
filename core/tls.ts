/**
 * Options for encrypted connections.
 *
 * @module
 */

import type { PeerCertificate } from "./peer.ts";

/**
 * Certificates or a private key in PEM: the text itself, `-----BEGIN …`, or
 * its bytes. Not the name of a file: the library reads none.
 */
export type PEM = string | Uint8Array;

/** What both sides can say about encryption. */
export interface TLSOptions {
  /**
   * The oldest version of TLS to speak.
   *
   * @default {"TLSv1.2"}
   */
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  /**
   * What the private key is encrypted with.
   *
   * @default {undefined} for a key that is not
   */
  readonly passphrase?: string;
}

/** Options for the encryption of a channel. */
export interface ChannelTLSOptions extends TLSOptions {
  /**
   * The authorities whose servers are trusted, in place of those that the
   * runtime trusts.
   *
   * @default {undefined} for those of the runtime
   */
  readonly ca?: PEM | readonly PEM[];
  /**
   * The certificate to show to a server that asks for one, followed by those
   * between it and the authority; needs a {@linkcode key}.
   *
   * @default {undefined} for none
   */
  readonly cert?: PEM;
  /**
   * The private key of {@linkcode cert}.
   *
   * @default {undefined} for none
   */
  readonly key?: PEM;
  /**
   * The host name to ask for and to look for in the server's certificate.
   *
   * @default {config.tlsTargetNameOverride}, or else the host of the target
   */
  readonly serverName?: string;
  /**
   * Decides whether a certificate, already found to come from a trusted
   * authority, is the server's. It takes the place of the usual check, that the
   * certificate names the host.
   *
   * @param hostname The name that is expected.
   * @param certificate The server's certificate.
   * @returns What is wrong, or `undefined` to accept. Whatever else comes, a
   * promise or an exception, refuses the server.
   * @default {undefined} for the usual check
   */
  readonly checkServerIdentity?: (
    hostname: string,
    certificate: PeerCertificate,
  ) => Error | undefined;
}

/**
 * What a server does about certificates of its clients.
 *
 * - `"none"`: it does not ask for them.
 * - `"request"`: it asks, and serves those as well that have none or one that
 *   it does not trust; `peer.cert` is `null` for them.
 * - `"require"`: only clients with a certificate that it trusts can connect.
 */
export type ClientCertificates = "none" | "request" | "require";

/** Options for the encryption of a server. */
export interface ServerTLSOptions extends TLSOptions {
  /**
   * The server's certificate, followed by those between it and the authority.
   */
  readonly cert: PEM;
  /** The private key of {@linkcode cert}. */
  readonly key: PEM;
  /**
   * The authorities whose clients are trusted. Those of the runtime do not
   * count for clients: anybody can have a certificate of theirs.
   *
   * @default {undefined} for none
   */
  readonly ca?: PEM | readonly PEM[];
  /**
   * What to do about certificates of clients. To ask for them takes a
   * {@linkcode ca}.
   *
   * @default {"require"} with a `ca`, else "none"
   */
  readonly clientCertificates?: ClientCertificates;
}
