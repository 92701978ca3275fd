/**
 * Who is at the other end of a socket.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { Peer, type PeerAddress } from "../core/peer.ts";
import { peerCertificate } from "./tls.ts";

/** The part of a socket that knows the other end. */
interface Addressed {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}

/**
 * Tells who is at the other end.
 *
 * @param socket The socket, connected; or any stream, for a peer in memory.
 * @param path The path of the unix socket, if it is one.
 * @param asked Whether a certificate was asked for: one that was not proves
 *   nothing. A client always asks.
 */
export function peerOf(
  socket: Duplex,
  path: string | undefined,
  asked: boolean,
): Peer {
  const { remoteAddress, remotePort } = socket as Addressed;
  let addr: PeerAddress | null = null;
  if (remoteAddress !== undefined && remotePort !== undefined) {
    addr = { hostname: remoteAddress, port: remotePort };
  } else if (path !== undefined) {
    addr = { path };
  }
  return new Peer(
    addr,
    socket instanceof TLSSocket ? peerCertificate(socket, asked) : null,
  );
}
