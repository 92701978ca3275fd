/**
 * Gives the same bytes as a plain `Uint8Array`. A Buffer is one as well, but
 * behaves differently: its `slice()` is a view, and so are views of it Buffers.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
