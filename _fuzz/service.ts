/**
 * The service that is called: its handlers do what their callers planned.
 *
 * @module
 */

import { GRPCError, ProtocolError, Status } from "../client.ts";
import type { Many, ServerStream, Service } from "../server.ts";
import { echoWith } from "../_testdata/echo_service.ts";
import type { EchoReply, EchoRequest } from "../_testdata/gen/echo_pb.ts";
import { turns, whenAborted } from "../_testdata/waiting.ts";
import { PLAN, type Step } from "./plan.ts";

/** What a handler, a source or a listener throws because it was told to. */
export class Planned extends Error {
  override name = "Planned";
}

/** Whether somebody planned an error, or broke the rules by plan. */
export function isPlanned(error: unknown): boolean {
  return error instanceof Planned || error instanceof ProtocolError ||
    error instanceof GRPCError;
}

/** Makes replies of requests. */
const ECHO: Transformer<EchoRequest, { payload: Uint8Array }> = {
  transform: ({ payload }, controller) => controller.enqueue({ payload }),
};

type AnyStream = ServerStream<Many<EchoRequest>, Many<EchoReply>>;

/** Makes the service. */
export function fuzzedService(): Service {
  const handle = (stream: unknown): Promise<void> => play(stream as AnyStream);
  return echoWith({
    unary: handle,
    serverStream: handle,
    clientStream: handle,
    bidi: handle,
  });
}

/** Does what the caller planned; a call without a plan is answered. */
async function play(stream: AnyStream): Promise<void> {
  const plan = stream.metadata.get(PLAN);
  const steps: readonly Step[] = typeof plan === "string"
    ? JSON.parse(plan)
    : [{ do: "send", bytes: 10, wait: true }];
  for (const step of steps) await take(stream, step);
}

async function take(stream: AnyStream, step: Step): Promise<void> {
  switch (step.do) {
    case "read":
      await stream.recvMessage();
      return;
    case "read all":
      for await (const _ of stream);
      return;
    case "send": {
      const sent = stream.sendMessage({ payload: new Uint8Array(step.bytes) });
      if (step.wait) await sent;
      else sent.catch(() => {});
      return;
    }
    case "head":
      await stream.sendInitialMetadata({ metadata: { key: "value" } });
      return;
    case "trailers":
      await stream.sendTrailingMetadata({ status: Status.ABORTED });
      return;
    case "pipe":
      await stream.readable
        .pipeThrough(new TransformStream(ECHO))
        .pipeTo(stream.writable);
      return;
    case "turn":
      await turns(1);
      return;
    case "hang":
      throw await whenAborted(stream.signal);
    case "cancel":
      stream.cancel();
      return;
    case "fail":
      throw new GRPCError(Status.NOT_FOUND, "planned");
    case "throw":
      throw new Planned("by a handler");
  }
}
