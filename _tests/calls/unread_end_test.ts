// A connection that ends by itself, with a peer that reads nothing: what is left
// to be sent is dropped, and the socket closed, soon.

import { assertEquals } from "@std/assert";
import { openConnections } from "../../_http2/open_connections.ts";
import { Channel, createStub } from "../../client.ts";
import { PATHS, startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import {
  Flag,
  frame,
  FrameType,
  grpcMessage,
  RawConnection,
  RawServer,
  requestFields,
  RESPONSE_HEAD,
  Setting,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { settled, soon, until } from "../../_testdata/waiting.ts";
import { VirtualClock } from "../../testing/mod.ts";

const HUGE_WINDOW = 2 ** 31 - 1;

const CANCEL = 8;

/** How a peer brings the connection to its end. */
const ENDS: Readonly<Record<string, Uint8Array>> = {
  "a frame of a stream that can have none": frame(
    FrameType.DATA,
    { streamId: 0 },
    new Uint8Array(1),
  ),
  "a frame that is too large": Uint8Array.of(
    ...[0xff, 0xff, 0xff, FrameType.DATA, 0],
    ...uint32(1),
  ),
  "a frame of a wrong size": frame(FrameType.PING, {}, new Uint8Array(3)),
  "a block of fields that can not be read": frame(
    FrameType.HEADERS,
    { streamId: 3, flags: Flag.END_HEADERS },
    Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
  ),
  "a window that is too large": frame(
    FrameType.WINDOW_UPDATE,
    {},
    uint32(HUGE_WINDOW),
  ),
  "a setting that there can not be": frame(
    FrameType.SETTINGS,
    {},
    Uint8Array.of(0, Setting.ENABLE_PUSH, ...uint32(7)),
  ),
  "GOAWAY with an error": frame(FrameType.GOAWAY, {}, uint32(0, 2)),
  "GOAWAY, and the reset of the last call": Uint8Array.of(
    ...frame(FrameType.GOAWAY, {}, uint32(0, 0)),
    ...frame(FrameType.RST_STREAM, { streamId: 1 }, uint32(CANCEL)),
  ),
};

/** Lets time pass until the connection is gone. */
async function assertGone(clock: VirtualClock): Promise<void> {
  await until(() => {
    if (openConnections.size > 0) void clock.advance(1000);
    return openConnections.size === 0;
  }, "the connection is gone");
}

for (const [what, bytes] of Object.entries(ENDS)) {
  Deno.test(`Server closes the socket of a client that reads nothing after ${what}`, async () => {
    const clock = new VirtualClock();
    let sent = 0;
    const ended = Promise.withResolvers<void>();
    await using echo = await startEcho({
      handlers: {
        async serverStream(stream) {
          const payload = new Uint8Array(500_000);
          try {
            for (;; sent++) await stream.sendMessage({ payload });
          } finally {
            ended.resolve();
          }
        },
      },
      server: { clock },
    });
    using connection = await RawConnection.open(echo.port, [
      [Setting.INITIAL_WINDOW_SIZE, HUGE_WINDOW],
    ]);
    await connection.windowUpdate(0, HUGE_WINDOW - 65_535);
    await connection.headers(1, requestFields(PATHS.serverStream));
    await connection.data(1, grpcMessage(new Uint8Array()), { end: true });
    await until(() => sent > 0, "something is sent");
    // All that the two systems take for the client is full then.
    await settled(() => sent);
    await connection.write(bytes);
    await soon(ended.promise, "the handler's end");
    await assertGone(clock);
  });

  Deno.test(`Channel closes the socket of a server that reads nothing after ${what}`, async () => {
    const clock = new VirtualClock();
    const goOn = Promise.withResolvers<void>();
    const done = Promise.withResolvers<void>();
    await using server = new RawServer(async (connection) => {
      await connection.acceptPreface();
      await connection.settings([Setting.INITIAL_WINDOW_SIZE, HUGE_WINDOW]);
      await connection.windowUpdate(0, HUGE_WINDOW - 65_535);
      const { streamId } = await connection.nextOf(FrameType.HEADERS);
      await connection.headers(streamId, RESPONSE_HEAD);
      await goOn.promise;
      await connection.write(bytes);
      await done.promise;
    });
    {
      await using channel = new Channel("127.0.0.1", server.port, { clock });
      const stream = createStub(Echo, channel).bidi.open();
      let sent = 0;
      const payload = new Uint8Array(500_000);
      const sending = (async () => {
        for (;; sent++) await stream.sendMessage({ payload });
      })();
      sending.catch(() => {});
      await until(() => sent > 0, "something is sent");
      await settled(() => sent);
      goOn.resolve();
      await soon(sending.catch(() => {}), "the call's end");
      await assertGone(clock);
      assertEquals(clock.timers, 0);
    }
    done.resolve();
  });
}
