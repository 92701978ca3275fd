/**
 * Has clients of servers in memory call while servers, connections and what
 * resolvers say come and go at random, and tells what is left of it:
 *
 *     deno run _testdata/fleet_churn_program.ts <first seed> <seeds>
 *
 * Balancing, health checks, outlier detection, retries and hedging are on or off
 * as the seed has it. All times are those of a virtual clock.
 *
 * @module
 */

import {
  type BalancingOptions,
  type CallOptions,
  type ChannelOptions,
  createStub,
  type Resolver,
  type ResolverAnswer,
} from "../client.ts";
import { GRPCError } from "../core/errors.ts";
import { Status, statusName } from "../core/status.ts";
import { Health } from "../health/mod.ts";
import { hostOf } from "../_channel.ts";
import { Echo } from "./gen/echo_pb.ts";
import { MemoryFleet } from "./memory_fleet.ts";
import { seededRandom } from "./seeded_random.ts";
import { turns, until } from "./waiting.ts";

/** What the program tells of all seeds together. */
export interface FleetChurnReport {
  /** How many calls were made, and how many of them ended. */
  readonly calls: number;
  readonly ended: number;
  /** How calls ended: the names of statuses. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** What was left that should not be, by the seed. */
  readonly left: readonly string[];
}

const ADDRESSES = ["a:1", "b:1", "c:1", "d:1"];
const ABSENCES = ["refuses", "is silent", "hangs up"] as const;
const STEPS = 40;

let calls = 0;
let ended = 0;
const outcomes: Record<string, number> = {};
const left: string[] = [];

/** One fleet and one client. */
class Round {
  readonly #fleet = new MemoryFleet();
  readonly #random: () => number;
  readonly #seed: number;
  /** Has the resolver say something else. */
  #tell = () => {};
  /** How many calls have not ended. */
  #running = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
  }

  async play(): Promise<void> {
    const fleet = this.#fleet;
    for (const address of ADDRESSES) {
      if (this.#happens(0.7)) this.#serve(address);
      else fleet.remove(address, this.#pick(ABSENCES));
    }
    const { channel } = fleet.client(this.#options());
    const { budget } = hostOf(channel).retries;
    const call = () => this.#call(createStub(Echo, channel));
    for (let step = 0; step < STEPS; step++) {
      this.#pick([
        ...Array(5).fill(() => {
          for (let i = 0; i < 4; i++) call();
        }),
        () => {
          const address = this.#pick(ADDRESSES);
          fleet.remove(address, this.#pick(ABSENCES));
          fleet.cut(address);
        },
        () => {
          fleet.cut(this.#pick(ADDRESSES));
        },
        () => {
          this.#serve(this.#pick(ADDRESSES));
        },
        () => {
          this.#tell();
        },
      ])();
      if (this.#happens(0.5)) await turns(1);
      await fleet.clock.advance(this.#pick([0, 1, 10, 200, 1_500, 10_000]));
    }
    if (this.#happens(0.3)) {
      // Some are under way then.
      for (let i = 0; i < 5; i++) call();
      await channel.close();
    }
    // No call has a deadline behind that.
    for (let i = 0; i < 6; i++) {
      await fleet.clock.advance(5_000);
      await turns(3);
    }
    await until(() => this.#running === 0, "each call has ended")
      .catch(() => this.#note(`${this.#running} calls`));
    await channel.close();
    this.#tell();
    if (budget.used !== 0) this.#note(`${budget.used} bytes of retries`);
    await fleet[Symbol.asyncDispose]().catch((error) => this.#note(`${error}`));
  }

  #note(what: string): void {
    left.push(`seed ${this.#seed}: ${what}`);
  }

  #happens(chance: number): boolean {
    return this.#random() < chance;
  }

  #pick<T>(all: readonly T[]): T {
    return all[Math.floor(this.#random() * all.length)]!;
  }

  #serve(address: string): void {
    const { clock } = this.#fleet;
    const isIll = this.#happens(0.2);
    const fail = () => {
      const retryAfterMs = this.#pick([undefined, null, 0, 5, 1_000]);
      throw new GRPCError(Status.UNAVAILABLE, "Not now", { retryAfterMs });
    };
    this.#fleet.serve(
      address,
      {
        unary: async (stream) => {
          if (isIll || this.#happens(0.1)) fail();
          if (this.#happens(0.2)) {
            await new Promise<void>((resolve) => {
              const timer = clock.setTimeout(resolve, this.#random() * 3_000);
              stream.signal.addEventListener("abort", () => {
                clock.clearTimeout(timer);
                resolve();
              });
            });
          }
          await stream.sendMessage({ text: address });
        },
        clientStream: async (stream) => {
          for await (const _ of stream) if (this.#happens(0.05)) fail();
          await stream.sendMessage({ text: address });
        },
        serverStream: async (stream) => {
          await stream.recvMessage();
          for (let i = 0; i < 3; i++) {
            if (this.#happens(0.1)) fail();
            await stream.sendMessage({ text: address });
          }
        },
      },
      this.#happens(0.5) ? [new Health()] : [],
      {
        config: { maxConcurrentStreams: this.#pick([2, 3, 100]) },
      },
    );
  }

  #options(): ChannelOptions {
    const policy = this.#pick(
      ["pick_first", "round_robin", "least_request"] as const,
    );
    const isFirst = policy === "pick_first";
    const balancing: BalancingOptions = isFirst ? { policy } : {
      policy,
      healthCheck: this.#happens(0.4),
      outlierDetection: this.#happens(0.4) && {
        intervalMs: 500,
        baseEjectionTimeMs: 1_000,
        failurePercentage: { requestVolume: 2, threshold: 20 },
      },
      connectionsPerAddress: this.#pick([1, 2]),
    };
    return {
      ...this.#happens(0.7)
        ? { target: "svc", resolver: this.#resolver }
        : { target: ADDRESSES },
      // Without it the policy is that of the resolver's service configs.
      ...this.#happens(0.8) ? { balancing } : {},
      retry: this.#happens(0.5),
      config: {
        connectTimeoutMs: 5_000,
        idleTimeoutMs: this.#pick([1_000, 600_000, Infinity]),
        resolutionRefreshMs: this.#pick([2_000, 60_000, Infinity]),
        minResolutionIntervalMs: this.#pick([100, 30_000]),
        retryBufferSize: this.#pick([50, 2 ** 24]),
        perCallRetryBufferSize: this.#pick([10, 2 ** 20]),
      },
    };
  }

  #answer(): ResolverAnswer {
    if (this.#happens(0.1)) return { endpoints: [] };
    if (this.#happens(0.05)) return null as unknown as ResolverAnswer;
    const policy = this.#pick([
      ...["pick_first", "round_robin", "least_request_experimental"],
      "unknown",
    ]);
    return {
      endpoints: this.#happens(0.1)
        ? [["a:1", "b:1"], "a:1", "a:1"]
        : ADDRESSES.filter(() => this.#happens(0.6)),
      serviceConfig: this.#happens(0.3)
        ? {
          loadBalancingConfig: [{ [policy]: {} }],
          healthCheckConfig: this.#happens(0.3) ? {} : null,
        }
        : null,
    };
  }

  readonly #resolver: Resolver = ({ signal }) => {
    const how = this.#random();
    if (how < 0.1) throw new Error("thrown");
    if (how < 0.2) return Promise.reject(new Error("rejected"));
    if (how < 0.3) return new Promise(() => {});
    if (how < 0.4) return this.#answer();
    return this.#answers(signal);
  };

  async *#answers(signal: AbortSignal): AsyncIterable<ResolverAnswer> {
    while (!this.#happens(0.15)) {
      yield this.#answer();
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#tell = resolve;
      // Some do not heed the signal.
      if (this.#happens(0.5)) signal.addEventListener("abort", () => resolve());
      await promise;
    }
    if (this.#happens(0.5)) throw new Error("lost");
  }

  #call(stub: ReturnType<typeof createStub<typeof Echo>>): void {
    const { clock } = this.#fleet;
    const controller = new AbortController();
    const retry = this.#pick(
      [true, false, { maxAttempts: 2, maxBackoffMs: 1e12 }] as const,
    );
    const options: CallOptions = {
      timeoutMs: this.#pick([1, 50, 1_000, 20_000]),
      signal: controller.signal,
      waitForReady: this.#happens(0.5),
      ...this.#happens(0.3)
        ? {
          hedging: {
            maxAttempts: 3,
            delayMs: this.#pick([0, 10, 500]),
            nonFatalStatusCodes: this.#happens(0.5) ? ["UNAVAILABLE"] : [],
          },
        }
        : this.#happens(0.4)
        ? { retry }
        : {},
    };
    const abort = () => controller.abort();
    if (this.#happens(0.2)) clock.setTimeout(abort, this.#random() * 500);
    if (this.#happens(0.1)) queueMicrotask(abort);
    if (this.#happens(0.03)) abort();
    const kind = this.#pick(["unary", "clientStream", "serverStream"] as const);
    const text = "x".repeat(Math.floor(this.#random() * 40));
    calls++;
    this.#running++;
    const call = kind === "unary"
      ? stub.unary({ text }, options)
      : kind === "clientStream"
      ? stub.clientStream(messages(text), options)
      : Array.fromAsync(stub.serverStream({}, options));
    const end = (how: string): void => {
      ended++;
      this.#running--;
      outcomes[how] = (outcomes[how] ?? 0) + 1;
    };
    call.then(() => end("OK"), (error: unknown) => {
      end(error instanceof GRPCError ? statusName(error.status) : `${error}`);
    });
  }
}

async function* messages(text: string) {
  for (let i = 0; i < 4; i++) {
    yield { text };
    await turns(1);
  }
}

if (import.meta.main) {
  const [first, seeds] = Deno.args.map(Number) as [number, number];
  for (let i = 0; i < seeds; i++) await new Round(first + i).play();
  const report: FleetChurnReport = { calls, ended, outcomes, left };
  const line = `${JSON.stringify(report)}\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(line));
}
