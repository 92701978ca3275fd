/**
 * A weather station with one method of each of the four kinds.
 *
 *     deno run --allow-net=127.0.0.1 examples/streaming/server.ts [port]
 *
 * @module
 */

import {
  gracefulExit,
  GRPCError,
  type Many,
  Server,
  type ServerStream,
  Status,
} from "@grpclib/grpclib/server";
import { WeatherStationBase } from "./gen/weather_grpc.ts";
import type {
  Alarm,
  Place,
  Reading,
  Summary,
  WatchRequest,
} from "./gen/weather_pb.ts";

const THERMOMETERS: ReadonlyMap<string, number> = new Map([
  ["hut", 18.5],
  ["meadow", 7],
  ["summit", -11.5],
]);

function celsiusAt(place: string): number {
  const celsius = THERMOMETERS.get(place);
  if (celsius === undefined) {
    throw new GRPCError(Status.NOT_FOUND, `No thermometer at "${place}"`);
  }
  return celsius;
}

/** Waits, but no longer than the call is wanted. */
function sleep(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    reject(signal.reason);
  });
  return promise;
}

class WeatherStation extends WeatherStationBase {
  /** One request, one reply; with metadata before and after. */
  override async read(stream: ServerStream<Place, Reading>): Promise<void> {
    const { name } = await stream.recvMessage();
    const caller = stream.metadata.get("caller") ?? "stranger";
    await stream.sendInitialMetadata({
      metadata: { station: "Eagle Hut", greeting: `Hello, ${caller}` },
    });
    const celsius = celsiusAt(name);
    // It is a long way up: whoever asks should bring a deadline.
    if (name === "summit") await sleep(60_000, stream.signal);
    await stream.sendMessage({ place: name, celsius });
    await stream.sendTrailingMetadata({ metadata: { readings: "1" } });
  }

  /** One request, many replies, until the caller cancels. */
  override async watch(
    stream: ServerStream<WatchRequest, Many<Reading>>,
  ): Promise<void> {
    const { place, intervalMs } = await stream.recvMessage();
    const name = place?.name ?? "";
    let celsius = celsiusAt(name);
    try {
      for (;;) {
        await stream.sendMessage({ place: name, celsius });
        celsius += 0.5;
        await sleep(intervalMs, stream.signal);
      }
    } finally {
      console.log(`Stopped watching the ${name}`);
    }
  }

  /** Many requests, one reply. */
  override async record(
    stream: ServerStream<Many<Reading>, Summary>,
  ): Promise<void> {
    const all: number[] = [];
    for await (const { celsius } of stream) all.push(celsius);
    await stream.sendMessage({
      count: all.length,
      lowest: Math.min(...all),
      highest: Math.max(...all),
      mean: all.reduce((sum, celsius) => sum + celsius, 0) / all.length,
    });
  }

  /** Many requests, many replies, at the same time. */
  override async guard(
    stream: ServerStream<Many<Reading>, Many<Alarm>>,
  ): Promise<void> {
    for await (const reading of stream) {
      if (reading.celsius < -10) {
        await stream.sendMessage({ reading, reason: "frost" });
      } else if (reading.celsius > 30) {
        await stream.sendMessage({ reading, reason: "heat" });
      }
    }
  }
}

const server = new Server([new WeatherStation()]);
using _exit = gracefulExit([server]);
await server.start("127.0.0.1", Number(Deno.args[0] ?? 50051));
console.log(`Serving on ${server.address}`);
await server.waitClosed();
console.log("Closed");
