/**
 * The configuration as limits of `_h2/`, so that none of them is there twice.
 *
 * @module
 */

import { DEFAULT_LIMITS, type Limits } from "../../_h2/mod.ts";
import type { H2ServerOptions, H2SessionOptions } from "../engine.ts";

/**
 * What a field counts beyond its name and value.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2}
 */
const FIELD_OVERHEAD_BYTES = 32;

/**
 * How many bytes a field block may have for each byte of its list: Huffman's
 * longest code has 30 bits.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7541#appendix-B}
 */
const MAX_EXPANSION = 4;

/** The largest frame that a peer may send unless it is told otherwise. */
const FRAME_BYTES = 16_384;

/** The limits that follow from the size of header lists. */
export function headerLimits(
  { maxHeaderListSize }: H2SessionOptions,
): Partial<Limits> {
  const maxFieldBlockBytes = Math.max(
    FRAME_BYTES,
    MAX_EXPANSION * maxHeaderListSize,
  );
  const { maxContinuations } = DEFAULT_LIMITS;
  return {
    maxFieldBlockBytes,
    // A list with more of them is larger than it may be.
    maxFields: Math.ceil(maxHeaderListSize / FIELD_OVERHEAD_BYTES),
    // Peers fill their frames, or half of them.
    maxContinuations: Math.max(
      maxContinuations,
      Math.ceil(2 * maxFieldBlockBytes / FRAME_BYTES),
    ),
  };
}

/** The limits of a server. */
export function serverLimits(options: H2ServerOptions): Partial<Limits> {
  const { maxResetStreamsPerSecond } = options;
  return {
    ...headerLimits(options),
    resets: {
      burst: maxResetStreamsPerSecond,
      perSecond: maxResetStreamsPerSecond,
    },
  };
}
