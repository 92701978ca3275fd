/**
 * Mutated header blocks for the decoder.
 *
 *     deno task fuzz:hpack [blocks] [seed]
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { HpackDecoder, HpackError } from "../_h2/hpack/mod.ts";
import { seededRandom } from "./seeded_random.ts";
import { hex } from "./hpack_blocks.ts";
import { readCorpus } from "./hpack_corpus.ts";

/** What came of the blocks. */
export interface FuzzResult {
  /** How many were decoded. */
  readonly decoded: number;
  /** How many of these had more fields than are kept. */
  readonly tooLarge: number;
  /** How many were rejected. */
  readonly rejected: number;
}

/** The most that a list may count. */
const MAX_LIST_SIZE = 1024;

/**
 * Decodes mutated blocks: a connection at a time, until a block is rejected.
 * Anything that is wrong but an `HpackError` is thrown.
 *
 * @param options How many blocks, and the seed of what happens to them.
 */
export function fuzzDecoder(
  options: { readonly blocks: number; readonly seed: number },
): FuzzResult {
  const random = seededRandom(options.seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const connections = corpusConnections();
  let decoded = 0;
  let tooLarge = 0;
  let rejected = 0;
  while (decoded + rejected < options.blocks) {
    const blocks = connections[below(connections.length)]!;
    const other = connections[below(connections.length)]!;
    const decoder = new HpackDecoder({ maxListSize: MAX_LIST_SIZE });
    // The stories of some encoders have larger tables than there is by default.
    if (random() < 0.5) decoder.setTableSize(16_384);
    try {
      for (let i = 0; i < 20; i++) {
        let block = blocks[below(blocks.length)]!;
        if (i > 0) {
          block = mutate(block, { other: other[below(other.length)]!, below });
        } else {
          block = blocks[0]!;
        }
        const again = random() < 0.2 ? 3 : 1;
        for (let time = 0; time < again; time++) {
          const fields = decoder.decode(block, 0, block.length);
          checkFields(fields);
          decoded++;
          if (decoder.tooLarge) tooLarge++;
        }
      }
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      rejected++;
    }
  }
  return { decoded, tooLarge, rejected };
}

/** The blocks of each story by each encoder. */
function corpusConnections(): Uint8Array[][] {
  return readCorpus().stories.flatMap(({ blocks }) =>
    // Few of each are enough to reach everything, and take less time to read.
    Object.values(blocks).map((its) => its.slice(0, 12).map(hex))
  );
}

/** What a decoder may give. */
function checkFields(fields: readonly string[]): void {
  if (fields.length % 2 !== 0) throw new Error("A name has no value");
  let size = 0;
  for (const text of fields) {
    size += text.length + 16;
    for (let i = 0; i < text.length; i++) {
      if (text.charCodeAt(i) > 0xff) throw new Error("A character is no byte");
    }
  }
  if (size > MAX_LIST_SIZE) throw new Error(`A list counts ${size} bytes`);
}

/** Where the bytes of a mutation come from. */
interface MutateOptions {
  readonly other: Uint8Array;
  readonly below: (limit: number) => number;
}

/** Changes a block in one to four places. */
function mutate(
  block: Uint8Array,
  { other, below }: MutateOptions,
): Uint8Array {
  let bytes = [...block];
  for (let count = 1 + below(4); count > 0; count--) {
    const at = below(bytes.length + 1);
    const length = below(8);
    switch (below(9)) {
      case 0: // one bit
        bytes[at] = (bytes[at] ?? 0) ^ 1 << below(8);
        break;
      case 1: // one byte
        bytes[at] = below(256);
        break;
      case 2: // a few less
        bytes.splice(at, length);
        break;
      case 3: // a few more
        bytes.splice(at, 0, ...Array.from({ length }, () => below(256)));
        break;
      case 4: // the end is missing
        bytes.length = at;
        break;
      case 5: { // a piece of another one
        const from = below(other.length);
        bytes.splice(at, below(2) * length, ...other.slice(from, from + 20));
        break;
      }
      case 6: // a large integer
        bytes.splice(at, 1, below(256) | 0x1f, ...Array(length).fill(0xff));
        break;
      case 7: // an update of the table's size, first
        bytes.unshift(0x20 | below(32), below(256), below(64));
        break;
      case 8: // the same again, often
        bytes.splice(at, 0, ...Array(below(200)).fill(0x80 | below(128)));
        break;
    }
    bytes = bytes.slice(0, 16_384);
  }
  return Uint8Array.from(bytes);
}

if (import.meta.main) {
  const [blocks = 1_000_000, seed = 1] = Deno.args.map(Number);
  const start = performance.now();
  const result = fuzzDecoder({ blocks, seed });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`seed ${seed}, ${seconds} s: ${JSON.stringify(result)}`);
}
