/**
 * Through an HTTP proxy to a server: the method CONNECT.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6}
 * @module
 */

import { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
import type { ResolvedProxy } from "../../core/proxy.ts";
import { USER_AGENT } from "../../core/version.ts";
import { plaintext, type SocketSource } from "./connect.ts";
import { setRef } from "../socket.ts";

/** The longest answer that a proxy may give. */
const MAX_ANSWER_BYTES = 16_384;

/**
 * Connects to a server through a proxy.
 *
 * @param proxy The proxy.
 * @param server The server, as the proxy is to look it up: `host:port`.
 */
export function tunnel(proxy: ResolvedProxy, server: string): SocketSource {
  const { hostname, port } = proxy;
  const toProxy = plaintext({ hostname, port });
  const where = `proxy ${
    hostname.includes(":") ? `[${hostname}]` : hostname
  }:${port}`;
  return (owner) => {
    let asking: Duplex | null = null;
    let isRef = true;
    let over = false;
    const fail = (cause: unknown): void => {
      if (over) return;
      over = true;
      const why = cause instanceof Error ? cause.message : String(cause);
      owner.onFailure(new Error(`${where}: ${why}`, { cause }));
      asking?.destroy();
    };
    const attempt = toProxy({
      onFailure: fail,
      onSocket: (socket) => {
        asking = socket;
        setRef(socket, isRef);
        let answer: Uint8Array = new Uint8Array();
        const onData = (chunk: Uint8Array): void => {
          answer = Buffer.concat([answer, chunk]);
          const end = Buffer.from(answer).indexOf("\r\n\r\n");
          if (end < 0) {
            if (answer.length > MAX_ANSWER_BYTES) {
              fail("it answers CONNECT with too much");
            }
            return;
          }
          const head = Buffer.from(answer.subarray(0, end)).toString("latin1");
          const fault = faultOf(head);
          if (fault !== null) return fail(fault);
          over = true;
          socket.off("data", onData);
          socket.off("error", fail);
          socket.off("close", onClose);
          // A server of HTTP/2 may have spoken already. It is not paused: who takes
          // the socket listens at once, and would not be told otherwise.
          const rest = answer.subarray(end + 4);
          if (rest.length > 0) socket.unshift(rest);
          owner.onSocket(socket);
        };
        const onClose = (): void =>
          fail("the connection was closed before it answered CONNECT");
        socket.on("data", onData);
        socket.on("error", fail);
        socket.on("close", onClose);
        socket.on("end", () => {
          if (!over) onClose();
        });
        socket.write(requestFor(server, proxy));
      },
    });
    return {
      get waitsFor(): string | null {
        if (over) return null;
        return asking === null
          ? `connection to ${where}`
          : `answer of ${where} to CONNECT`;
      },
      setRef(needed): void {
        isRef = needed;
        attempt.setRef(needed);
        setRef(asking, needed);
      },
      cancel(): void {
        over = true;
        attempt.cancel();
        asking?.destroy();
      },
    };
  };
}

function requestFor(server: string, { authorization }: ResolvedProxy): string {
  const credentials = authorization === null
    ? []
    : [`Proxy-Authorization: ${authorization}`];
  return [
    `CONNECT ${server} HTTP/1.1`,
    `Host: ${server}`,
    `User-Agent: ${USER_AGENT}`,
    ...credentials,
    "\r\n",
  ].join("\r\n");
}

/** Says what is wrong with an answer; null if nothing is. */
function faultOf(head: string): string | null {
  const [line = ""] = head.split("\r\n");
  const [, status, reason = ""] =
    /^HTTP\/1\.[01] ([0-9]{3})(?: (.*))?$/.exec(line) ?? [];
  if (status === undefined) {
    return "it answers CONNECT with something else than HTTP/1.1";
  }
  if (status.startsWith("2")) return null;
  const hint = status === "407" ? ", it wants credentials, or others" : "";
  // The reason may be in any language and encoding, or an escape of a terminal.
  const words = `${status} ${reason.replaceAll(/[^ -~]/g, "?")}`.trim();
  return `it answers CONNECT with ${words}${hint}`;
}
