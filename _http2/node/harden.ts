/**
 * What keeps a session of `node:http2` from ending the process on Deno.
 *
 * @module
 */

import type { Http2Session } from "node:http2";
import process from "node:process";

/**
 * Keeps a session from being torn down on the stack of nghttp2.
 *
 * On Deno 2.9.6 a session that is closed or destroyed inside a callback of
 * nghttp2, as `node:http2` itself does when GOAWAY comes, corrupts memory and
 * the process dies of it. Done one tick later, it is safe. The first thing to
 * do with every session; `closed` and `destroyed` are late by that tick, so
 * nobody may decide by them.
 *
 * @see {@link https://github.com/denoland/deno/issues/36788}
 */
export function harden(session: Http2Session): void {
  const { close, destroy } = session;
  session.close = function (callback?: () => void): void {
    if (typeof callback === "function") session.once("close", callback);
    process.nextTick(() => {
      if (!session.destroyed) close.call(session);
    });
  };
  session.destroy = function (error?: Error, code?: number): void {
    process.nextTick(() => {
      if (!session.destroyed) destroy.call(session, error, code);
    });
  };
  // An 'error' without a listener would end the process.
  session.on("error", ignoreError);
}

function ignoreError(): void {}
