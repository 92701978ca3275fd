/**
 * Attacks of a hostile server on clients.
 *
 * @module
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { EchoReplySchema } from "../../_testdata/gen/echo_pb.ts";
import {
  frame,
  FrameType,
  grpcMessage,
  OK_TRAILERS,
  RESPONSE_HEAD,
  uint32,
} from "../../_testdata/raw_frames.ts";
import type { Attack, Means } from "../attack.ts";
import {
  blockOf,
  concat,
  dataFrames,
  framed,
  headersFrames,
  type RawPeer,
  settingsFrame,
} from "../raw_peer.ts";
import { bomb } from "./compression.ts";
import { indexedField, newest } from "./metadata.ts";

const MIB = 1024 * 1024;
const HEAD = blockOf(RESPONSE_HEAD);
const TRAILERS = blockOf(OK_TRAILERS);
const COMMAS = indexedField("x-bin", ",".repeat(4000));

/** Replies whose head has as many values as metadata can have. */
async function values({ serve }: Means): Promise<string> {
  let sent = 0;
  const known = new WeakSet<RawPeer>();
  await serve((peer, streamId) => {
    const times = known.has(peer) ? newest(15) : concat([COMMAS, newest(14)]);
    known.add(peer);
    sent++;
    void peer.write(
      headersFrames(streamId, concat([HEAD, times])),
      dataFrames(streamId, grpcMessage(new Uint8Array())),
      headersFrames(streamId, TRAILERS, true),
    );
  });
  return `${sent} replies`;
}

/** Streams of bombs. */
async function bombs({ serve, goesOn, pause }: Means): Promise<string> {
  const message = bomb(4 * MIB, "br");
  const some = concat(Array.from({ length: 20 }, () => message));
  const head = blockOf([...RESPONSE_HEAD, ["grpc-encoding", "br"]]);
  let sent = 0;
  await serve((peer, streamId) => {
    void (async () => {
      await peer.write(headersFrames(streamId, head));
      for (let i = 0; i < 10 && goesOn() && !peer.isClosed; i++) {
        await peer.data(streamId, some);
        sent += 20;
        await pause(50);
      }
    })();
  });
  return `${sent} messages sent`;
}

/** Replies of which the end never comes. */
async function halves({ serve, goesOn }: Means): Promise<string> {
  const payload = new Uint8Array(4 * MIB - 100);
  const half = framed(toBinary(
    EchoReplySchema,
    create(EchoReplySchema, { payload }),
  )).subarray(0, 4 * MIB - 200);
  let sent = 0;
  await serve((peer, streamId) => {
    void (async () => {
      await peer.write(headersFrames(streamId, HEAD));
      for (let at = 0; at < half.length && goesOn() && !peer.isClosed;) {
        const part = half.subarray(at, at + 65_536);
        await peer.data(streamId, part);
        at += part.length;
        sent += part.length;
      }
    })();
  });
  return `${Math.round(sent / MIB)} MiB sent`;
}

/** Empty messages, as fast as they go, on one call. */
async function empty({ serve, goesOn }: Means): Promise<string> {
  const some = new Uint8Array(5 * 50_000);
  let sent = 0;
  let isTaken = false;
  await serve((peer, streamId) => {
    void (async () => {
      await peer.write(headersFrames(streamId, HEAD));
      if (isTaken) return;
      isTaken = true;
      while (goesOn() && !peer.isClosed) {
        await peer.data(streamId, some);
        sent += 50_000;
      }
      isTaken = false;
    })();
  });
  return `${sent} messages sent`;
}

/** Frames, as fast as they go, as soon as there is a call. */
function floodOf(one: Uint8Array) {
  return async ({ serve, goesOn }: Means): Promise<string> => {
    const some = concat(Array.from({ length: 500 }, () => one));
    const flooded = new WeakSet<RawPeer>();
    let sent = 0;
    await serve((peer) => {
      if (flooded.has(peer)) return;
      flooded.add(peer);
      void (async () => {
        while (goesOn() && !peer.isClosed) {
          await peer.write(some);
          sent += 500;
        }
      })();
    });
    return `${sent} frames sent`;
  };
}

/** A header block that never ends. */
async function continuation({ serve, goesOn }: Means): Promise<string> {
  const flooded = new WeakSet<RawPeer>();
  await serve((peer, streamId) => {
    if (flooded.has(peer)) return;
    flooded.add(peer);
    const more = blockOf([["x-more", "a".repeat(1000)]]);
    const part = frame(FrameType.CONTINUATION, { streamId }, more);
    const parts = concat(Array.from({ length: 100 }, () => part));
    void (async () => {
      await peer.write(frame(FrameType.HEADERS, { streamId }, HEAD));
      while (goesOn() && !peer.isClosed) await peer.write(parts);
    })();
  });
  return "";
}

/** Every connection is left as soon as there is a call on it. */
async function goaway({ serve }: Means): Promise<string> {
  let sent = 0;
  await serve((peer) => {
    sent++;
    void peer.write(frame(FrameType.GOAWAY, {}, uint32(0, 0)))
      .then(() => peer.close());
  });
  return `${sent} times`;
}

/** The attacks of a hostile server. */
export const CLIENT_ATTACKS: readonly Attack[] = [
  {
    name: "client-D1-values",
    what: "heads with 60 000 empty `-bin` values by index, listeners on",
    on: "client",
    victim: { listens: true },
    seconds: 8,
    shortSeconds: 1,
    run: values,
  },
  {
    name: "client-D2-bombs-unread",
    what: "50 streams of Brotli bombs of 4 MiB, listeners on, not read",
    on: "client",
    victim: { listens: true, calls: "unread" },
    seconds: 8,
    run: bombs,
  },
  {
    name: "client-D3-bombs-read",
    what: "the same, read",
    on: "client",
    victim: { calls: "stream" },
    seconds: 10,
    run: bombs,
  },
  {
    name: "client-D6-halves",
    what: "half replies of 4 MiB to 50 calls at a time",
    on: "client",
    victim: { calls: "stream" },
    seconds: 10,
    run: halves,
  },
  {
    name: "client-D9-empty",
    what: "empty replies as fast as they go",
    on: "client",
    victim: { calls: "stream" },
    seconds: 8,
    run: empty,
  },
  {
    name: "client-ping",
    what: "PINGs as fast as they go",
    on: "client",
    seconds: 6,
    run: floodOf(frame(FrameType.PING, {}, new Uint8Array(8))),
  },
  {
    name: "client-settings",
    what: "SETTINGS as fast as they go",
    on: "client",
    seconds: 6,
    run: floodOf(settingsFrame([[4, 65_535]])),
  },
  {
    name: "client-continuation",
    what: "a header block that never ends",
    on: "client",
    seconds: 6,
    run: continuation,
  },
  {
    name: "client-goaway",
    what: "GOAWAY and a cut for every connection",
    on: "client",
    seconds: 6,
    run: goaway,
  },
];
