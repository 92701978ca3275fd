/**
 * Has V8 collect what `node:http2` has left behind of refused calls.
 *
 * To refuse a call makes 15 to 20 KB of garbage, and Deno keeps each closed
 * stream until the next full collection. V8 begins one when its own heap has
 * grown enough, but not for what streams have outside of it: tens of thousands
 * of calls that are refused in a few seconds took 350 MiB.
 *
 * @module
 */

/** After how many refused calls a collection is worth what it takes. */
const CALLS = 4_000;

/**
 * How much memory outside of its heap has V8 begin a full collection, in small
 * steps: from 64 MiB on it does so, and the more there is the sooner.
 */
const BYTES = 256 * 1024 * 1024;

let refused = 0;

/**
 * Takes note that a call was refused, or that it failed before its handler had
 * sent anything: on the wire both are a reply that is only a head.
 */
export function countRefusal(): void {
  if (++refused < CALLS) return;
  refused = 0;
  try {
    // A buffer that may be resized is of pages that are reserved, and nobody
    // touches them: it takes no memory, but V8 counts it.
    new ArrayBuffer(BYTES, { maxByteLength: BYTES });
  } catch {
    // There is no room for it: V8 has collected all it can by then.
  }
}
