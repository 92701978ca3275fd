/**
 * The engine of the library's own: HTTP/2 by `_h2/`, on any socket.
 *
 * @module
 */

import type { Engine } from "../engine.ts";
import { NativeClientSession } from "./client.ts";
import { NativeServerSession } from "./server.ts";

/** HTTP/2 by `_h2/`. */
export const nativeEngine: Engine = {
  name: "native",
  connect: (socket, owner, options) =>
    new NativeClientSession(socket, owner, options),
  accept: (socket, owner, options) =>
    new NativeServerSession(socket, owner, options),
};
