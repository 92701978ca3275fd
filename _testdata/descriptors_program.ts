/**
 * A server that may have few file descriptors, in a process of its own. It tells
 * its port, and what it was told of connections that were not served.
 *
 * @module
 */

import { type HTTP2Engine, Server } from "../server.ts";
import { echo } from "./echo_service.ts";

/** What the program writes, one JSON object a line. */
export interface DescriptorsEvent {
  readonly port?: number;
  readonly code?: string;
  readonly peer?: string;
}

function tell(event: DescriptorsEvent): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
}

// Deno looks after its signals some 100 ms after the start, unless somebody has
// asked it before, and ends the process if it has no file descriptor for that.
Deno.addSignalListener("SIGTERM", () => Deno.exit(1));
// The first reading takes a file descriptor, too.
const end = Deno.stdin.readable.getReader().read();
const server = new Server([echo], {
  http2: Deno.args[0] as HTTP2Engine,
  onConnectionError(error, peer) {
    tell({ code: (error as { code?: string }).code ?? "", peer: `${peer}` });
  },
});
await server.start("127.0.0.1");
tell({ port: server.port! });
await end;
server.close();
await server.waitClosed();
Deno.exit(0);
