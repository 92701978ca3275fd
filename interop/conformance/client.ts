/**
 * The client under test of the conformance suite: makes the calls that its
 * input asks for, and tells what came of them.
 *
 * @see {@link https://github.com/connectrpc/conformance/blob/main/docs/configuring_and_running_tests.md}
 * @module
 */

import { create, fromBinary, type Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  type CallOptions,
  Channel,
  type ClientStream,
  createStub,
  GRPCError,
  type Many,
  ProtoCodec,
  ProtoJsonCodec,
  type StatusDetailsCodec,
  UnknownDetail,
} from "@grpclib/grpclib";
import { StatusProtoSchema } from "@grpclib/grpclib/error-details";
import {
  COMPRESSIONS,
  errorOf,
  headersOf,
  metadataOf,
  registry,
} from "./common.ts";
import { readMessages, writeMessage } from "./frames.ts";
import {
  type ClientCompatRequest,
  ClientCompatRequestSchema,
  ClientCompatResponseSchema,
  ClientErrorResultSchema,
  type ClientResponseResult,
  ClientResponseResultSchema,
} from "./gen/connectrpc/conformance/v1/client_compat_pb.ts";
import {
  Codec,
  StreamType,
} from "./gen/connectrpc/conformance/v1/config_pb.ts";
import {
  type ConformancePayload,
  ConformancePayloadSchema,
  ConformanceService,
} from "./gen/connectrpc/conformance/v1/service_pb.ts";

// The kinds of call do not matter here.
// deno-lint-ignore no-explicit-any
type AnyStream = ClientStream<Many<any>, Many<any>>;

/** One to be asked once it is open, as every method can be. */
interface Opener {
  open(options: CallOptions): AnyStream;
}

/** Details as they came: they are compared byte by byte. */
const details: StatusDetailsCodec = {
  encode: () => new Uint8Array(),
  decode: (_status, _message, bytes) =>
    fromBinary(StatusProtoSchema, bytes).details.map(({ typeUrl, value }) =>
      new UnknownDetail(typeUrl, value)
    ),
};

function channelOf(request: ClientCompatRequest): Channel {
  const decoder = new TextDecoder();
  const { serverTlsCert, clientTlsCreds, messageReceiveLimit } = request;
  return new Channel(request.host, request.port, {
    codec: request.codec === Codec.JSON
      ? new ProtoJsonCodec({ registry })
      : new ProtoCodec(),
    statusDetailsCodec: details,
    compression: COMPRESSIONS[request.compression],
    config: {
      minCompressMessageSize: 0,
      ...(messageReceiveLimit > 0
        ? { maxReceiveMessageSize: messageReceiveLimit }
        : {}),
    },
    tls: serverTlsCert.length === 0 ? false : {
      ca: decoder.decode(serverTlsCert),
      ...(clientTlsCreds === undefined ? {} : {
        cert: decoder.decode(clientTlsCreds.cert),
        key: decoder.decode(clientTlsCreds.key),
      }),
    },
  });
}

async function run(
  request: ClientCompatRequest,
  result: ClientResponseResult,
): Promise<void> {
  await using channel = channelOf(request);
  const stub = createStub(ConformanceService, channel) as unknown as Record<
    string,
    Opener
  >;
  const name = request.method!;
  const method = stub[name[0]!.toLowerCase() + name.slice(1)]!;
  await using stream = method.open({
    metadata: metadataOf(request.requestHeaders),
    ...(request.timeoutMs === undefined
      ? {}
      : { timeoutMs: request.timeoutMs }),
  });
  try {
    await talk(request, result, stream);
  } catch (error) {
    if (!(error instanceof GRPCError)) throw error;
    result.error = errorOf(error);
  }
  result.responseHeaders = headersOf(stream.initialMetadata);
  result.responseTrailers = headersOf(stream.trailingMetadata);
}

/** Makes one call to its end; throws what it ends with. */
async function talk(
  request: ClientCompatRequest,
  result: ClientResponseResult,
  stream: AnyStream,
): Promise<void> {
  const messages = request.requestMessages.map((any) =>
    anyUnpack(any, registry)! as Message
  );
  const { streamType, cancel, requestDelayMs } = request;
  const isFullDuplex = streamType === StreamType.FULL_DUPLEX_BIDI_STREAM;
  const isUnaryRequest = streamType === StreamType.UNARY ||
    streamType === StreamType.SERVER_STREAM;
  const isUnaryReply = streamType === StreamType.UNARY ||
    streamType === StreamType.CLIENT_STREAM;
  const timing = cancel?.cancelTiming;

  const receive = async (): Promise<boolean> => {
    const reply = await stream.recvMessage() as
      | { readonly payload?: ConformancePayload }
      | null;
    if (reply === null) return false;
    result.payloads.push(reply.payload ?? create(ConformancePayloadSchema));
    if (
      timing?.case === "afterNumResponses" &&
      result.payloads.length === timing.value
    ) stream.cancel();
    return true;
  };

  await stream.sendRequest();
  let isReceiving = true;
  for (const [index, message] of messages.entries()) {
    if (!isUnaryRequest || index === 0) {
      if (requestDelayMs > 0 && !isUnaryRequest) await after(requestDelayMs);
    }
    try {
      await stream.sendMessage(message);
    } catch (error) {
      if (!(error instanceof GRPCError)) throw error;
      result.numUnsentRequests = messages.length - index;
      break;
    }
    if (isFullDuplex && isReceiving) isReceiving = await receive();
  }
  if (timing?.case === "beforeCloseSend") stream.cancel();
  else if (!isUnaryRequest) await stream.end().catch(() => {});
  if (timing?.case === "afterCloseSendMs") {
    setTimeout(() => stream.cancel(), timing.value);
  }
  if (timing?.case === "afterNumResponses" && timing.value === 0) {
    stream.cancel();
  }
  if (isUnaryReply) await receive();
  else while (isReceiving) isReceiving = await receive();
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** More at once than the machine has time for would be late for no reason. */
const MAX_RUNNING = 16;

const running = new Set<Promise<void>>();

/** Runs one case, and tells what came of it. */
async function answer(request: ClientCompatRequest): Promise<void> {
  const value = create(ClientResponseResultSchema);
  const response = create(ClientCompatResponseSchema, {
    testName: request.testName,
    result: { case: "response", value },
  });
  try {
    await run(request, value);
  } catch (error) {
    const message = error instanceof Error ? `${error.stack}` : `${error}`;
    response.result = {
      case: "error",
      value: create(ClientErrorResultSchema, { message }),
    };
  }
  writeMessage(ClientCompatResponseSchema, response);
}

for await (const request of readMessages(ClientCompatRequestSchema)) {
  const one = answer(request).finally(() => running.delete(one));
  running.add(one);
  if (running.size >= MAX_RUNNING) await Promise.race(running);
}
await Promise.all(running);
