/**
 * The service of the official interoperability tests.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md}
 * @module
 */

import {
  createService,
  GRPCError,
  listen,
  type Many,
  RecvMessage,
  Server,
  type ServerOptions,
  type ServerStream,
  Status,
} from "@grpclib/grpclib";
import type {
  EchoStatus,
  StreamingInputCallRequest,
  StreamingOutputCallRequest,
  StreamingOutputCallResponse,
} from "./gen/grpc/testing/messages_pb.ts";
import { TestService } from "./gen/grpc/testing/test_pb.ts";

const ECHO_INITIAL = "x-grpc-test-echo-initial";
const ECHO_TRAILING = "x-grpc-test-echo-trailing-bin";

// The kinds of call do not matter here.
// deno-lint-ignore no-explicit-any
type Call = ServerStream<any, any>;

/** Which messages came compressed. */
const compressed = new WeakMap<object, boolean>();

/** Sends back the metadata that the tests look for. */
async function begin(
  call: Call,
  compression?: "gzip" | "identity",
): Promise<void> {
  const initial = call.metadata.get(ECHO_INITIAL);
  const trailing = call.metadata.get(ECHO_TRAILING);
  if (trailing !== undefined) {
    call.trailingMetadata.set(ECHO_TRAILING, trailing);
  }
  await call.sendInitialMetadata({
    metadata: initial === undefined ? {} : { [ECHO_INITIAL]: initial },
    ...(compression === undefined ? {} : { compression }),
  });
}

function checkStatus(status: EchoStatus | undefined): void {
  if (status === undefined || status.code === 0) return;
  throw new GRPCError(status.code as Status, status.message);
}

function checkCompressed(
  request: object,
  expected: { readonly value: boolean } | undefined,
): void {
  if (expected === undefined || compressed.get(request) === expected.value) {
    return;
  }
  throw new GRPCError(
    Status.INVALID_ARGUMENT,
    `The message should ${expected.value ? "" : "not "}be compressed`,
  );
}

async function answer(
  request: StreamingOutputCallRequest,
  call: ServerStream<unknown, Many<StreamingOutputCallResponse>>,
): Promise<void> {
  for (const { size, intervalUs, compressed } of request.responseParameters) {
    if (intervalUs > 0) {
      await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
    }
    await call.sendMessage(
      { payload: { body: new Uint8Array(size) } },
      { compress: compressed?.value ?? false },
    );
  }
  checkStatus(request.responseStatus);
}

/** No replies but those that are sent by hand, each as it is asked for. */
async function* repliesOf(
  send: () => Promise<void>,
): AsyncGenerator<never> {
  await send();
  yield* [];
}

/** What tells this server from others. */
const serverId = crypto.randomUUID();

const service = createService(TestService, {
  emptyCall: async (_request, call) => {
    await begin(call);
    return {};
  },

  async unaryCall(request, call) {
    checkCompressed(request, request.expectCompressed);
    await begin(
      call,
      request.responseCompressed?.value ? "gzip" : "identity",
    );
    checkStatus(request.responseStatus);
    const authorization = call.metadata.get("authorization");
    return {
      payload: { body: new Uint8Array(request.responseSize) },
      ...(request.fillUsername && authorization !== undefined
        ? { username: authorization.replace(/^Bearer /, "") }
        : {}),
      ...(request.fillServerId ? { serverId } : {}),
    };
  },

  cacheableUnaryCall: (request) => ({
    payload: { body: new Uint8Array(request.responseSize) },
  }),

  streamingOutputCall: (request, call) =>
    repliesOf(async () => {
      await begin(call, "gzip");
      await answer(request, call as never);
    }),

  async streamingInputCall(requests, call) {
    await begin(call);
    let aggregatedPayloadSize = 0;
    for await (
      const request of requests as AsyncIterable<StreamingInputCallRequest>
    ) {
      checkCompressed(request, request.expectCompressed);
      aggregatedPayloadSize += request.payload?.body.length ?? 0;
    }
    return { aggregatedPayloadSize };
  },

  fullDuplexCall: (requests, call) =>
    repliesOf(async () => {
      await begin(call, "gzip");
      for await (const request of requests) {
        await answer(request, call as never);
      }
    }),

  halfDuplexCall: (requests, call) =>
    repliesOf(async () => {
      const all: StreamingOutputCallRequest[] = [];
      for await (const request of requests) all.push(request);
      await begin(call, "gzip");
      for (const request of all) await answer(request, call as never);
    }),

  unimplementedCall() {
    throw new GRPCError(Status.UNIMPLEMENTED, "Method not found");
  },
});

/** Makes a server of the tests. */
export function makeServer(options: ServerOptions = {}): Server {
  const server = new Server([service], options);
  listen(server, RecvMessage, (event) => {
    compressed.set(event.message as object, event.compressed);
  });
  return server;
}
