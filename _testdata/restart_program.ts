/**
 * A server that restarts while a client calls it, in processes of their own:
 *
 *     deno run --allow-net=127.0.0.1 _testdata/restart_program.ts server 50051
 *     deno run --allow-net=127.0.0.1 _testdata/restart_program.ts client 50051
 *
 * Each reads commands, one a line, and writes events, one JSON object a line.
 *
 * @module
 */

import { Channel, createStub } from "../client.ts";
import { Server } from "../server.ts";
import { echoWith } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { after, until } from "./waiting.ts";

/** What the client tells. */
export interface ClientEvent {
  /** How many calls are in flight; at the beginning and when asked. */
  readonly inFlight?: number;
  /** How many calls ended well, in the end. */
  readonly good?: number;
  /** What the others failed with, in the end. */
  readonly failures?: readonly string[];
}

/** What the server tells. */
export interface ServerEvent {
  /** Where it listens; at the beginning and after each restart. */
  readonly port?: number;
  /** How many calls it ran, in the end. */
  readonly ran?: number;
  /** The calls that it ran more than once, in the end. */
  readonly twice?: readonly string[];
}

/** How many calls are in flight at any time. */
const IN_FLIGHT = 1000;

/** How long the last calls may take. */
const PATIENCE_MS = 60_000;

/** How many calls the server takes before it restarts. */
const RUN_BETWEEN = 1300;

function tell(event: ClientEvent | ServerEvent): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(event)}\n`));
}

async function* commands(): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

async function serve(port: number): Promise<void> {
  const ran = new Set<string>();
  const twice: string[] = [];
  const service = echoWith({
    unary: async (stream) => {
      const { text } = (await stream.recvMessage())!;
      if (ran.has(text)) twice.push(text);
      ran.add(text);
      await after(Number(text) % 40);
      await stream.sendMessage({ text });
    },
  });
  const start = async (port: number): Promise<Server> => {
    const server = new Server([service]);
    await server.start("127.0.0.1", port);
    tell({ port: server.port! });
    return server;
  };
  let server = await start(port);
  for await (const command of commands()) {
    if (command !== "restart") break;
    // In the midst of calls, some of which are answered and some are not.
    const enough = ran.size + RUN_BETWEEN;
    await until(() => ran.size >= enough, `${enough} calls were run`);
    server.close({ graceMs: 60_000 });
    await server.waitClosed();
    server = await start(server.port!);
  }
  server.close();
  await server.waitClosed();
  tell({ ran: ran.size, twice });
}

async function call(port: number): Promise<void> {
  await using channel = new Channel("127.0.0.1", port, {
    config: { initialReconnectBackoffMs: 5, maxReconnectBackoffMs: 50 },
  });
  const { unary } = createStub(Echo, channel);
  const failures: string[] = [];
  let [id, good, inFlight] = [0, 0, 0];
  let isOver = false;
  const work = async (): Promise<void> => {
    while (!isOver) {
      const text = `${id++}`;
      inFlight++;
      try {
        const reply = await unary({ text }, { waitForReady: true });
        if (reply.text !== text) failures.push(`${text}: ${reply.text}`);
        else good++;
      } catch (error) {
        failures.push(`${text}: ${error}`);
      }
      inFlight--;
    }
  };
  const workers = Array.from({ length: IN_FLIGHT }, work);
  tell({ inFlight });
  for await (const command of commands()) {
    if (command !== "count") break;
    tell({ inFlight });
  }
  isOver = true;
  // The calls wait for a server, which may be gone for good if the test failed.
  const timer = setTimeout(() => channel.close(), PATIENCE_MS);
  await Promise.all(workers);
  clearTimeout(timer);
  tell({ good, failures });
}

const [role, port] = Deno.args;
if (role === "server") await serve(Number(port));
else await call(Number(port));
