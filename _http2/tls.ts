/**
 * TLS: from our options to those of `node:tls`, and from a socket's
 * certificate to ours.
 *
 * On Deno a certificate or a key that is none, or two that do not belong
 * together, are found out when a connection is made, or show as a timeout: what
 * can be known before is checked here.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import net from "node:net";
import process from "node:process";
import tls, {
  type ConnectionOptions,
  type DetailedPeerCertificate,
  type PeerCertificate as NodeCertificate,
  type TlsOptions,
  type TLSSocket,
} from "node:tls";
import { Buffer } from "node:buffer";
import { plainBytes } from "../core/_bytes.ts";
import { describe } from "../core/_describe.ts";
import { checkOptions, type OptionNames } from "../core/_options.ts";
import type { PeerCertificate } from "../core/peer.ts";
import type {
  ChannelTLSOptions,
  ClientCertificates,
  PEM,
  ServerTLSOptions,
} from "../core/tls.ts";
import { Authorities, defaultAuthorities } from "./certificate_chain.ts";

/** What HTTP/2 is called in the handshake. */
const H2 = "h2";

const MIN_VERSIONS = ["TLSv1.2", "TLSv1.3"];
const CLIENT_CERTIFICATES = ["none", "request", "require"];

const SHARED_OPTIONS = {
  ca: true,
  cert: true,
  key: true,
  minVersion: true,
  passphrase: true,
} as const;
const CHANNEL_OPTIONS: OptionNames<ChannelTLSOptions> = {
  ...SHARED_OPTIONS,
  checkServerIdentity: true,
  serverName: true,
};
const SERVER_OPTIONS: OptionNames<ServerTLSOptions> = {
  ...SHARED_OPTIONS,
  clientCertificates: true,
};

/** Whom a client wants to reach. */
export interface ExpectedServer {
  /** The host name or address of the target. */
  readonly hostname: string;
  /** `tlsTargetNameOverride` of the configuration. */
  readonly nameOverride?: string | undefined;
}

/**
 * Makes the options with which a channel encrypts a connected socket.
 *
 * @param wanted The channel's options; `true` for none in particular.
 * @param server Whom the client wants to reach.
 * @returns Options for `tls.connect()`, which lack only the socket.
 * @throws {TypeError} If an option is unknown or wrong.
 */
export function clientTLSOptions(
  wanted: ChannelTLSOptions | true,
  server: ExpectedServer,
): ConnectionOptions {
  const action = "Cannot create channel";
  const options = wanted === true ? {} : wanted;
  checkOptions(action, options, CHANNEL_OPTIONS, "tls.");
  const { checkServerIdentity } = options;
  const name = options.serverName ?? server.nameOverride ?? server.hostname;
  if (typeof name !== "string" || !/^[0-9A-Za-z._:%-]+$/.test(name)) {
    throw new TypeError(
      `${action}: tls.serverName must be a host name or address, received ${
        typeof name === "string" ? JSON.stringify(name) : describe(name)
      }`,
    );
  }
  if (
    checkServerIdentity !== undefined &&
    typeof checkServerIdentity !== "function"
  ) {
    throw new TypeError(
      `${action}: tls.checkServerIdentity must be a function, received ${
        describe(checkServerIdentity)
      }`,
    );
  }
  if ((options.cert === undefined) !== (options.key === undefined)) {
    throw new TypeError(
      `${action}: tls.cert and tls.key need each other, received only tls.${
        options.cert === undefined ? "key" : "cert"
      }`,
    );
  }
  const context = contextOf(action, options);
  let authorities: Authorities | undefined;
  const faultOfChain = (certificate: NodeCertificate): Error | undefined => {
    // Node has verified it.
    if (!("deno" in process.versions)) return undefined;
    authorities ??= context.ca === undefined
      ? defaultAuthorities()
      : new Authorities(context.ca as string[], true);
    return authorities.faultOf(certificate as DetailedPeerCertificate);
  };
  return {
    ...context,
    servername: serverNameIndication(name),
    // Said aloud, for there is an environment variable that turns it off.
    rejectUnauthorized: true,
    // With a socket that is already connected node:tls does not know the host,
    // and would look for "localhost" in the certificate.
    checkServerIdentity: (_host, certificate) =>
      faultOfChain(certificate) ??
        (checkServerIdentity === undefined
          ? tls.checkServerIdentity(name, certificate)
          : verdictOf(() => checkServerIdentity(name, mapped(certificate)))),
  };
}

/**
 * Makes the options with which a server encrypts connections. They do for
 * `server.setSecureContext()` as well.
 *
 * @param options The server's options.
 * @returns Options for `tls.createServer()`.
 * @throws {TypeError} If an option is unknown, missing or wrong.
 */
export function serverTLSOptions(options: ServerTLSOptions): TlsOptions {
  const action = "Cannot start server";
  checkOptions(action, options, SERVER_OPTIONS, "tls.");
  for (const name of ["cert", "key"] as const) {
    if (options[name] === undefined) {
      throw new TypeError(`${action}: tls.${name} is needed`);
    }
  }
  const mode = clientCertificatesOf(options);
  checkChoice(action, "clientCertificates", mode, CLIENT_CERTIFICATES);
  if (mode === "none" && options.ca !== undefined) {
    throw new TypeError(
      `${action}: tls.ca has no use with tls.clientCertificates "none"`,
    );
  }
  if (mode !== "none" && options.ca === undefined) {
    throw new TypeError(
      `${action}: tls.clientCertificates "${mode}" needs tls.ca`,
    );
  }
  return {
    ...contextOf(action, options),
    requestCert: mode !== "none",
    rejectUnauthorized: mode === "require",
  };
}

/**
 * Says what a server does about certificates of its clients.
 *
 * @param options The server's options.
 * @returns What was chosen, or else the default.
 */
export function clientCertificatesOf(
  options: ServerTLSOptions,
): ClientCertificates {
  const { ca, clientCertificates } = options;
  return clientCertificates ?? (ca === undefined ? "none" : "require");
}

/** What is read of a socket of `node:tls`. */
export type SecureSocket = Pick<
  TLSSocket,
  "alpnProtocol" | "authorized" | "getPeerCertificate"
>;

/**
 * Reads the certificate that the other side showed.
 *
 * @param socket The socket, after the handshake.
 * @param isVerified Whether it was asked for and verified. A client does that
 * with each server. On Deno `authorized` is true for a server that did not ask,
 * and where a session was resumed, which proves nothing.
 * @returns The certificate, or `null` unless there is one that was verified.
 */
export function peerCertificate(
  socket: SecureSocket,
  isVerified: boolean,
): PeerCertificate | null {
  if (!isVerified || !socket.authorized) return null;
  const certificate = socket.getPeerCertificate() as
    | Partial<NodeCertificate>
    | null;
  // Without a certificate there is an empty object, or null when the socket is
  // already gone.
  return certificate?.raw === undefined
    ? null
    : mapped(certificate as NodeCertificate);
}

/**
 * Checks that both sides agreed on HTTP/2: a server that knows nothing of ALPN
 * lets the handshake succeed.
 *
 * @param socket The socket, after the handshake.
 * @returns What is wrong, or `undefined`.
 */
export function faultOfProtocol(socket: SecureSocket): Error | undefined {
  if (socket.alpnProtocol === H2) return undefined;
  return new Error(
    `the server did not agree to HTTP/2 in the TLS handshake (ALPN: ${
      socket.alpnProtocol || "none"
    })`,
  );
}

/** The options that both sides have. */
function contextOf(
  action: string,
  options: ChannelTLSOptions | ServerTLSOptions,
): Pick<
  ConnectionOptions,
  "ALPNProtocols" | "ca" | "cert" | "key" | "minVersion" | "passphrase"
> {
  const { ca, cert, key, minVersion = "TLSv1.2", passphrase } = options;
  checkChoice(action, "minVersion", minVersion, MIN_VERSIONS);
  if (passphrase !== undefined && typeof passphrase !== "string") {
    throw new TypeError(
      `${action}: tls.passphrase must be a string, received ${
        describe(passphrase)
      }`,
    );
  }
  if (Array.isArray(ca) && ca.length === 0) {
    throw new TypeError(`${action}: tls.ca must not be empty`);
  }
  const certText = cert === undefined
    ? undefined
    : textOf(action, "cert", cert);
  const keyText = key === undefined ? undefined : textOf(action, "key", key);
  if (certText !== undefined && keyText !== undefined) {
    checkPair(action, certText, keyText, passphrase);
  }
  return {
    ALPNProtocols: [H2],
    minVersion,
    ...(ca === undefined ? {} : {
      ca: (Array.isArray(ca) ? ca : [ca])
        .map((one) => textOf(action, "ca", one)),
    }),
    ...(certText === undefined ? {} : { cert: certText }),
    ...(keyText === undefined ? {} : { key: keyText }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

/**
 * A host name is asked for without the dot at its end, and an address not at
 * all. https://www.rfc-editor.org/rfc/rfc6066#section-3
 */
function serverNameIndication(name: string): string {
  return net.isIP(name) === 0 ? name.replace(/\.$/, "") : "";
}

/** Asks the user's function; only `undefined` is a yes. */
function verdictOf(check: () => unknown): Error | undefined {
  let verdict: unknown;
  try {
    verdict = check();
  } catch (error) {
    // From inside the handshake it would end the process.
    return error instanceof Error
      ? error
      : new Error("checkServerIdentity failed", { cause: error });
  }
  if (verdict === undefined || verdict instanceof Error) return verdict;
  return new TypeError(
    `checkServerIdentity must return an Error or undefined, received ${
      describe(verdict)
    }`,
  );
}

function mapped(certificate: NodeCertificate): PeerCertificate {
  const { subject, issuer, subjectaltname, raw } = certificate;
  return {
    subject: { ...subject } as unknown as PeerCertificate["subject"],
    issuer: { ...issuer } as unknown as PeerCertificate["issuer"],
    ...(subjectaltname === undefined ? {} : { subjectAltName: subjectaltname }),
    raw: plainBytes(raw),
    fingerprint256: certificate.fingerprint256,
    serialNumber: certificate.serialNumber,
    validFrom: certificate.valid_from,
    validTo: certificate.valid_to,
  };
}

function checkChoice(
  action: string,
  name: string,
  value: string,
  choices: readonly string[],
): void {
  if (choices.includes(value)) return;
  throw new TypeError(
    `${action}: tls.${name} must be one of ${
      choices.map((choice) => `"${choice}"`).join(", ")
    }, received ${typeof value === "string" ? `"${value}"` : describe(value)}`,
  );
}

/** The text of a PEM, which never shows in an error: it may be a secret. */
function textOf(action: string, name: "ca" | "cert" | "key", pem: PEM): string {
  const what = name === "key" ? "PRIVATE KEY" : "CERTIFICATE";
  if (typeof pem !== "string" && !(pem instanceof Uint8Array)) {
    throw new TypeError(
      `${action}: tls.${name} must be PEM, a string or Uint8Array, received ${
        describe(pem)
      }`,
    );
  }
  const text = typeof pem === "string"
    ? pem
    : Buffer.from(pem.buffer, pem.byteOffset, pem.byteLength).toString();
  if (new RegExp(`^-----BEGIN ([A-Z0-9]+ )*${what}-----$`, "m").test(text)) {
    return text;
  }
  throw new TypeError(
    `${action}: tls.${name} must be PEM, not the name of a file or anything else; there is no "-----BEGIN ${what}-----" in it`,
  );
}

function checkPair(
  action: string,
  cert: string,
  key: string,
  passphrase: string | undefined,
): void {
  let belongs: boolean;
  try {
    belongs = new X509Certificate(cert).checkPrivateKey(
      createPrivateKey({
        key,
        ...(passphrase === undefined ? {} : { passphrase }),
      }),
    );
  } catch (cause) {
    throw new TypeError(
      `${action}: tls.cert and tls.key cannot be read: ${
        (cause as Error).message
      }`,
      { cause },
    );
  }
  if (!belongs) {
    throw new TypeError(`${action}: tls.key is not the key of tls.cert`);
  }
}
