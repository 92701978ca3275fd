/**
 * All attacks, in the order in which they are made.
 *
 * @module
 */

import type { Attack } from "./attack.ts";
import { CLIENT_ATTACKS } from "./attacks/client_side.ts";
import { COMPRESSION_ATTACKS } from "./attacks/compression.ts";
import { CONNECTION_ATTACKS } from "./attacks/connections.ts";
import { FRAME_ATTACKS } from "./attacks/frames.ts";
import { LOAD_ATTACKS } from "./attacks/load.ts";
import { METADATA_ATTACKS } from "./attacks/metadata.ts";

/** The attacks. */
export const ATTACKS: readonly Attack[] = [
  ...METADATA_ATTACKS,
  ...COMPRESSION_ATTACKS,
  ...CONNECTION_ATTACKS,
  ...LOAD_ATTACKS,
  ...FRAME_ATTACKS,
  ...CLIENT_ATTACKS,
];
