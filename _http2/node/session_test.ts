/** Sessions of `node:http2`: what becomes of what their sockets receive. */

import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { encodeFields } from "../../_testdata/hpack.ts";
import {
  LoggedOwner,
  LoggedSink,
  pairOfSockets,
} from "../../_testdata/native_pair.ts";
import { Flag, frame, FrameType, PREFACE } from "../../_testdata/raw_frames.ts";
import { until } from "../../_testdata/waiting.ts";
import { turns } from "../../_turns.ts";
import { nodeEngine } from "./engine.ts";

Deno.test("NodeServerSession takes what comes once, though its first chunk waits for its turn", async () => {
  const [client, socket] = pairOfSockets();
  const owner = new LoggedOwner();
  const call = new LoggedSink();
  owner.take = () => call;
  nodeEngine.accept(socket, owner, {
    streamWindowSize: 65_535,
    connectionWindowSize: 65_535,
    maxHeaderListSize: 65_536,
    maxConcurrentStreams: 1000,
    maxResetStreamsPerSecond: 500,
  });
  // It is somebody else's turn, and there are more chunks when the first waits.
  turns.wait({ party: {}, takeTurn() {} });
  const head = encodeFields([
    [":method", "POST"],
    [":scheme", "http"],
    [":path", "/a/b"],
    [":authority", "test"],
  ]);
  const half = new Uint8Array(8192);
  client.write(Buffer.concat([
    PREFACE,
    frame(FrameType.SETTINGS, {}, new Uint8Array()),
    frame(FrameType.HEADERS, { flags: Flag.END_HEADERS, streamId: 1 }, head),
    frame(FrameType.DATA, { streamId: 1 }, half),
  ]));
  client.write(
    frame(FrameType.DATA, { flags: Flag.END_STREAM, streamId: 1 }, half),
  );
  await until(() => call.log.includes("end") || call.isClosed, "it is read");
  assertEquals(call.received, 2 * half.length);
  assertEquals(owner.log.filter((it) => it.startsWith("error")), []);
  client.destroy();
  socket.destroy();
  await until(() => owner.log.includes("closed"), "the session is gone");
});
