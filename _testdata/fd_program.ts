/**
 * A server on the socket that it was started with, as file descriptor 3. It
 * writes its address, and leaves when its input ends.
 */

// deno-lint-ignore-file no-console

import { Server } from "../server.ts";
import { echo } from "./echo_service.ts";

await using server = new Server([echo]);
await server.start({ fd: 3 });
console.log(server.address);
for await (const _ of Deno.stdin.readable);
