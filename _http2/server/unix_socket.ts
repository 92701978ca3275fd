/**
 * What a unix socket leaves behind in the file system.
 *
 * @module
 */

import fs from "node:fs";
import net from "node:net";

/** How long the file's server may take to accept a connection. */
const PATIENCE_MS = 1000;

/** Who may connect by default: the owner of the file alone. */
const PRIVATE = 0o600;

/**
 * Says who may connect to a unix socket that is listened on.
 *
 * @param path Its path; a name in the abstract namespace has no file.
 * @param mode The permission bits of the file.
 */
export function restrictSocket(path: string, mode: number = PRIVATE): void {
  if (!path.startsWith("\0")) fs.chmodSync(path, mode);
}

/**
 * Removes the file of a unix socket that nobody listens on any more, as a
 * server leaves it that was killed.
 *
 * @param path The path that cannot be listened on, as there is a file.
 * @throws {Error} If it is no socket, or a server listens on it.
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = fs.lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  // To connect to any other file is refused as well.
  if (!found.isSocket()) {
    throw new Error("there is a file of this name that is no socket");
  }
  if (!await isStale(path)) throw new Error("another server listens on it");
  // Another server may have done the same in the meantime, and this is its file.
  const now = fs.lstatSync(path, { throwIfNoEntry: false });
  if (now === undefined) return;
  if (now.ino !== found.ino || now.mtimeMs !== found.mtimeMs) {
    throw new Error("another server listens on it");
  }
  fs.unlinkSync(path);
}

/** Tells whether a socket is certain to have no server. */
function isStale(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = net.connect({ path });
  const end = (stale: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    resolve(stale);
  };
  const timer = setTimeout(() => end(false), PATIENCE_MS);
  socket.on("connect", () => end(false));
  socket.on("error", ({ code }: { code?: unknown }) => {
    end(code === "ECONNREFUSED" || code === "ENOENT");
  });
  return promise;
}
