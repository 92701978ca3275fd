/** Where the requests of a call come from, and how it is told of the end. */

import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { GRPCError, Status } from "../../client.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";
import { assertCancelled, Waiters } from "../../_testdata/waiters.ts";
import { soon, turns } from "../../_testdata/waiting.ts";

type Message = { readonly payload?: Uint8Array };

/** A source of requests that knows whether it was closed. */
class Source {
  returned = 0;
  readonly #messages: readonly unknown[];

  constructor(messages: readonly unknown[]) {
    this.#messages = messages;
  }

  /** The messages, and no end of large ones after them. */
  *sync(): Generator<Message> {
    try {
      yield* this.#messages as readonly Message[];
      const payload = new Uint8Array(65_536);
      for (;;) yield { payload };
    } finally {
      this.returned++;
    }
  }

  async *async(): AsyncGenerator<Message> {
    for (const message of this.sync()) {
      yield message;
      await turns(1);
    }
  }
}

const KINDS = ["sync", "async"] as const;

for (const kind of KINDS) {
  Deno.test(`StreamUnaryMethod() closes its ${kind} source when the server has enough`, async () => {
    await using echo = await startEcho({
      handlers: {
        async clientStream(stream) {
          await stream.recvMessage();
          await stream.sendMessage({ text: "enough" });
        },
      },
    });
    const source = new Source([]);
    const reply = await soon(echo.stub.clientStream(source[kind]()));
    assertEquals(reply.text, "enough");
    await turns(4);
    assertEquals(source.returned, 1);
  });

  Deno.test(`StreamUnaryMethod() closes its ${kind} source when the server fails`, async () => {
    await using echo = await startEcho({
      handlers: {
        clientStream() {
          throw new GRPCError(Status.ABORTED, "No");
        },
      },
    });
    const source = new Source([]);
    const error = await assertRejects(
      () => soon(echo.stub.clientStream(source[kind]())),
      GRPCError,
    );
    assertEquals(error.status, Status.ABORTED);
    await turns(4);
    assertEquals(source.returned, 1);
  });

  for (const index of [0, 1, 2]) {
    Deno.test(`StreamUnaryMethod() closes its ${kind} source and rejects when message ${index} is none`, async () => {
      await using echo = await startEcho();
      const messages: unknown[] = [{}, {}];
      messages.splice(index, 0, "no message");
      const source = new Source(messages);
      const call = () => soon(echo.stub.clientStream(source[kind]()));
      await assertRejects(call, TypeError, "grpclib.test.EchoRequest");
      await turns(4);
      assertEquals(source.returned, 1);
    });
  }

  Deno.test(`StreamStreamMethod() closes its ${kind} source when the iteration is left`, async () => {
    await using echo = await startEcho();
    const source = new Source([{ count: 1 }]);
    for await (const _ of echo.stub.bidi(source[kind]())) break;
    await turns(4);
    assertEquals(source.returned, 1);
  });
}

Deno.test("StreamUnaryMethod() sends nothing when its first message is none", async () => {
  let calls = 0;
  await using echo = await startEcho({
    handlers: { clientStream: () => void calls++ },
  });
  const bad = ["no message"] as unknown as Iterable<{ text: string }>;
  await assertRejects(() => echo.stub.clientStream(bad), TypeError);
  await echo.stub.unary({});
  assertEquals(calls, 0);
});

Deno.test("StreamUnaryMethod() rejects when it is given no iterable", async () => {
  await using echo = await startEcho();
  for (const bad of [undefined, null, 7, {}, () => {}]) {
    await assertRejects(
      () => echo.stub.clientStream(bad as unknown as []),
      TypeError,
      "Cannot send requests: an iterable of messages is needed",
    );
  }
});

Deno.test("StreamUnaryMethod() gives the source's own error back when the source throws", async () => {
  const waiters = new Waiters();
  await using echo = await startEcho({ handlers: waiters.handlers });
  const mine = new Error("mine");
  const error = await assertRejects(() =>
    echo.stub.clientStream((async function* () {
      yield {};
      await waiters.started;
      throw mine;
    })())
  );
  assertStrictEquals(error, mine);
  await waiters.assertAborted();
});

for (const kind of ["sync", "async"] as const) {
  Deno.test(`StreamUnaryMethod() is cancelled when its ${kind} source aborts the signal itself`, async () => {
    const waiters = new Waiters();
    await using echo = await startEcho({ handlers: waiters.handlers });
    const controller = new AbortController();
    let returned = false;
    function* sync() {
      try {
        yield {};
        controller.abort();
        yield {};
      } finally {
        returned = true;
      }
    }
    async function* async() {
      yield* sync();
      await Promise.resolve();
    }
    await assertCancelled(() =>
      echo.stub.clientStream(kind === "sync" ? sync() : async(), {
        signal: controller.signal,
      })
    );
    await turns(2);
    assertEquals(returned, true);
  });
}
