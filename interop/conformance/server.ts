/**
 * The server under test of the conformance suite: reads what to be from its
 * input, says where it is, and serves until it is told to end.
 *
 * @see {@link https://github.com/connectrpc/conformance/blob/main/docs/configuring_and_running_tests.md}
 * @module
 */

import { create, type DescMessage, type Message } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import {
  createService,
  GRPCError,
  ProtoCodec,
  ProtoJsonCodec,
  Server,
  type ServerStream,
  type ServerTLSOptions,
  Status,
} from "@grpclib/grpclib";
import {
  ConformancePayload_RequestInfoSchema,
  grpcErrorOf,
  headersOf,
  metadataOf,
  registry,
} from "./common.ts";
import { readMessages, writeMessage } from "./frames.ts";
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from "./gen/connectrpc/conformance/v1/server_compat_pb.ts";
import {
  type BidiStreamRequest,
  BidiStreamRequestSchema,
  type ClientStreamRequest,
  ClientStreamRequestSchema,
  type ConformancePayload,
  type ConformancePayload_RequestInfo,
  ConformancePayloadSchema,
  ConformanceService,
  IdempotentUnaryRequestSchema,
  ServerStreamRequestSchema,
  type StreamResponseDefinition,
  UnaryRequestSchema,
  type UnaryResponseDefinition,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";

// The kinds of call do not matter here.
// deno-lint-ignore no-explicit-any
type Call = ServerStream<any, any>;

/** What the handler got to know, for the client to compare. */
function requestInfo(
  call: Call,
  requests: readonly Any[],
): ConformancePayload_RequestInfo {
  const { deadline, metadata } = call;
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: headersOf(metadata),
    requests: [...requests],
    ...(deadline === null
      ? {}
      : { timeoutMs: BigInt(Math.floor(deadline.timeRemainingMs())) }),
  });
}

async function pause(ms: number, call: Call): Promise<void> {
  if (ms === 0) return;
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    call.signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(call.signal.reason);
    });
  });
}

/** Answers with one message, as a definition says. */
async function answerOne(
  definition: UnaryResponseDefinition | undefined,
  requests: readonly Any[],
  call: Call,
): Promise<{ payload: ConformancePayload }> {
  const info = requestInfo(call, requests);
  const trailers = metadataOf(definition?.responseTrailers ?? []);
  if (definition !== undefined) {
    const metadata = metadataOf(definition.responseHeaders);
    await pause(definition.responseDelayMs, call);
    if (definition.response.case !== "error" || metadata.size > 0) {
      await call.sendInitialMetadata({ metadata });
    }
  }
  if (definition?.response.case === "error") {
    const detail = anyPack(ConformancePayload_RequestInfoSchema, info);
    throw grpcErrorOf(definition.response.value, [detail], trailers);
  }
  for (const [key, value] of trailers) call.trailingMetadata.append(key, value);
  const data = definition?.response.case === "responseData"
    ? definition.response.value
    : new Uint8Array();
  return {
    payload: create(ConformancePayloadSchema, { data, requestInfo: info }),
  };
}

/** The end of a stream of replies: OK, or the error of the definition. */
function finish(
  definition: StreamResponseDefinition | undefined,
  info: ConformancePayload_RequestInfo,
  sent: number,
  call: Call,
): void {
  if (definition === undefined) return;
  const trailers = metadataOf(definition.responseTrailers);
  if (definition.error !== undefined) {
    const details = sent === 0
      ? [anyPack(ConformancePayload_RequestInfoSchema, info)]
      : [];
    throw grpcErrorOf(definition.error, details, trailers);
  }
  for (const [key, value] of trailers) call.trailingMetadata.append(key, value);
}

function pack<Desc extends DescMessage>(schema: Desc) {
  return (message: Message) => anyPack(schema, message as never);
}

const service = createService(ConformanceService, {
  unary: (request, call) =>
    answerOne(
      request.responseDefinition,
      [pack(UnaryRequestSchema)(request)],
      call,
    ),

  idempotentUnary: (request, call) =>
    answerOne(
      request.responseDefinition,
      [pack(IdempotentUnaryRequestSchema)(request)],
      call,
    ),

  unimplemented() {
    throw new GRPCError(Status.UNIMPLEMENTED);
  },

  async *serverStream(request, call) {
    const definition = request.responseDefinition;
    const info = requestInfo(call, [pack(ServerStreamRequestSchema)(request)]);
    let sent = 0;
    if (definition !== undefined) {
      const metadata = metadataOf(definition.responseHeaders);
      await call.sendInitialMetadata({ metadata });
      for (const data of definition.responseData) {
        await pause(definition.responseDelayMs, call);
        yield {
          payload: create(ConformancePayloadSchema, {
            data,
            ...(sent === 0 ? { requestInfo: info } : {}),
          }),
        };
        sent++;
      }
    }
    finish(definition, info, sent, call);
  },

  async clientStream(requests, call) {
    const all: ClientStreamRequest[] = [];
    for await (const request of requests) all.push(request);
    return await answerOne(
      all[0]?.responseDefinition,
      all.map(pack(ClientStreamRequestSchema)),
      call,
    );
  },

  async *bidiStream(requests, call) {
    const toRequest = pack(BidiStreamRequestSchema);
    let definition: StreamResponseDefinition | undefined;
    let waiting: Any[] = [];
    let isFullDuplex = false;
    let isFirst = true;
    let sent = 0;
    const reply = (data: Uint8Array) => {
      const info = requestInfo(call, waiting);
      waiting = [];
      // The first reply tells of the call, the others of their request alone.
      if (sent > 0) {
        info.requestHeaders = [];
        delete (info as Partial<ConformancePayload_RequestInfo>).timeoutMs;
      }
      const isTold = sent === 0 || isFullDuplex;
      sent++;
      return {
        payload: create(ConformancePayloadSchema, {
          data,
          ...(isTold ? { requestInfo: info } : {}),
        }),
      };
    };
    for await (const request of requests as AsyncIterable<BidiStreamRequest>) {
      waiting.push(toRequest(request));
      if (isFirst) {
        isFirst = false;
        definition = request.responseDefinition;
        isFullDuplex = request.fullDuplex;
        if (definition !== undefined) {
          const metadata = metadataOf(definition.responseHeaders);
          await call.sendInitialMetadata({ metadata });
        }
      }
      if (!isFullDuplex) continue;
      if (definition === undefined || sent >= definition.responseData.length) {
        // Nothing is left to be said but how it ends.
        break;
      }
      await pause(definition.responseDelayMs, call);
      yield reply(definition.responseData[sent]!);
    }
    const info = requestInfo(call, waiting);
    if (definition !== undefined) {
      while (sent < definition.responseData.length) {
        await pause(definition.responseDelayMs, call);
        yield reply(definition.responseData[sent]!);
      }
    }
    finish(definition, info, sent, call);
  },
});

const { value: request } = await readMessages(ServerCompatRequestSchema).next();
if (request === undefined) throw new Error("There is no request on the input");

const decoder = new TextDecoder();
const tls: ServerTLSOptions | undefined = request.useTls
  ? {
    cert: decoder.decode(request.serverCreds!.cert),
    key: decoder.decode(request.serverCreds!.key),
    ...(request.clientTlsCert.length > 0
      ? { ca: decoder.decode(request.clientTlsCert) }
      : {}),
  }
  : undefined;

const server = new Server([service], {
  codec: [new ProtoCodec(), new ProtoJsonCodec({ registry })],
  config: {
    minCompressMessageSize: 0,
    ...(request.messageReceiveLimit > 0
      ? { maxReceiveMessageSize: request.messageReceiveLimit }
      : {}),
  },
});
await server.start("127.0.0.1", 0, tls === undefined ? {} : { tls });
writeMessage(
  ServerCompatResponseSchema,
  create(ServerCompatResponseSchema, {
    host: "127.0.0.1",
    port: server.port!,
    ...(request.useTls ? { pemCert: request.serverCreds!.cert } : {}),
  }),
);
Deno.addSignalListener("SIGTERM", () => Deno.exit(0));
await server.waitClosed();
