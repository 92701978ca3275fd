/** Cancellation from either side, in every way there is. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  Channel,
  createStub,
  GRPCError,
  ProtocolError,
  Status,
  StreamTerminatedError,
} from "../../client.ts";
import { hostOf } from "../../_channel.ts";
import { type EchoPair, startEcho } from "../../_testdata/echo_service.ts";
import { assertCancelled, Waiters } from "../../_testdata/waiters.ts";
import { soon, turns, until, whenAborted } from "../../_testdata/waiting.ts";
import { RawServer } from "../../_testdata/raw_h2.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";

type Way = (echo: EchoPair, started: Promise<void>) => Promise<void>;

/** Every way in which a caller can leave a call that is under way. */
const WAYS: Readonly<Record<string, Way>> = {
  "UnaryUnaryMethod() when its signal aborts": async ({ stub }, started) => {
    const controller = new AbortController();
    const { signal } = controller;
    const call = stub.unary({}, { signal });
    await started;
    const reason = new Error("enough");
    controller.abort(reason);
    const error = await assertCancelled(() => call);
    assertStrictEquals(error.cause, reason);
  },
  "UnaryStreamMethod() when its signal aborts": async ({ stub }, started) => {
    const controller = new AbortController();
    const { signal } = controller;
    const replies = stub.serverStream({}, { signal })[Symbol.asyncIterator]();
    assertEquals((await replies.next()).value?.text, "first");
    const next = replies.next();
    await started;
    controller.abort();
    await assertCancelled(() => next);
  },
  "StreamUnaryMethod() when its signal aborts": async ({ stub }, started) => {
    const controller = new AbortController();
    const { signal } = controller;
    const call = stub.clientStream(new ReadableStream(), { signal });
    await started;
    controller.abort();
    await assertCancelled(() => call);
  },
  "StreamStreamMethod() when its signal aborts": async ({ stub }, started) => {
    const controller = new AbortController();
    const { signal } = controller;
    const call = Array.fromAsync(stub.bidi(new ReadableStream(), { signal }));
    await started;
    controller.abort();
    await assertCancelled(() => call);
  },
  "ClientStream when its signal aborts": async ({ stub }, started) => {
    const controller = new AbortController();
    const { signal } = controller;
    await using stream = stub.bidi.open({ signal });
    await stream.sendRequest();
    await started;
    controller.abort();
    await assertCancelled(() => stream.sendMessage({}));
    await assertCancelled(() => stream.recvTrailingMetadata());
  },
  "ClientStream.cancel()": async ({ stub }, started) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
    await started;
    stream.cancel();
    await assertCancelled(() => stream.recvMessage());
  },
  "ClientStream when its block is left": async ({ stub }, started) => {
    await using stream = stub.bidi.open();
    await stream.sendRequest();
    await started;
  },
  "ClientStream when its block is left by an error": async (
    { stub },
    started,
  ) => {
    await assertRejects(
      async () => {
        await using stream = stub.unary.open();
        await stream.sendMessage({});
        await started;
        throw new Error("mine");
      },
      Error,
      "mine",
    );
  },
  "ClientStream when its iteration is left": async ({ stub }, started) => {
    const stream = stub.bidi.open();
    await stream.sendRequest();
    for await (const _ of stream) {
      await started;
      break;
    }
    await assertCancelled(() => stream.recvTrailingMetadata());
  },
  "UnaryStreamMethod() when its iteration is left": async (
    { stub },
    started,
  ) => {
    for await (const _ of stub.serverStream({})) {
      await started;
      break;
    }
  },
  "StreamStreamMethod() when its iteration is left": async (
    { stub },
    started,
  ) => {
    for await (const _ of stub.bidi(new ReadableStream())) {
      await started;
      break;
    }
  },
  "ClientStream.readable when it is cancelled": async ({ stub }, started) => {
    const stream = stub.bidi.open();
    await stream.sendRequest();
    await started;
    await stream.readable.cancel();
  },
  "ClientStream.writable when it is aborted": async ({ stub }, started) => {
    const stream = stub.clientStream.open();
    await stream.sendRequest();
    await started;
    await stream.writable.abort();
    await assertCancelled(() => stream.recvMessage());
  },
};

for (const [name, leave] of Object.entries(WAYS)) {
  Deno.test(`${name} cancels the call, and the handler's signal aborts`, async () => {
    const waiters = new Waiters();
    await using echo = await startEcho({ handlers: waiters.handlers });
    await soon(leave(echo, waiters.started));
    await waiters.assertAborted();
    // The connection lives on.
    const controller = new AbortController();
    const next = echo.stub.unary({}, { signal: controller.signal });
    controller.abort();
    await assertCancelled(() => next);
  });
}

Deno.test("UnaryUnaryMethod() sends nothing when its signal is aborted already", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { unary: () => void calls++ },
  });
  const reason = new Error("before");
  const signal = AbortSignal.abort(reason);
  const error = await assertCancelled(() => echo.stub.unary({}, { signal }));
  assertStrictEquals(error.cause, reason);
  await using stream = echo.stub.unary.open({ signal });
  await assertCancelled(() => stream.sendMessage({}));
  await assertCancelled(() =>
    Array.fromAsync(echo.stub.bidi([{}], { signal }))
  );
  await echo.stub.clientStream([]);
  assertEquals(calls, 0);
});

Deno.test("UnaryUnaryMethod() leaves the signal alone when the call is over", async () => {
  await using echo = await startEcho();
  const controller = new AbortController();
  const { signal } = controller;
  let listeners = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: unknown[]) => {
    listeners++;
    addEventListener.apply(signal, args as never);
  };
  signal.removeEventListener = (...args: unknown[]) => {
    listeners--;
    removeEventListener.apply(signal, args as never);
  };
  await echo.stub.unary({}, { signal });
  await assertRejects(() => echo.stub.unary({ status: 5 }, { signal }));
  await using stream = echo.stub.bidi.open({ signal });
  await stream.sendRequest({ end: true });
  assertEquals(await stream.recvMessage(), null);
  assertEquals(listeners, 0);
  controller.abort();
  await stream.recvTrailingMetadata();
});

Deno.test("ClientStream rejects everything that waits when the call is cancelled", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({
    handlers: { bidi: waiters.handlers.clientStream as never },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  const payload = new Uint8Array(1024 * 1024);
  const waiting = [
    stream.recvInitialMetadata(),
    stream.recvMessage(),
    stream.recvMessage(),
    // More than any window: somewhere it waits for the peer to read.
    (async () => {
      for (;;) await stream.sendMessage({ payload });
    })(),
  ];
  await waiters.started;
  stream.cancel();
  for (const operation of waiting) await assertCancelled(() => operation);
  await waiters.assertAborted();
});

Deno.test("ClientStream keeps the user's error when its block is left after the stream was reset", async () => {
  await using echo = await startEcho({
    handlers: { bidi: (stream) => stream.cancel() },
  });
  await assertRejects(
    async () => {
      await using stream = echo.stub.bidi.open();
      await stream.sendRequest();
      await stream.recvMessage().catch(() => {});
      throw new Error("mine");
    },
    Error,
    "mine",
  );
});

Deno.test("ClientStream.cancel() is a misuse when it is called twice, or before the request", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const stream = echo.stub.bidi.open();
  assertThrows(() => stream.cancel(), ProtocolError, "Request was not sent");
  await stream.sendRequest();
  await waiters.started;
  stream.cancel();
  assertThrows(() => stream.cancel(), ProtocolError, "already cancelled");
  await waiters.assertAborted();
});

Deno.test("ClientStream.cancel() does nothing when the call is complete", async () => {
  await using echo = await startEcho();
  await using stream = echo.stub.unary.open();
  await stream.sendMessage({ text: "hello" });
  assertEquals((await stream.recvMessage()).text, "hello");
  stream.cancel();
  await stream.recvTrailingMetadata();
});

Deno.test("ClientStream leaves its block at once when there is no connection yet", async () => {
  await using silent = new RawServer(() => Promise.resolve());
  await using channel = new Channel("127.0.0.1", silent.port);
  const stub = createStub(Echo, channel);
  const leave = async () => {
    await using stream = stub.bidi.open();
    stream.sendRequest().catch(() => {});
    await turns(1);
  };
  await soon(leave(), "the block to be left");
});

Deno.test("ServerStream.cancel() makes the client see CANCELLED, and aborts the handler's signal", async () => {
  const reason = Promise.withResolvers<unknown>();
  await using echo = await startEcho({
    handlers: {
      bidi: async (stream) => {
        const { signal } = stream;
        await stream.sendMessage({ text: "first" });
        await stream.recvMessage();
        stream.cancel();
        reason.resolve(signal.reason);
        assertThrows(() => stream.cancel(), ProtocolError, "already cancelled");
        await assertCancelled(() => stream.recvMessage());
        await assertCancelled(() => stream.sendMessage({}));
        await assertCancelled(() => stream.sendTrailingMetadata());
      },
    },
  });
  await using stream = echo.stub.bidi.open();
  await stream.sendRequest();
  assertEquals((await stream.recvMessage())?.text, "first");
  await stream.sendMessage({});
  const error = await assertCancelled(() => stream.recvMessage());
  assertInstanceOf(error, StreamTerminatedError);
  assertInstanceOf(await reason.promise, GRPCError);
});

for (const kind of ["recvMessage", "sendMessage"] as const) {
  Deno.test(`ServerStream.${kind}() rejects with the signal's reason when the client cancels`, async () => {
    const ended = Promise.withResolvers<[unknown, unknown]>();
    const started = Promise.withResolvers<void>();
    const payload = new Uint8Array(1024 * 1024);
    await using echo = await startEcho({
      handlers: {
        async bidi(stream) {
          const { signal } = stream;
          started.resolve();
          try {
            if (kind === "recvMessage") await stream.recvMessage();
            else for (;;) await stream.sendMessage({ payload });
          } catch (error) {
            ended.resolve([error, signal.reason]);
            throw error;
          }
        },
      },
    });
    await using stream = echo.stub.bidi.open();
    await stream.sendRequest();
    await started.promise;
    // With time to fill every window, which nobody reads.
    await turns(20);
    stream.cancel();
    const [error, reason] = await soon(ended.promise);
    assertInstanceOf(error, StreamTerminatedError);
    assertStrictEquals(error, reason);
    assertEquals(error.status, Status.CANCELLED);
  });
}

Deno.test("ServerStream.cancel() makes the client see CANCELLED when the requests were ended", async () => {
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await stream.sendMessage({ text: "first" });
        stream.cancel();
      },
      unary: (stream) => stream.cancel(),
    },
  });
  // The end of the stream must not be taken for the end of the replies.
  await assertCancelled(() => Array.fromAsync(echo.stub.serverStream({})));
  await assertCancelled(() => echo.stub.unary({}));
});

Deno.test("ClientStream can be cancelled many times at a stretch without harm", async () => {
  await using echo = await startEcho({
    handlers: { unary: (stream) => whenAborted(stream.signal).then(() => {}) },
  });
  // Fewer than maxResetStreamsPerSecond.
  for (let round = 0; round < 4; round++) {
    await Promise.all(Array.from({ length: 100 }, async () => {
      const stream = echo.stub.unary.open();
      await stream.sendMessage({}).catch(() => {});
      stream.cancel();
    }));
    await turns(1);
  }
  assertEquals((await soon(echo.stub.clientStream([]))).index, 0);
  const { source } = hostOf(echo.channel);
  await until(() => source.counts.streams === 0, "no stream is left");
  assertEquals(source.counts.connections, 1);
});
