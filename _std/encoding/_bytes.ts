/**
 * The bytes of anything that the encoders take.
 *
 * The package this stands in for works in place on `data.slice()`. That is a
 * copy of a plain `Uint8Array`, but not of a `Buffer`, whose memory it takes
 * away, together with that of all others in the same pool. What must not be
 * done there is refused here.
 */
export function bytesOf(data: ArrayBuffer | Uint8Array | string): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  if (!(data instanceof Uint8Array)) return new Uint8Array(data);
  if (Object.getPrototypeOf(data) !== Uint8Array.prototype) {
    throw new TypeError(
      `Cannot encode bytes: need a plain Uint8Array, received a ${data.constructor.name}, which @std/encoding would detach`,
    );
  }
  return data;
}
