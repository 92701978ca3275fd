/**
 * The client of the official interoperability tests:
 *
 *     deno run --allow-net interop/client.ts --server_host=127.0.0.1 \
 *       --server_port=10000 --test_case=large_unary
 *
 * Several cases may be asked for with commas between them, and `all` stands for
 * all. With `--use_tls` it needs `--ca_file`, and the permission to read it.
 * Prints a line for each case, and exits with 1 if one has failed.
 *
 * @module
 */

import {
  Channel,
  type ChannelOptions,
  createStub,
  listen,
  SendRequest,
} from "@grpclib/grpclib";
import { CASES, type Context } from "./cases.ts";
import { flagsOf } from "./flags.ts";
import { TestService } from "./gen/grpc/testing/test_pb.ts";

const flags = flagsOf(Deno.args);
const names = flags.test_case === "all"
  ? Object.keys(CASES)
  : (flags.test_case ?? "large_unary").split(",");

const tls = flags.use_tls === "true"
  ? {
    tls: {
      ...(flags.ca_file === undefined
        ? {}
        : { ca: await Deno.readTextFile(flags.ca_file) }),
      ...(flags.server_host_override === undefined
        ? {}
        : { serverName: flags.server_host_override }),
    },
  }
  : {};

/** The metadata of `--additional_metadata`: `key:value;key:value`. */
const additional = (flags.additional_metadata ?? "").split(";")
  .filter((pair) => pair !== "")
  .map((pair) => {
    const colon = pair.indexOf(":");
    return [pair.slice(0, colon), pair.slice(colon + 1)] as const;
  });

function connect(options: ChannelOptions = {}): Channel {
  const host = flags.server_host ?? "localhost";
  const port = Number(flags.server_port ?? 10_000);
  const channel = new Channel(host, port, { ...tls, ...options });
  if (additional.length > 0) {
    listen(channel, SendRequest, (event) => {
      for (const [key, value] of additional) event.metadata.append(key, value);
    });
  }
  return channel;
}

await using channel = connect();
const context: Context = {
  channel,
  stub: createStub(TestService, channel),
  connect,
  soak: {
    iterations: Number(flags.soak_iterations ?? 10),
    threads: Number(flags.soak_num_threads ?? 1),
    maxFailures: Number(flags.soak_max_failures ?? 0),
    maxLatencyMs: Number(
      flags.soak_per_iteration_max_acceptable_latency_ms ?? 1_000,
    ),
    minTimeMsBetweenCalls: Number(flags.soak_min_time_ms_between_rpcs ?? 0),
    overallTimeoutMs: 1_000 * Number(flags.soak_overall_timeout_seconds ?? 10),
    requestSize: Number(flags.soak_request_size ?? 271_828),
    replySize: Number(flags.soak_response_size ?? 314_159),
  },
};

/** A case that takes longer hangs. */
const LIMIT_MS = Math.max(30_000, 2 * context.soak.overallTimeoutMs);

let failed = 0;
for (const name of names) {
  const test = CASES[name];
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`It took longer than ${LIMIT_MS} ms`)),
    LIMIT_MS,
  );
  try {
    if (test === undefined) throw new Error("There is no such case");
    await Promise.race([test(context), late.promise]);
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED ${name}: ${error}`.replaceAll("\n", " "));
  } finally {
    clearTimeout(timer);
  }
}
if (failed > 0) Deno.exit(1);
