/**
 * Decompresses a bomb, and tells how much memory that took.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";
import { compressors } from "../_zlib.ts";

const BOMB_BYTES = 256 * 1024 * 1024;
const LIMIT_BYTES = 16 * 1024 * 1024;

declare const gc: () => void;

const compressor = compressors.get(Deno.args[0]!)!;
// Whatever the decoder needs once, it has then.
compressor.decompress(compressor.compress(new Uint8Array(1000)), 1000);

let zeros: Uint8Array | null = new Uint8Array(BOMB_BYTES);
const bomb = compressor.compress(zeros);
zeros = null;
gc();
const before = Deno.memoryUsage().rss;
let status = 0;
let most = before;
for (let i = 0; i < 3; i++) {
  try {
    compressor.decompress(bomb, LIMIT_BYTES);
  } catch (error) {
    status = (error as GRPCError).status;
  }
  most = Math.max(most, Deno.memoryUsage().rss);
  gc();
}
const event = {
  status,
  bombBytes: bomb.length,
  grownBytes: most - before,
  limitBytes: LIMIT_BYTES,
};
Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
