/**
 * Looks for primes, on several connections at once.
 *
 *     deno run --allow-net=127.0.0.1 examples/multiproc/client.ts [port]
 *
 * A channel has one connection, and so one of the server's processes: to keep
 * several of them busy takes several channels, as several clients have.
 *
 * @module
 */

import { Channel } from "@grpclib/grpclib/client";
import { PrimeCheckerStub } from "./gen/prime_grpc.ts";

const CONNECTIONS = 16;
const NUMBERS = Array.from({ length: 1_000 }, (_, i) => 1_000_000_000 + i);

await using channels = new AsyncDisposableStack();
const checkers = Array.from({ length: CONNECTIONS }, () => {
  const channel = new Channel("127.0.0.1", Number(Deno.args[0] ?? 50051));
  return new PrimeCheckerStub(channels.use(channel));
});
const verdicts = await Promise.all(
  NUMBERS.map((value, i) => checkers[i % CONNECTIONS]!.check({ value })),
);
const primes = verdicts.filter(({ isPrime }) => isPrime).length;
const processes = new Set(verdicts.map(({ pid }) => pid)).size;
console.log(`${primes} primes, found by ${processes} processes`);
