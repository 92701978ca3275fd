/**
 * The Huffman code of strings.
 * https://www.rfc-editor.org/rfc/rfc7541#section-5.2
 *
 * @module
 */

import { HpackError } from "./error.ts";
import { latin1 } from "./latin1.ts";

/**
 * How many bits the code of each byte has, in base 36, and at last that of EOS.
 * The codes follow from that: they are numbered by length and then by byte.
 * https://www.rfc-editor.org/rfc/rfc7541#appendix-B
 */
const LENGTHS = "dnsssssssoussussssssssusssssssss6aacd68baa8b8666" +
  "555666666678f6cad67777777777777777777777878djde6f565656665776665" +
  "67655677777fbedskmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnn" +
  "llmlnmnnkmmmnmmnqqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqn" +
  "qrqqrrrrrsrrrrrqu";

const EOS = 256;
const LONGEST = 30;

/** How many bits the code of each byte has. */
const CODE_BITS = Uint8Array.from(
  LENGTHS,
  (digit) => Number.parseInt(digit, 36),
);

/** The code of each byte, in its lowest bits. */
const CODES = new Uint32Array(CODE_BITS.length);

/** Where no code leads, and nothing leads out of. */
const NOWHERE = 256;

const BYTE_SHIFT = 13;
const NODE_MASK = (1 << BYTE_SHIFT) - 1;
const HAS_BYTE_SHIFT = 21;

{
  let code = 0;
  for (let bits = 1; bits <= LONGEST; bits++, code *= 2) {
    for (let byte = 0; byte <= EOS; byte++) {
      if (CODE_BITS[byte] === bits) CODES[byte] = code++;
    }
  }
}

/** What a 0 and a 1 lead to: another node, or the complement of a byte. */
type Node = [zero: number, one: number];

/** The codes as a tree: 257 leaves make 256 nodes. The root is node 0. */
function growTree(): readonly Node[] {
  const tree: Node[] = [[0, 0]];
  for (let byte = 0; byte <= EOS; byte++) {
    const code = CODES[byte]!;
    let node = 0;
    for (let shift = CODE_BITS[byte]! - 1; shift > 0; shift--) {
      const branches = tree[node]!;
      const bit = code >>> shift & 1;
      if (branches[bit] === 0) branches[bit] = tree.push([0, 0]) - 1;
      node = branches[bit]!;
    }
    tree[node]![code & 1] = ~byte;
  }
  return tree;
}

const TREE = growTree();

/**
 * What four bits mean, by the node that the bits before them led to: the bits 0
 * to 12 are 16 times the next node, the bits 13 to 20 the byte that ended within
 * these four bits, and bit 21 tells whether there is one. More than one there is
 * not, as no code is shorter than five bits.
 */
const STEPS = new Int32Array((NOWHERE + 1) * 16).fill(NOWHERE * 16);
for (let from = 0; from < NOWHERE; from++) {
  for (let four = 0; four < 16; four++) {
    let node = from;
    let ended = 0;
    for (let shift = 3; shift >= 0 && node !== NOWHERE; shift--) {
      node = TREE[node]![four >>> shift & 1]!;
      if (node >= 0) continue;
      const byte = ~node;
      ended = 1 << HAS_BYTE_SHIFT | byte << BYTE_SHIFT;
      // "A Huffman-encoded string literal containing the EOS symbol MUST be
      // treated as a decoding error."
      node = byte === EOS ? NOWHERE : 0;
    }
    if (node !== NOWHERE) STEPS[from * 16 + four] = node * 16 | ended;
  }
}

/**
 * Whether a string may end at a node; by 16 times the node. What pads it are the
 * first bits of EOS, which are ones, and "strictly longer than 7 bits MUST be
 * treated as a decoding error".
 */
const PADDING = new Uint8Array((NOWHERE + 1) * 16);
for (let bits = 0, node = 0; bits <= 7; bits++, node = TREE[node]![1]) {
  PADDING[node * 16] = 1;
}

/** Where bytes are put before they become a string; larger for longer ones. */
let scratch = new Uint8Array(1024);

/** What is kept of the largest string: more is given back. */
const MAX_SCRATCH = 65_536;

/**
 * Decodes a string.
 *
 * @param bytes The array it is in.
 * @param start Where its code begins.
 * @param end Where its code ends.
 * @returns The string, one character for each byte.
 * @throws {HpackError} When it has EOS in it, or is padded with something else
 * than at most 7 ones.
 */
export function decodeHuffman(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  // Four bits are one byte of text at most, and another is written in vain.
  const room = (end - start) * 2 + 1;
  let text = scratch;
  if (room > text.length) {
    text = new Uint8Array(room);
    if (room <= MAX_SCRATCH) scratch = text;
  }
  let length = 0;
  let node = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    let step = STEPS[node | byte >> 4]!;
    text[length] = step >> BYTE_SHIFT;
    length += step >> HAS_BYTE_SHIFT;
    step = STEPS[step & NODE_MASK | byte & 15]!;
    text[length] = step >> BYTE_SHIFT;
    length += step >> HAS_BYTE_SHIFT;
    node = step & NODE_MASK;
  }
  if (PADDING[node] === 0) {
    throw new HpackError(
      "a Huffman code has EOS in it or does not end in at most 7 one bits",
    );
  }
  return latin1(text, 0, length);
}

/**
 * Tells how long the code of a string is.
 *
 * @param text Any text.
 * @returns The length in bytes; infinite when there is a character above U+00FF.
 */
export function huffmanLength(text: string): number {
  let bits = 0;
  let all = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    all |= code;
    bits += CODE_BITS[code & 0xff]!;
  }
  return all > 0xff ? Infinity : (bits + 7) >>> 3;
}

/**
 * Encodes a string.
 *
 * @param text Characters up to U+00FF.
 * @param bytes The array to write to, with room for
 * {@linkcode huffmanLength}.
 * @param start Where to begin.
 * @returns Where the code ends.
 */
export function encodeHuffman(
  text: string,
  bytes: Uint8Array,
  start: number,
): number {
  let at = start;
  let pending = 0; // the lowest bits are those that fill no byte yet
  let count = 0; // how many they are, at most 7
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i);
    const code = CODES[byte]!;
    let bits = CODE_BITS[byte]!;
    if (bits > 24) { // with 7 that wait it could be too many for one number
      const high = bits - 24;
      pending = pending << high | code >>> 24;
      count += high;
      if (count >= 8) {
        count -= 8;
        bytes[at++] = pending >>> count;
      }
      bits = 24;
      pending = pending << bits | code & 0xff_ffff;
    } else {
      pending = pending << bits | code;
    }
    count += bits;
    while (count >= 8) {
      count -= 8;
      bytes[at++] = pending >>> count;
    }
  }
  if (count > 0) bytes[at++] = pending << (8 - count) | 0xff >>> count;
  return at;
}
