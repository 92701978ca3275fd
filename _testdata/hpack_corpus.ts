/**
 * Header blocks of other implementations; see `hpack_corpus/README.md`.
 *
 * @module
 */

import { brotliDecompressSync } from "node:zlib";

/** Requests or responses of one connection. */
export interface Story {
  readonly name: string;
  /** The names and values of each block. */
  readonly fields: readonly (readonly string[])[];
  /** The blocks in hexadecimal, by encoder. */
  readonly blocks: Readonly<Record<string, readonly string[]>>;
  /** The size that was acknowledged before each block, by encoder. */
  readonly tableSizes: Readonly<Record<string, readonly (number | null)[]>>;
}

/** All of them. */
export interface Corpus {
  /** What is said of each encoder, by its name. */
  readonly encoders: Readonly<Record<string, string>>;
  readonly stories: readonly Story[];
}

let corpus: Corpus | undefined;

/** Reads the corpus, once. */
export function readCorpus(): Corpus {
  return corpus ??= JSON.parse(
    brotliDecompressSync(
      Deno.readFileSync(
        new URL("./hpack_corpus/corpus.json.br", import.meta.url),
      ),
    ).toString(),
  );
}
