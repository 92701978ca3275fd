/**
 * What a server bears for long: connections that do nothing, streams that wait,
 * clients that cancel. Short in the tests, long by `deno task soak`.
 *
 * @module
 */

import { Channel, createStub, Status } from "../client.ts";
import { ChildProcess } from "./child_process.ts";
import { startEcho } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import type { IdleReport } from "./idle_program.ts";
import { RawConnection } from "./raw_h2.ts";
import { FrameType } from "./raw_frames.ts";

/** A server in a process of its own, which tells its memory. */
async function startIdle() {
  const child = new ChildProcess([
    "--allow-net=127.0.0.1",
    "--v8-flags=--expose-gc",
    import.meta.resolve("./idle_program.ts"),
  ]);
  const port = Number(await child.line());
  return {
    port,
    async measure(): Promise<IdleReport> {
      await child.send("");
      return await child.event();
    },
    leave: () => child.leave(),
  };
}

/**
 * Measures what an idle connection costs a server.
 *
 * @param count How many connections.
 * @returns Bytes for each, of the heap and of the process.
 */
export async function measureConnections(
  count: number,
): Promise<{ bytes: number; rss: number }> {
  const server = await startIdle();
  const connections: RawConnection[] = [];
  const open = async (): Promise<void> => {
    const connection = await RawConnection.open(server.port);
    connections.push(connection);
    // Its SETTINGS, and those of this side acknowledged.
    await connection.nextOf(FrameType.SETTINGS);
    await connection.nextOf(FrameType.SETTINGS);
  };
  // What is allocated once, and the first of each, are not counted.
  for (let i = 0; i < 50; i++) await open();
  const before = await server.measure();
  for (let i = 0; i < count; i++) await open();
  const after = await server.measure();
  for (const connection of connections) connection.close();
  await server.leave();
  return {
    bytes: (after.bytes - before.bytes) / count,
    rss: (after.rss - before.rss) / count,
  };
}

/**
 * Measures what an idle connection costs either side after a call: a client's
 * with a channel and a stub of its own.
 *
 * @param count How many connections.
 * @returns Bytes for each, of the heap.
 */
export async function measureChannels(
  count: number,
): Promise<{ client: number; server: number }> {
  const server = await startIdle();
  await using client = new ChildProcess([
    "--allow-net=127.0.0.1",
    "--v8-flags=--expose-gc",
    import.meta.resolve("./channel_memory_program.ts"),
    `${server.port}`,
    `${count}`,
  ]);
  await client.line();
  const before = await server.measure();
  await client.send("");
  const bytes = await client.event<number>();
  const after = await server.measure();
  await client.send("");
  await server.leave();
  return { client: bytes, server: (after.bytes - before.bytes) / count };
}

/**
 * Measures what a call that waits costs a server, whole: its stream, the call
 * and the handler that waits for a message.
 *
 * @param count How many calls, on one connection.
 * @returns Bytes for each, of the heap.
 */
export async function measureCalls(count: number): Promise<number> {
  const server = await startIdle();
  const channel = new Channel("127.0.0.1", server.port);
  const stub = createStub(Echo, channel);
  const calls = async (more: number): Promise<IdleReport> => {
    for (let i = 0; i < more; i++) await stub.bidi.open().sendRequest();
    for (;;) {
      const report = await server.measure();
      if (report.calls >= more) return report;
    }
  };
  const before = await calls(100);
  const after = await calls(count);
  const bytes = (after.bytes - before.bytes) / (after.calls - before.calls);
  await channel.close();
  await server.leave();
  return bytes;
}

/** What became of a storm of cancels. */
export interface Storm {
  readonly cancelled: number;
  /** The calls beside them that went well. */
  readonly served: number;
  /** Those that did not, and how they ended. */
  readonly hurt: readonly string[];
  /** How many messages the call went to and fro that was there all the time. */
  readonly messages: number;
}

/**
 * Cancels calls at a rate, on the one connection of a channel, while a stream
 * and one unary call after the other go on beside them.
 *
 * @param perSecond How many calls are cancelled a second.
 * @param seconds For how long.
 */
export async function storm(
  perSecond: number,
  seconds: number,
): Promise<Storm> {
  await using pair = await startEcho();
  const { stub } = pair;
  const hurt: string[] = [];
  let cancelled = 0;
  let served = 0;
  let messages = 0;
  let goesOn = true;
  const note = (error: unknown): void => {
    hurt.push(String(error));
  };
  const bystander = async (): Promise<void> => {
    while (goesOn) {
      await stub.unary({ text: "a" }).then(() => served++, note);
    }
  };
  const talker = async (): Promise<void> => {
    await using stream = stub.bidi.open();
    while (goesOn) {
      await stream.sendMessage({ text: "b", count: 1 });
      const reply = await stream.recvMessage();
      if (reply?.text === "b") messages++;
      else note("no reply");
    }
    await stream.end();
    while (await stream.recvMessage() !== null);
  };
  const cancel = async (): Promise<void> => {
    const controller = new AbortController();
    // The server has it, or has not, when it is cancelled.
    const call = stub.unary({ text: "c", delayMs: 10_000 }, {
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(), Math.random() * 20);
    await call.then(
      () => note("a call that waits was answered"),
      (error) => {
        if (error.status === Status.CANCELLED) cancelled++;
        else note(error);
      },
    );
  };
  const others = [bystander(), talker().catch(note)];
  const cancels: Promise<void>[] = [];
  const start = performance.now();
  const total = perSecond * seconds;
  while (cancels.length < total) {
    const due = (performance.now() - start) / 1000 * perSecond;
    while (cancels.length < Math.min(due, total)) cancels.push(cancel());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(cancels);
  goesOn = false;
  await Promise.all(others);
  return { cancelled, served, hurt, messages };
}
