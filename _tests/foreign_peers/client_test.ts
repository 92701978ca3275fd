// Our server with a client of grpc-js, which runs under Node where there is one
// and has its messages made by protobufjs.

import {
  assert,
  assertEquals,
  assertGreater,
  assertInstanceOf,
  assertLess,
  assertLessOrEqual,
  assertMatch,
} from "@std/assert";
import { GRPCError } from "../../core/errors.ts";
import { Metadata, type MetadataValue } from "../../core/metadata.ts";
import { Status } from "../../core/status.ts";
import type { ServerStream } from "../../_call/server/stream.ts";
import { type ChildProcess, startPeer } from "../../_testdata/child_process.ts";
import { type EchoHandlers, startEcho } from "../../_testdata/echo_service.ts";
import { soon, whenAborted } from "../../_testdata/waiting.ts";

type Pairs = readonly (readonly [string, string])[];

/** What the client is to do. */
interface Command {
  readonly method: "unary" | "serverStream" | "clientStream" | "bidi";
  readonly requests: readonly {
    readonly text?: string;
    readonly count?: number;
    readonly payload?: { readonly size: number };
    readonly status?: Status;
    readonly statusMessage?: string;
    readonly delayMs?: number;
  }[];
  readonly metadata?: Pairs;
  readonly timeoutMs?: number;
  readonly cancelAfter?: number;
}

/** What came of it. */
interface Result {
  readonly code: Status;
  readonly details: string;
  readonly replies: readonly {
    readonly text: string;
    readonly index: number;
    readonly payload: { readonly size: number };
  }[];
  readonly initial: Pairs;
  readonly trailing: Pairs;
}

const MIB = 1024 * 1024;

const METADATA: Pairs = [
  ["x-bytes-bin", "00ff80"],
  ["x-bytes-bin", "01"],
  ["x-text", "one, two"],
  ["x-text", "three"],
];

/** The same as grpc-js tells of it. */
const METADATA_TOLD: Pairs = [
  ["x-bytes-bin", "00ff80"],
  ["x-bytes-bin", "01"],
  ["x-text", "one, two, three"],
];

async function makeCall(peer: ChildProcess, command: Command): Promise<Result> {
  await peer.send(JSON.stringify(command));
  return await soon(peer.event<Result>(), "the client's word");
}

/** The metadata of a test among those of a request. */
function own(metadata: Metadata): Metadata {
  const pairs = [...metadata].filter(([key]) => key.startsWith("x-"));
  return new Metadata(pairs as [string, MetadataValue][]);
}

type AnyStream = Pick<
  // deno-lint-ignore no-explicit-any
  ServerStream<any, any>,
  | "metadata"
  | "deadline"
  | "userAgent"
  | "signal"
  | "trailingMetadata"
  | "sendInitialMetadata"
>;

Deno.test("Server answers the calls of a grpc-js client", async (t) => {
  let last: AnyStream | undefined;
  /** Sends the metadata of the request back, before and behind the messages. */
  const begin = async (stream: AnyStream) => {
    last = stream;
    const metadata = own(stream.metadata);
    if (metadata.size === 0) return;
    for (const [key, value] of metadata) {
      stream.trailingMetadata.append(key, value);
    }
    await stream.sendInitialMetadata({ metadata });
  };
  const aborted = async (stream: AnyStream): Promise<GRPCError> => {
    const reason = await soon(whenAborted(stream.signal), "the abort");
    assertInstanceOf(reason, GRPCError);
    return reason;
  };
  const fail = (request: { status: number; statusMessage: string }) => {
    if (request.status === 0) return;
    throw new GRPCError(request.status as Status, request.statusMessage);
  };
  const handlers: EchoHandlers = {
    unary: async (stream) => {
      const request = await stream.recvMessage();
      await begin(stream);
      if (request.delayMs > 0) throw await aborted(stream);
      fail(request);
      await stream.sendMessage({
        text: request.text,
        payload: request.payload,
      });
    },
    serverStream: async (stream) => {
      const request = await stream.recvMessage();
      await begin(stream);
      for (let index = 0; index < request.count; index++) {
        await stream.sendMessage({ text: request.text, index });
      }
      if (request.delayMs > 0) throw await aborted(stream);
      fail(request);
    },
    clientStream: async (stream) => {
      await begin(stream);
      let text = "";
      let index = 0;
      for await (const request of stream) {
        fail(request);
        text += request.text;
        index++;
      }
      await stream.sendMessage({ text, index });
    },
    bidi: async (stream) => {
      await begin(stream);
      for await (const request of stream) {
        for (let index = 0; index < request.count; index++) {
          await stream.sendMessage({ text: request.text, index });
        }
        fail(request);
      }
    },
  };
  await using pair = await startEcho({ handlers });
  await using peer = startPeer("grpc_js_peer.mjs", "client", `${pair.port}`);
  await soon(peer.event(), "the client");

  await t.step("a unary call", async () => {
    const requests = [{ text: "grüße" }];
    const result = await makeCall(peer, { method: "unary", requests });
    assertEquals(result.code, Status.OK);
    assertEquals(result.replies[0]?.text, "grüße");
    assertEquals(result.replies.length, 1);
    assertEquals(last!.deadline, null);
    assertMatch(last!.userAgent ?? "", /^grpc-node-js\//);
  });

  await t.step("a unary call with an empty message", async () => {
    const result = await makeCall(peer, { method: "unary", requests: [{}] });
    assertEquals(result.code, Status.OK);
    assertEquals(result.replies[0]?.text, "");
  });

  await t.step("a call with many replies", async () => {
    const { code, replies } = await makeCall(peer, {
      method: "serverStream",
      requests: [{ text: "a", count: 300 }],
    });
    assertEquals(code, Status.OK);
    assertEquals(replies.length, 300);
    assertEquals(replies.map(({ index }) => index), [...replies.keys()]);
  });

  for (const count of [300, 0]) {
    await t.step(`a call with ${count} requests`, async () => {
      const requests = Array.from(
        { length: count },
        (_, i) => ({ text: `${i} ` }),
      );
      const { code, replies } = await makeCall(peer, {
        method: "clientStream",
        requests,
      });
      assertEquals(code, Status.OK);
      assertEquals(replies[0]?.index, count);
      assertEquals(replies[0]?.text, requests.map(({ text }) => text).join(""));
    });
  }

  await t.step("a call with many requests and replies", async () => {
    const { code, replies } = await makeCall(peer, {
      method: "bidi",
      requests: [{ text: "a", count: 3 }, {}, { text: "b", count: 1 }],
    });
    assertEquals(code, Status.OK);
    assertEquals(replies.map(({ text, index }) => `${text}${index}`), [
      ...["a0", "a1", "a2", "b0"],
    ]);
  });

  await t.step("a hundred calls at once", async () => {
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    for (const text of texts) {
      const command = { method: "unary", requests: [{ text }] };
      await peer.send(JSON.stringify(command));
    }
    const got = new Set<string | undefined>();
    for (const _ of texts) {
      const result = await soon(peer.event<Result>());
      got.add(result.replies[0]?.text);
    }
    assertEquals(got, new Set(texts));
  });

  for (
    const method of ["unary", "serverStream", "clientStream", "bidi"] as const
  ) {
    await t.step(`metadata of a call of ${method}`, async () => {
      const result = await makeCall(peer, {
        method,
        requests: [{ text: "a", count: 1 }],
        metadata: METADATA,
      });
      assertEquals(result.code, Status.OK);
      assertEquals(last!.metadata.getAll("x-bytes-bin"), [
        Uint8Array.of(0, 255, 128),
        Uint8Array.of(1),
      ]);
      assertEquals(last!.metadata.getAll("x-text"), ["one, two", "three"]);
      assertEquals(result.initial, METADATA_TOLD);
      assertEquals(result.trailing, METADATA_TOLD);
    });

    await t.step(`an error of a call of ${method}`, async () => {
      const statusMessage = "schlüssel 🔑 fehlt\n100 %";
      const { code, details, trailing } = await makeCall(peer, {
        method,
        requests: [{ status: Status.NOT_FOUND, statusMessage, count: 1 }],
        metadata: METADATA,
      });
      assertEquals(code, Status.NOT_FOUND);
      assertEquals(details, statusMessage);
      assertEquals(trailing, METADATA_TOLD);
    });
  }

  for (const method of ["unary", "serverStream"] as const) {
    await t.step(`the deadline of a call of ${method}`, async () => {
      const requests = [{ delayMs: 1, count: 1 }];
      // Long enough for the request to arrive on a busy machine.
      const command: Command = { method, requests, timeoutMs: 1_000 };
      const { code } = await makeCall(peer, command);
      assertEquals(code, Status.DEADLINE_EXCEEDED);
      const reason = await aborted(last!);
      // It is for either clock to ring first.
      assert(
        reason.status === Status.DEADLINE_EXCEEDED ||
          reason.status === Status.CANCELLED,
      );
      assertLess(last!.deadline!.timeRemainingMs(), 900);
    });
  }

  await t.step("a deadline that is kept", async () => {
    const { code } = await makeCall(peer, {
      method: "unary",
      requests: [{ text: "a" }],
      timeoutMs: 60_000,
    });
    assertEquals(code, Status.OK);
    const remaining = last!.deadline!.timeRemainingMs();
    assertGreater(remaining, 50_000);
    assertLessOrEqual(remaining, 60_000);
  });

  await t.step("a call that is cancelled", async () => {
    const { code, replies } = await makeCall(peer, {
      method: "serverStream",
      requests: [{ text: "a", count: 3, delayMs: 1 }],
      cancelAfter: 2,
    });
    assertEquals(code, Status.CANCELLED);
    assertEquals(replies.length, 2);
    assertEquals((await aborted(last!)).status, Status.CANCELLED);
  });

  await t.step("a call that is cancelled before anything is sent", async () => {
    const { code } = await makeCall(peer, {
      method: "bidi",
      requests: [{ text: "a", count: 1 }],
      cancelAfter: 0,
    });
    assertEquals(code, Status.CANCELLED);
  });

  await t.step("messages of 3 MiB", async () => {
    const size = 3 * MIB + 5;
    const { code, replies } = await makeCall(peer, {
      method: "unary",
      requests: [{ payload: { size } }],
    });
    assertEquals(code, Status.OK);
    assertEquals(replies[0]?.payload.size, size);
  });

  for (const method of ["unary", "clientStream", "bidi"] as const) {
    await t.step(
      `a message over the limit in a call of ${method}`,
      async () => {
        const { code, details } = await makeCall(peer, {
          method,
          requests: [{ payload: { size: 4 * MIB } }],
        });
        assertEquals(code, Status.RESOURCE_EXHAUSTED);
        assertMatch(details, /more than the 4194304/);
      },
    );
  }

  await t.step("nothing more, when it is closed", async () => {
    pair.server.close();
    await soon(pair.server.waitClosed(), "the server's end");
    const result = await makeCall(peer, { method: "unary", requests: [{}] });
    assertEquals(result.code, Status.UNAVAILABLE);
  });
});
