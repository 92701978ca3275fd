/**
 * Our server or our client in a process of its own:
 *
 *     deno run --allow-net=127.0.0.1 _testdata/echo_program.ts server
 *     deno run --allow-net=127.0.0.1 _testdata/echo_program.ts client
 *
 * It reads commands and writes events, one JSON object a line, and leaves in
 * good order when its input ends.
 *
 * @module
 */

import { Channel, createStub, GRPCError, Status } from "../mod.ts";
import { Server } from "../server.ts";
import { echoWith } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { whenAborted } from "./waiting.ts";

/** What the client is to do. */
export interface ClientCommand {
  /** The port of the server. */
  readonly port: number;
  /** How many calls to make, some at a time. */
  readonly calls: number;
  /** How many calls to open and leave open. */
  readonly open?: number;
  /** Whether calls may fail with UNAVAILABLE at first. */
  readonly patient?: boolean;
  /** Whether to close the channel behind it. */
  readonly close?: boolean;
}

/** How many calls are made at once. */
const AT_ONCE = 30;

function tell(event: unknown): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
}

async function* commands(): AsyncGenerator<ClientCommand> {
  let rest = "";
  for await (
    const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) yield JSON.parse(line);
  }
}

async function serve(): Promise<void> {
  const service = echoWith({
    bidi: async (stream) => {
      await stream.recvMessage();
      await stream.sendMessage({});
      await whenAborted(stream.signal);
    },
  });
  await using server = new Server([service]);
  await server.start("127.0.0.1");
  tell({ port: server.port });
  for await (const _ of commands());
}

async function makeCalls(): Promise<void> {
  const channels = new Map<number, Channel>();
  for await (const command of commands()) {
    const { port, calls, open = 0, patient = false, close = false } = command;
    const channel = channels.get(port) ?? new Channel("127.0.0.1", port);
    channels.set(port, channel);
    const stub = createStub(Echo, channel);
    const start = performance.now();
    while (patient && performance.now() - start < 5000) {
      try {
        await stub.unary({});
        break;
      } catch (error) {
        const isExpected = error instanceof GRPCError &&
          error.status === Status.UNAVAILABLE;
        if (!isExpected) throw error;
      }
    }
    for (let left = calls; left > 0; left -= AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, () => stub.unary({ text: "a" })),
      );
    }
    const failures: number[] = [];
    for (let i = 0; i < open; i++) {
      const stream = stub.bidi.open();
      await stream.sendMessage({});
      await stream.recvMessage();
      stream.recvMessage().catch((error) => failures.push(error.status));
    }
    if (close) {
      channels.delete(port);
      await channel.close();
    }
    tell({ made: calls });
  }
  for (const channel of channels.values()) await channel.close();
}

if (Deno.args[0] === "server") await serve();
else await makeCalls();
