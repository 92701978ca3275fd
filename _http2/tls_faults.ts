/**
 * What a failed handshake is likely to mean.
 *
 * @module
 */

const UNTRUSTED =
  "the certificate has expired or is not valid yet, or it comes from an authority that is not trusted (tls.ca)";

/** The codes of errors that do not speak for themselves. */
const LIKELY: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: "the other side may not speak TLS",
  // On Deno it stands for whatever is wrong with a certificate.
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    "the server requires a certificate of the client (tls.cert and tls.key)",
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    "the client has to show a certificate",
};

/** Says what is likely to be the cause of an error in a handshake. */
export function explainHandshake(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === "ECONNRESET"
    ? explained(
      error,
      "the other side may not trust the certificate, or may not speak TLS",
    )
    : explainAlert(error);
}

/**
 * Says the same of an error that comes behind the handshake, where a server of
 * TLS 1.3 looks at the certificate of the client.
 */
export function explainAlert(error: unknown): unknown {
  const { code } = (error ?? {}) as { code?: unknown };
  return explained(error, typeof code === "string" ? LIKELY[code] : undefined);
}

/** Says that a server has sent something else before any SETTINGS. */
export function explainViolation(error: unknown): unknown {
  return explained(error, "the server may not speak HTTP/2");
}

function explained(error: unknown, likely: string | undefined): unknown {
  if (typeof error === "string") return `${error}: ${likely}`;
  if (!(error instanceof Error) || likely === undefined) return error;
  const { code } = error as { code?: unknown };
  return Object.assign(
    new Error(`${error.message}: ${likely}`, { cause: error }),
    { code },
  );
}

/**
 * Says what a channel may have got wrong when its connections are closed before
 * anything of HTTP/2 came.
 *
 * @param tls Its options, or false for plaintext.
 */
export function likelyMixUp(
  tls: boolean | { readonly cert?: unknown },
): string {
  if (tls === false) {
    return "the server may expect TLS, or take no more connections";
  }
  return tls === true || tls.cert === undefined
    ? "the server may require a certificate of the client"
    : "the server may not trust the certificate of the client";
}
