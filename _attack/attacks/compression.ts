/**
 * Attacks by compressed messages.
 *
 * @module
 */

import * as zlib from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { EchoReplySchema } from "../../_testdata/gen/echo_pb.ts";
import { grpcMessage } from "../../_testdata/raw_frames.ts";
import type { Attack, Means } from "../attack.ts";
import { callFrames, concat, requestBlock } from "../raw_peer.ts";
import { headersFrames } from "../raw_peer.ts";

const MIB = 1024 * 1024;

/**
 * A message of some bytes, compressed: nothing but a payload of zeros, which is
 * the same field of requests and replies.
 */
export function bomb(bytes: number, encoding: "br" | "gzip"): Uint8Array {
  const payload = new Uint8Array(bytes - 8);
  const message = toBinary(
    EchoReplySchema,
    create(EchoReplySchema, { payload }),
  );
  const compressed = encoding === "br"
    ? zlib.brotliCompressSync(message)
    : zlib.gzipSync(message);
  return grpcMessage(new Uint8Array(compressed), { flag: 1 });
}

/** A stream of bombs, in a call whose handler does something with them. */
function streamOf(count: number, what: "hang" | "read") {
  return async ({ open, goesOn, pause }: Means): Promise<string> => {
    const peer = await open();
    const message = bomb(4 * MIB, "br");
    const streamId = peer.newStream();
    const block = requestBlock("/grpclib.test.Echo/Bidi", {
      "grpc-encoding": "br",
      "x-do": what,
    });
    await peer.write(headersFrames(streamId, block));
    const some = concat(Array.from({ length: 100 }, () => message));
    for (let i = 0; i < count && goesOn() && !peer.isClosed; i += 100) {
      await peer.data(streamId, some);
    }
    while (goesOn() && !peer.isClosed) await pause(50);
    return `${count} × ${message.length} bytes sent`;
  };
}

/** Unary calls with a bomb each, which come back at full length. */
async function echoed({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open({ windowBytes: 4 * MIB });
  const message = bomb(4 * MIB, "gzip");
  const block = requestBlock("/grpclib.test.Echo/Unary", {
    "grpc-encoding": "gzip",
  });
  let ended = 0;
  let sent = 0;
  for (; sent < 990 && goesOn() && !peer.isClosed; sent++) {
    const streamId = peer.newStream();
    void peer.reply(streamId).then(() => ended++);
    await peer.write(callFrames(streamId, block, message));
  }
  while (goesOn() && !peer.isClosed && ended < sent) await pause(20);
  return `${ended} of ${sent} calls ended`;
}

/** The attacks by compressed messages. */
export const COMPRESSION_ATTACKS: readonly Attack[] = [
  {
    name: "D2-bombs-unread",
    what:
      "300 Brotli bombs of 4 MiB, listeners on, a handler that does not read",
    victim: { listens: true },
    seconds: 8,
    shortSeconds: 2,
    run: streamOf(300, "hang"),
  },
  {
    name: "D3-bombs-read",
    what: "2 000 of them to a handler that reads",
    seconds: 15,
    shortSeconds: 2,
    run: streamOf(2000, "read"),
  },
  {
    name: "bombs-echoed",
    what: "990 unary gzip bombs of 4 MiB, echoed",
    seconds: 20,
    run: echoed,
  },
];
