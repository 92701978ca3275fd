/**
 * What must not be guessed from how well it is compressed.
 *
 * @module
 */

/**
 * Names whose values are secrets. They are literals that are never indexed: not
 * here, so that nobody who can make calls on the connection finds them out by
 * trying, and not by proxies on the way either.
 * https://www.rfc-editor.org/rfc/rfc7541#section-7.1.3
 */
export const NEVER_INDEXED: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "proxy-authorization",
  "set-cookie",
  "x-api-key",
  "x-auth-token",
  "x-csrf-token",
  "x-goog-api-key",
]);
