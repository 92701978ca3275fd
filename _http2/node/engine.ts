/**
 * The engine on `node:http2`, hardened against what it does otherwise on Deno
 * than one would think.
 *
 * @module
 */

import type { Engine } from "../engine.ts";
import { NodeClientSession } from "./client.ts";
import { NodeServerSession } from "./server.ts";

/** HTTP/2 by `node:http2`. */
export const nodeEngine: Engine = {
  name: "node",
  connect: (socket, owner, options) =>
    new NodeClientSession(socket, owner, options),
  accept: (socket, owner, options) =>
    new NodeServerSession(socket, owner, options),
};
