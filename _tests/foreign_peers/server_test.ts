// Our client with a server of grpc-js, which runs under Node where there is one
// and has its messages made by protobufjs.

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Channel, createStub } from "../../client.ts";
import { GRPCError } from "../../core/errors.ts";
import type { Metadata, MetadataValue } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import { startPeer } from "../../_testdata/child_process.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon } from "../../_testdata/waiting.ts";

/** What the server tells of a call. */
interface CallEvent {
  readonly event: string;
  readonly method: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly timeoutMs: number | null;
  readonly userAgent: string;
}

const MIB = 1024 * 1024;

const METADATA: readonly (readonly [string, MetadataValue])[] = [
  ["x-bytes-bin", Uint8Array.of(0, 255, 128)],
  ["x-bytes-bin", Uint8Array.of(1)],
  ["x-text", "one, two"],
  ["x-text", "three"],
];

/** The same as the server tells of it. */
const METADATA_TOLD: CallEvent["metadata"] = [
  ["x-bytes-bin", "00ff80"],
  ["x-bytes-bin", "01"],
  ["x-text", "one, two, three"],
];

function assertEchoed(metadata: Metadata | null): void {
  assert(metadata !== null);
  assertEquals(metadata.getAll("x-bytes-bin"), [
    Uint8Array.of(0, 255, 128),
    Uint8Array.of(1),
  ]);
  assertEquals(metadata.getAll("x-text").join(", "), "one, two, three");
}

Deno.test("Channel calls the methods of a grpc-js server", async (t) => {
  await using peer = startPeer("grpc_js_peer.mjs", "server");
  const { port } = await soon(peer.event<{ port: number }>(), "the server");
  await using channel = new Channel("127.0.0.1", port);
  const stub = createStub(Echo, channel);
  const told = () => soon(peer.event<CallEvent>(), "the server's word");

  await t.step("unaryUnary() gets the reply", async () => {
    const { text, index } = await stub.unary({ text: "grüße" });
    assertEquals({ text, index }, { text: "grüße", index: 0 });
    const call = await told();
    assertEquals(call.method, "unary");
    assertEquals(call.timeoutMs, null);
    assertMatch(call.userAgent, /^grpc-deno-grpclib\//);
  });

  await t.step(
    "unaryUnary() gets an empty reply to an empty request",
    async () => {
      assertEquals((await stub.unary({})).text, "");
      await told();
    },
  );

  await t.step("unaryStream() gets all replies in order", async () => {
    const replies = await Array.fromAsync(
      stub.serverStream({ text: "a", count: 300 }),
    );
    assertEquals(replies.map(({ index }) => index), [...replies.keys()]);
    assertEquals(replies.length, 300);
    await told();
  });

  await t.step("streamUnary() sends all requests", async () => {
    const requests = Array.from({ length: 300 }, (_, i) => ({ text: `${i} ` }));
    const { text, index } = await stub.clientStream(requests);
    assertEquals(text, requests.map(({ text }) => text).join(""));
    assertEquals(index, 300);
    await told();
  });

  await t.step("streamUnary() sends no request", async () => {
    assertEquals((await stub.clientStream([])).index, 0);
    await told();
  });

  await t.step("streamStream() sends and gets in turns", async () => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
    for (let i = 0; i < 50; i++) {
      await stream.sendMessage({ text: `${i}`, count: 2 });
      for (const index of [0, 1]) {
        const reply = await stream.recvMessage();
        assertEquals({ text: reply?.text, index: reply?.index }, {
          text: `${i}`,
          index,
        });
      }
    }
    await stream.end();
    assertEquals(await stream.recvMessage(), null);
    await told();
  });

  await t.step("unaryUnary() runs a hundred calls at once", async () => {
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    const replies = await Promise.all(
      texts.map((text) => stub.unary({ text })),
    );
    assertEquals(replies.map(({ text }) => text), texts);
    for (const _ of texts) await told();
  });

  await t.step("ClientStream exchanges metadata", async () => {
    for (const open of [stub.unary.open, stub.serverStream.open]) {
      await using stream = open({ metadata: METADATA });
      await stream.sendMessage({ text: "a", count: 1 });
      await stream.recvInitialMetadata();
      assertEchoed(stream.initialMetadata);
      assertEquals((await stream.recvMessage())?.text, "a");
      await stream.recvTrailingMetadata();
      assertEchoed(stream.trailingMetadata);
      assertEquals((await told()).metadata, METADATA_TOLD);
    }
  });

  const statusMessage = "schlüssel 🔑 fehlt\n100 %";
  const failing = {
    text: "a",
    count: 1,
    status: Status.NOT_FOUND,
    statusMessage,
  };
  const calls = {
    unaryUnary: () => stub.unary(failing, { metadata: METADATA }),
    unaryStream: () =>
      Array.fromAsync(stub.serverStream(failing, { metadata: METADATA })),
    streamUnary: () => stub.clientStream([failing], { metadata: METADATA }),
    streamStream: () =>
      Array.fromAsync(stub.bidi([failing], { metadata: METADATA })),
  };
  for (const [name, call] of Object.entries(calls)) {
    await t.step(
      `${name}() fails with the server's status, message and metadata`,
      async () => {
        const error = await assertRejects(call, GRPCError);
        assertEquals(error.status, Status.NOT_FOUND);
        assertEquals(error.message, statusMessage);
        assertEchoed(error.metadata);
        await told();
      },
    );
  }

  await t.step(
    "unaryUnary() fails with UNIMPLEMENTED when there is no such method",
    async () => {
      const { unary } = createStub(
        {
          ...Echo,
          methods: Echo.methods.map((method) => ({ ...method, name: "Nope" })),
        },
        channel,
      );
      const error = await assertRejects(() => unary({}), GRPCError);
      assertEquals(error.status, Status.UNIMPLEMENTED);
    },
  );

  await t.step("unaryUnary() tells its deadline and keeps to it", async () => {
    // Long enough for the request to arrive on a busy machine.
    const error = await assertRejects(
      () => soon(stub.unary({ delayMs: 600_000 }, { timeoutMs: 1_000 })),
      GRPCError,
    );
    assertEquals(error.status, Status.DEADLINE_EXCEEDED);
    const { timeoutMs } = await told();
    assert(timeoutMs !== null && timeoutMs > 0 && timeoutMs <= 1_001);
    assertEquals((await told()).event, "cancelled");
  });

  await t.step("ClientStream.cancel() reaches the server at once", async () => {
    const stream = stub.bidi.open();
    await stream.sendMessage({ text: "a", count: 1 });
    assertEquals((await stream.recvMessage())?.text, "a");
    await told();
    stream.cancel();
    const error = await assertRejects(() => stream.recvMessage(), GRPCError);
    assertEquals(error.status, Status.CANCELLED);
    assertEquals((await told()).event, "cancelled");
  });

  await t.step(
    "CallOptions.signal cancels the call on the server, too",
    async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const call = stub.unary({ delayMs: 5000 }, { signal });
      await told();
      controller.abort();
      const error = await assertRejects(() => call, GRPCError);
      assertEquals(error.status, Status.CANCELLED);
      assertEquals((await told()).event, "cancelled");
    },
  );

  await t.step(
    "unaryStream() cancels the call when its iteration is left",
    async () => {
      const request = { text: "a", count: 5, delayMs: 5000 };
      for await (const { index } of stub.serverStream(request)) {
        if (index === 2) break;
      }
      await told();
      assertEquals((await told()).event, "cancelled");
    },
  );

  await t.step("unaryUnary() exchanges messages of 3 MiB", async () => {
    const payload = new Uint8Array(3 * MIB).fill(7);
    const reply = await stub.unary({ payload });
    assertEquals(reply.payload, payload);
    await told();
  });

  await t.step(
    "unaryUnary() fails with RESOURCE_EXHAUSTED when the server limits requests",
    async () => {
      const payload = new Uint8Array(4 * MIB);
      const error = await assertRejects(
        () => stub.unary({ payload }),
        GRPCError,
      );
      assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
    },
  );

  await t.step(
    "unaryStream() fails with RESOURCE_EXHAUSTED when a reply is over the limit",
    async () => {
      await using limited = new Channel("127.0.0.1", port, {
        config: { maxReceiveMessageSize: 1000 },
      });
      const replies = createStub(Echo, limited).serverStream({
        payload: new Uint8Array(1000),
        count: 3,
        delayMs: 5000,
      });
      const error = await assertRejects(
        () => Array.fromAsync(replies),
        GRPCError,
      );
      assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
      await told();
      assertEquals((await told()).event, "cancelled");
    },
  );

  await t.step(
    "Channel fails its calls with UNAVAILABLE when the server has shut down",
    async () => {
      assertEquals((await stub.unary({ text: "last" })).text, "last");
      await told();
      await peer.send("shut down");
      assertEquals((await told()).event, "shut down");
      const error = await assertRejects(() => stub.unary({}), GRPCError);
      assertEquals(error.status, Status.UNAVAILABLE);
    },
  );
});
