/**
 * Calls one method of each of the four kinds, with metadata both ways, an error
 * status, a deadline and a cancel.
 *
 *     deno run --allow-net=127.0.0.1 examples/streaming/client.ts [port]
 *
 * @module
 */

import { Channel, GRPCError, statusName } from "@grpclib/grpclib/client";
import { WeatherStationStub } from "./gen/weather_grpc.ts";

await using channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));
const station = new WeatherStationStub(channel);

/** Says with which status a call fails. */
async function failure(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return "no failure";
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    return `${statusName(error.status)}: ${error.message}`;
  }
}

// One request, one reply. The short form is enough for the reply…
const reading = await station.read({ name: "hut" });
console.log(`unary-unary: ${reading.celsius} °C in the ${reading.place}`);

// … and the stream shows all there is to a call, metadata among it.
{
  await using stream = station.read.open({ metadata: { caller: "Ada" } });
  await stream.sendMessage({ name: "meadow" });
  await stream.recvInitialMetadata();
  const { celsius } = await stream.recvMessage();
  await stream.recvTrailingMetadata();
  const greeting = stream.initialMetadata?.get("greeting");
  const readings = stream.trailingMetadata?.get("readings");
  console.log(`metadata: "${greeting}", ${celsius} °C, readings: ${readings}`);
}

// What fails is a GRPCError with a status, wherever it failed.
console.log(`error: ${await failure(station.read({ name: "moon" }))}`);
console.log(
  `deadline: ${await failure(
    station.read({ name: "summit" }, { timeoutMs: 100 }),
  )}`,
);

// One request, many replies. Leaving the loop cancels the call.
const seen: number[] = [];
for await (
  const { celsius } of station.watch({ place: { name: "hut" }, intervalMs: 1 })
) {
  seen.push(celsius);
  if (seen.length === 3) break;
}
console.log(`unary-stream: ${seen.join(", ")} °C, then cancelled`);

// Many requests, one reply.
const summary = await station.record([
  { place: "hut", celsius: 18 },
  { place: "meadow", celsius: 6 },
  { place: "summit", celsius: -12 },
]);
console.log(
  `stream-unary: ${summary.count} readings, ${summary.lowest} to ${summary.highest} °C, mean ${summary.mean} °C`,
);

// Many requests, many replies: the answers come while more is sent.
{
  await using stream = station.guard.open();
  await stream.sendMessage({ place: "summit", celsius: -12 });
  const frost = await stream.recvMessage();
  await stream.sendMessage({ place: "meadow", celsius: 20 });
  await stream.sendMessage({ place: "oven", celsius: 180 }, { end: true });
  const heat = await stream.recvMessage();
  const end = await stream.recvMessage();
  console.log(
    `stream-stream: ${frost?.reason} at the ${frost?.reading?.place}, ${heat?.reason} at the ${heat?.reading?.place}, then ${end}`,
  );
}
