// Retries with grpc-js, grpcio and grpc-go: what they say of trying again, and
// that they do as they are told.

import { assert, assertEquals } from "@std/assert";
import {
  Channel,
  type ChannelOptions,
  GRPCError,
  listen,
  RetryCall,
  Status,
  unaryUnary,
} from "../../mod.ts";
import { type ChildProcess, startPeer } from "../../_testdata/child_process.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import {
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { named, python, talkTo, tool } from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

const PYTHON = python();
const GO = tool("retry-peer");
const PY_PEER =
  new URL("../../_testdata/retry_peer.py", import.meta.url).pathname;

interface Peer {
  readonly name: string;
  readonly isThere: boolean;
  start(...args: string[]): ChildProcess;
}

const PEERS: readonly Peer[] = [
  {
    name: "grpc-js",
    isThere: true,
    start: (...args) => startPeer("retry_peer.mjs", ...args),
  },
  {
    name: named("grpcio", { python: PYTHON }),
    isThere: PYTHON !== null,
    start: (...args) => talkTo(PYTHON!, PY_PEER, ...args),
  },
  {
    name: named("grpc-go", { "retry-peer": GO }),
    isThere: GO !== null,
    start: (...args) => talkTo(GO!, ...args),
  },
];

/** Waits that no test would outlast, so that it is the server's word that counts. */
const SLOW = { initialBackoffMs: 60_000, maxBackoffMs: 60_000 };

const FAST = { initialBackoffMs: 5 };

/** What a call is told to meet, and what has to come of it. */
const SERVED: readonly {
  readonly what: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly retry: ChannelOptions["retry"] & object;
  readonly attempts: number;
  readonly fails?: boolean;
  readonly delayMs?: number;
}[] = [
  {
    what: "until it succeeds",
    metadata: { "x-fail": "3" },
    retry: FAST,
    attempts: 4,
  },
  {
    what: "until it has failed four times",
    metadata: { "x-fail": "9" },
    retry: FAST,
    attempts: 4,
    fails: true,
  },
  {
    what: "after as long as the server says",
    metadata: { "x-fail": "1", "x-pushback": "20" },
    retry: SLOW,
    attempts: 2,
    delayMs: 20,
  },
  {
    what: "once, as the server says",
    metadata: { "x-fail": "1", "x-pushback": "-1" },
    retry: FAST,
    attempts: 1,
    fails: true,
  },
];

for (const { name, isThere, start } of PEERS) {
  Deno.test({
    name: `Channel with retry makes calls to a server of ${name}`,
    ignore: !isThere,
    async fn(t) {
      await using peer = start("server");
      const port = Number(await soon(peer.line(), "the server's port"));
      for (const { what, metadata, retry, attempts, ...rest } of SERVED) {
        const { fails = false, delayMs } = rest;
        await t.step(what, async () => {
          await using channel = new Channel("127.0.0.1", port, { retry });
          const delays: number[] = [];
          using _ = listen(channel, RetryCall, (event) => {
            delays.push(event.delayMs);
          });
          const call = unaryUnary(
            channel,
            "/grpclib.test.Echo/Unary",
            EchoRequestSchema,
            EchoReplySchema,
          );
          await using stream = call.open({ metadata });
          await stream.sendMessage({});
          const error = await soon(
            stream.recvMessage().then(() => null, (error: unknown) => error),
          );
          assertEquals(error !== null, fails);
          if (error !== null) {
            assert(error instanceof GRPCError);
            assertEquals(error.status, Status.UNAVAILABLE);
            assertEquals(error.attempts, attempts);
            const previous = error.metadata.get("x-previous");
            assertEquals(previous, `${attempts - 1}`);
          } else {
            await stream.recvTrailingMetadata();
            const previous = stream.trailingMetadata?.get("x-previous");
            assertEquals(previous, `${attempts - 1}`);
          }
          assertEquals(delays.length, attempts - 1);
          if (delayMs !== undefined) assertEquals(delays, [delayMs]);
        });
      }
    },
  });

  Deno.test({
    name: `Server is called again by a client of ${name}`,
    ignore: !isThere,
    async fn(t) {
      let play: { fail: number; retryAfterMs: number | null | undefined };
      const seen: number[] = [];
      await using echo = await startEcho({
        handlers: {
          unary: async (stream) => {
            await stream.recvMessage();
            seen.push(stream.previousAttempts);
            if (stream.previousAttempts < play.fail) {
              const { retryAfterMs } = play;
              throw new GRPCError(Status.UNAVAILABLE, "Not yet", {
                retryAfterMs,
              });
            }
            await stream.sendMessage({});
          },
        },
      });
      await using peer = start("client", `${echo.port}`);
      const call = async (
        initialBackoff: string,
        fail: number,
        retryAfterMs?: number | null,
      ) => {
        play = { fail, retryAfterMs };
        seen.length = 0;
        const serviceConfig = {
          methodConfig: [{
            name: [{ service: "grpclib.test.Echo" }],
            retryPolicy: {
              maxAttempts: 4,
              initialBackoff,
              maxBackoff: initialBackoff,
              backoffMultiplier: 1,
              retryableStatusCodes: ["UNAVAILABLE"],
            },
          }],
        };
        await peer.send(JSON.stringify(serviceConfig));
        return [await soon(peer.line(), "the client's word"), [...seen]];
      };
      await t.step("until it succeeds", async () => {
        assertEquals(await call("0.005s", 2), ["OK", [0, 1, 2]]);
      });
      await t.step("after as long as retryAfterMs says", async () => {
        assertEquals(await call("60s", 1, 20), ["OK", [0, 1]]);
      });
      await t.step("never again after retryAfterMs: null", async () => {
        assertEquals(await call("0.005s", 1, null), ["UNAVAILABLE", [0]]);
      });
    },
  });
}
