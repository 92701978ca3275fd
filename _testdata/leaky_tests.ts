/**
 * Tests that leave something behind, each in its own way, to be run with
 * `deno test`: all of them fail, and say with what.
 *
 * @module
 */

import {
  createStub,
  Deadline,
  GRPCError,
  Status,
} from "@grpclib/grpclib/client";
import { ChannelFor, grpcTest } from "@grpclib/grpclib/testing";
import { hostOf } from "../_channel.ts";
import { echo, echoWith } from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";

const never = () => new Promise<void>(() => {});

grpcTest(
  "a call",
  [echoWith({ unary: ({ signal }) => forget(signal) })],
  async ({ channel }) => {
    const stream = createStub(Echo, channel).unary.open({
      deadline: Deadline.fromTimeout(60_000),
    });
    stream.recvMessage().catch(() => {});
    await stream.sendMessage({});
  },
);

/** Waits for the end of a call. */
function forget(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve())
  );
}

grpcTest("a handler", [echoWith({ unary: never })], async ({ channel }) => {
  const { unary } = createStub(Echo, channel);
  await unary({}, { timeoutMs: 300 }).catch(() => {});
});

grpcTest("a connection", [echo], async () => {
  const channel = new ChannelFor([echo]);
  await createStub(Echo, channel).unary({});
});

grpcTest("a timer", [echo], ({ channel }) => {
  // Not as anybody would, but as a fault of the library might.
  const clock = clockOf(channel);
  clock.setTimeout(() => {}, 4321);
});

grpcTest("a fault", [echo], async ({ channel, faults }) => {
  faults.cut({ atFrame: 9 });
  await createStub(Echo, channel).unary({});
});

const buggy = echoWith({
  unary: () => {
    throw new TypeError("a bug");
  },
});

grpcTest("an error of a handler", [buggy], async ({ channel }) => {
  await createStub(Echo, channel).unary({}).catch(() => {});
});

grpcTest(
  "an error of a handler that fails the test",
  [buggy],
  async ({ channel }) => {
    await createStub(Echo, channel).unary({});
  },
);

grpcTest({
  name: "a failure of its own",
  services: [echo],
  setUp: ({ channel }) => createStub(Echo, channel).bidi.open(),
  fn: async (_context, stream) => {
    await stream.sendMessage({});
    throw new GRPCError(Status.ABORTED, "it failed");
  },
});

/** The clock that the deadlines of a channel go by. */
function clockOf(channel: ChannelFor) {
  return hostOf(channel).deadlines.clock!;
}
