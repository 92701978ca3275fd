// What a client makes of servers that change their minds about limits in the
// midst of calls, or send more PINGs than anybody needs.

import { assert, assertEquals } from "@std/assert";
import { GRPCError } from "../../core/errors.ts";
import { Status } from "../../core/status.ts";
import {
  goOnWell,
  READY,
  replyBadly,
  replyWell,
  withStub,
} from "../../_testdata/raw_replies.ts";
import {
  Flag,
  frame,
  FrameType,
  RawServer,
  Setting,
  uint32,
} from "../../_testdata/raw_h2.ts";
import { soon, turns } from "../../_testdata/waiting.ts";

Deno.test("Channel goes on with its open streams when SETTINGS change their windows", async () => {
  const text = "a".repeat(100_000);
  const server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 1000]);
    await connection.windowUpdate(0, 1_000_000);
    const { streamId } = await connection.nextOf(FrameType.HEADERS);
    let got = 0;
    const take = async (): Promise<number> => {
      const data = await connection.nextOf(FrameType.DATA, streamId);
      got += data.payload.length;
      return data.flags;
    };
    await take();
    assertEquals(got, 1000);
    // Less than nothing is left of the window, then a little, then all.
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 10]);
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 1500]);
    await take();
    assertEquals(got, 1500);
    await connection.settings([Setting.INITIAL_WINDOW_SIZE, 200_000]);
    while (await take() !== Flag.END_STREAM);
    assert(got > text.length);
    await replyWell(connection, streamId);
    await goOnWell(connection);
  });
  await withStub(server, async (stub) => {
    assertEquals((await soon(stub.unary({ text }))).text, "hello");
    assertEquals((await soon(stub.unary({ text: "b" }))).text, "hello");
    assertEquals(server.accepted, 1);
  });
});

Deno.test("Channel keeps to a limit of streams that was lowered below what there are", async () => {
  let most = 0;
  const server = new RawServer(async (connection) => {
    await connection.acceptPreface();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 3]);
    const open = new Set<number>();
    const take = async (): Promise<void> => {
      const { streamId, flags } = await connection.nextOf(FrameType.DATA);
      if (flags & Flag.END_STREAM) open.add(streamId);
    };
    while (open.size < 3) await take();
    await connection.settings([Setting.MAX_CONCURRENT_STREAMS, 1]);
    for (;;) {
      for (const streamId of open) {
        open.delete(streamId);
        await replyWell(connection, streamId);
        await turns(5);
      }
      while (open.size === 0) await take();
      most = Math.max(most, open.size);
    }
  });
  await withStub(server, async (stub) => {
    const calls = Array.from({ length: 8 }, () => stub.unary({}));
    for (const { text } of await soon(Promise.all(calls))) {
      assertEquals(text, "hello");
    }
    assertEquals(most, 1);
    assertEquals(server.accepted, 1);
  });
});

for (const count of [500, 20_000]) {
  Deno.test(`Channel gets over a flood of ${count} PINGs`, async () => {
    const server = replyBadly(async (connection, streamId) => {
      const ping = frame(FrameType.PING, {}, uint32(1, 2));
      await connection.write(...Array(count).fill(ping));
      await replyWell(connection, streamId);
      await goOnWell(connection);
    });
    await withStub(server, async (stub) => {
      const call = stub.unary({}).then(({ text }) => text, (error) => error);
      const result = await soon(call);
      // Too many at once are an attack, and end the connection.
      if (result instanceof GRPCError) {
        assertEquals(result.status, Status.UNAVAILABLE);
        assert(count > 1000);
      } else {
        assertEquals(result, "hello");
      }
      assertEquals((await soon(stub.unary({}, READY))).text, "hello");
    });
  });
}
