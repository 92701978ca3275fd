/**
 * The cases of the official interoperability tests, as a client runs them.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md}
 * @module
 */

import {
  type Channel,
  type ChannelOptions,
  type ClientStream,
  createStub,
  GRPCError,
  listen,
  type Many,
  RecvMessage,
  SendRequest,
  Status,
  statusName,
  type Stub,
} from "@grpclib/grpclib";
import type {
  StreamingOutputCallRequest,
  StreamingOutputCallResponse,
} from "./gen/grpc/testing/messages_pb.ts";
import {
  TestService,
  UnimplementedService,
} from "./gen/grpc/testing/test_pb.ts";

/** The server under test, and how to make another channel to it. */
export interface Context {
  readonly channel: Channel;
  readonly stub: Stub<typeof TestService>;
  connect(options?: ChannelOptions): Channel;
  /** How the soak tests call. */
  readonly soak: SoakOptions;
}

/** The flags of the soak tests, by their official names. */
export interface SoakOptions {
  /** How many calls each worker makes. */
  readonly iterations: number;
  /** How many workers there are. */
  readonly threads: number;
  /** How many calls may fail, or be too slow. */
  readonly maxFailures: number;
  /** What is too slow, in milliseconds. */
  readonly maxLatencyMs: number;
  /** How long a worker waits from the start of a call to the next. */
  readonly minTimeMsBetweenCalls: number;
  /** How long all of it may take, in milliseconds. */
  readonly overallTimeoutMs: number;
  /** The sizes of the messages, in bytes. */
  readonly requestSize: number;
  readonly replySize: number;
}

/** One case: rejects if it fails. */
export type Case = (context: Context) => Promise<void>;

type Duplex = ClientStream<
  Many<StreamingOutputCallRequest>,
  Many<StreamingOutputCallResponse>
>;

const LARGE_REQUEST = 271_828;
const LARGE_REPLY = 314_159;
const REQUEST_SIZES = [27_182, 8, 1_828, 45_904];
const REPLY_SIZES = [31_415, 9, 2_653, 58_979];
const STATUS_MESSAGE = "test status message";
const SPECIAL_MESSAGE =
  "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";

const bytes = (size: number) => ({ body: new Uint8Array(size) });

function expect(what: string, found: unknown, needed: unknown): void {
  if (found === needed) return;
  throw new Error(`${what} should be ${needed}, and is ${found}`);
}

/** Makes sure that something fails with a status. */
async function fails(
  status: Status,
  call: () => Promise<unknown>,
): Promise<GRPCError> {
  let error: unknown;
  try {
    await call();
  } catch (thrown) {
    error = thrown;
  }
  if (!(error instanceof GRPCError)) {
    throw new Error(`The call should fail, and ends with ${error ?? "OK"}`);
  }
  expect("The status", statusName(error.status), statusName(status));
  return error;
}

/** Runs a case with a channel that is told which replies came compressed. */
async function watched(
  { connect }: Context,
  run: (
    stub: Stub<typeof TestService>,
    compressed: boolean[],
  ) => Promise<void>,
): Promise<void> {
  await using channel = connect();
  const compressed: boolean[] = [];
  listen(channel, RecvMessage, (event) => {
    compressed.push(event.compressed);
  });
  await run(createStub(TestService, channel), compressed);
}

async function largeUnary(
  stub: Stub<typeof TestService>,
  { requestSize, replySize } = {
    requestSize: LARGE_REQUEST,
    replySize: LARGE_REPLY,
  },
): Promise<void> {
  const reply = await stub.unaryCall({
    responseSize: replySize,
    payload: bytes(requestSize),
  });
  expect("The reply", reply.payload?.body.length, replySize);
}

/** Calls again and again, and fails if too many calls do, or are too slow. */
async function soak(
  { soak }: Context,
  call: (sizes: SoakOptions) => Promise<void>,
): Promise<void> {
  const end = performance.now() + soak.overallTimeoutMs;
  let made = 0;
  const failures: string[] = [];
  const worker = async (): Promise<void> => {
    for (let i = 0; i < soak.iterations; i++) {
      const start = performance.now();
      if (start > end) return;
      made++;
      try {
        await call(soak);
        const tookMs = performance.now() - start;
        if (tookMs > soak.maxLatencyMs) {
          failures.push(`It took ${tookMs.toFixed()} ms`);
        }
      } catch (error) {
        failures.push(`${error}`);
      }
      const restMs = start + soak.minTimeMsBetweenCalls - performance.now();
      if (restMs > 0) await new Promise((r) => setTimeout(r, restMs));
    }
  };
  await Promise.all(Array.from({ length: soak.threads }, worker));
  expect("The number of calls in time", made, soak.iterations * soak.threads);
  if (failures.length > soak.maxFailures) {
    throw new Error(`${failures.length} calls failed: ${failures[0]}`);
  }
}

/** One request of a duplex call, and the reply to it. */
async function exchange(
  stream: Duplex,
  request: number,
  reply: number,
): Promise<void> {
  await stream.sendMessage({
    responseParameters: [{ size: reply }],
    payload: bytes(request),
  });
  const message = await stream.recvMessage();
  expect("The reply", message?.payload?.body.length, reply);
}

/** The cases, by their official names. */
export const CASES: Readonly<Record<string, Case>> = {
  async empty_unary({ stub }) {
    await stub.emptyCall({});
  },

  large_unary: ({ stub }) => largeUnary(stub),

  async client_compressed_unary(context) {
    const request = {
      responseSize: LARGE_REPLY,
      payload: bytes(LARGE_REQUEST),
    };
    const expectCompressed = { value: true };
    const { stub } = context;
    // A probe: the server has to see that this is not compressed.
    await fails(
      Status.INVALID_ARGUMENT,
      () => stub.unaryCall({ ...request, expectCompressed }),
    );
    const reply = await stub.unaryCall({ ...request, expectCompressed }, {
      compression: "gzip",
    });
    expect("The reply", reply.payload?.body.length, LARGE_REPLY);
    await stub.unaryCall({ ...request, expectCompressed: { value: false } });
  },

  server_compressed_unary: (context) =>
    watched(context, async (stub, compressed) => {
      for (const value of [true, false]) {
        const reply = await stub.unaryCall({
          responseCompressed: { value },
          responseSize: LARGE_REPLY,
          payload: bytes(LARGE_REQUEST),
        });
        expect("The reply", reply.payload?.body.length, LARGE_REPLY);
      }
      expect("Compression", compressed.join(), "true,false");
    }),

  async client_streaming({ stub }) {
    const requests = REQUEST_SIZES.map((size) => ({ payload: bytes(size) }));
    const reply = await stub.streamingInputCall(requests);
    expect("The sum", reply.aggregatedPayloadSize, 74_922);
  },

  async client_compressed_streaming({ stub }) {
    const compression = "gzip";
    const probe = { expectCompressed: { value: true }, payload: bytes(27_182) };
    await fails(
      Status.INVALID_ARGUMENT,
      () => stub.streamingInputCall([probe]),
    );
    await using stream = stub.streamingInputCall.open({ compression });
    await stream.sendMessage(probe);
    await stream.sendMessage({
      expectCompressed: { value: false },
      payload: bytes(45_904),
    }, { compress: false, end: true });
    const reply = await stream.recvMessage();
    expect("The sum", reply.aggregatedPayloadSize, 73_086);
  },

  async server_streaming({ stub }) {
    const replies = await Array.fromAsync(stub.streamingOutputCall({
      responseParameters: REPLY_SIZES.map((size) => ({ size })),
    }));
    const sizes = replies.map(({ payload }) => payload?.body.length);
    expect("The replies", sizes.join(), REPLY_SIZES.join());
  },

  server_compressed_streaming: (context) =>
    watched(context, async (stub, compressed) => {
      const replies = await Array.fromAsync(stub.streamingOutputCall({
        responseParameters: [
          { size: 31_415, compressed: { value: true } },
          { size: 92_653, compressed: { value: false } },
        ],
      }));
      const sizes = replies.map(({ payload }) => payload?.body.length);
      expect("The replies", sizes.join(), "31415,92653");
      expect("Compression", compressed.join(), "true,false");
    }),

  async ping_pong({ stub }) {
    await using stream = stub.fullDuplexCall.open();
    for (const [index, size] of REPLY_SIZES.entries()) {
      await exchange(stream, REQUEST_SIZES[index]!, size);
    }
    await stream.end();
    expect("The end", await stream.recvMessage(), null);
  },

  async empty_stream({ stub }) {
    const replies = await Array.fromAsync(stub.fullDuplexCall([]));
    expect("The replies", replies.length, 0);
  },

  async custom_metadata({ stub }) {
    const metadata = {
      "x-grpc-test-echo-initial": "test_initial_metadata_value",
      "x-grpc-test-echo-trailing-bin": new Uint8Array([0xab, 0xab, 0xab]),
    };
    const check = (
      stream: Pick<Duplex, "initialMetadata" | "trailingMetadata">,
    ): void => {
      expect(
        "Initial metadata",
        stream.initialMetadata?.get("x-grpc-test-echo-initial"),
        "test_initial_metadata_value",
      );
      const trailing = stream.trailingMetadata?.get(
        "x-grpc-test-echo-trailing-bin",
      );
      expect("Trailing metadata", `${trailing}`, "171,171,171");
    };
    await using unary = stub.unaryCall.open({ metadata });
    await unary.sendMessage({
      responseSize: LARGE_REPLY,
      payload: bytes(LARGE_REQUEST),
    });
    await unary.recvMessage();
    check(unary);
    await using duplex = stub.fullDuplexCall.open({ metadata });
    await exchange(duplex, LARGE_REQUEST, LARGE_REPLY);
    await duplex.end();
    await duplex.recvMessage();
    check(duplex);
  },

  async status_code_and_message({ stub }) {
    const responseStatus = { code: 2, message: STATUS_MESSAGE };
    const unary = await fails(
      Status.UNKNOWN,
      () => stub.unaryCall({ responseStatus }),
    );
    expect("The message", unary.message, STATUS_MESSAGE);
    const duplex = await fails(
      Status.UNKNOWN,
      () => Array.fromAsync(stub.fullDuplexCall([{ responseStatus }])),
    );
    expect("The message", duplex.message, STATUS_MESSAGE);
  },

  async special_status_message({ stub }) {
    const responseStatus = { code: 2, message: SPECIAL_MESSAGE };
    const error = await fails(
      Status.UNKNOWN,
      () => stub.unaryCall({ responseStatus }),
    );
    expect("The message", error.message, SPECIAL_MESSAGE);
  },

  async unimplemented_method({ stub }) {
    await fails(Status.UNIMPLEMENTED, () => stub.unimplementedCall({}));
  },

  async unimplemented_service({ channel }) {
    const stub = createStub(UnimplementedService, channel);
    await fails(Status.UNIMPLEMENTED, () => stub.unimplementedCall({}));
  },

  async cancel_after_begin({ stub }) {
    await using stream = stub.streamingInputCall.open();
    await stream.sendRequest();
    stream.cancel();
    await fails(Status.CANCELLED, () => stream.recvMessage());
  },

  async cancel_after_first_response({ stub }) {
    await using stream = stub.fullDuplexCall.open();
    await exchange(stream, 27_182, 31_415);
    stream.cancel();
    await fails(Status.CANCELLED, () => stream.recvMessage());
  },

  async timeout_on_sleeping_server({ stub }) {
    await using stream = stub.fullDuplexCall.open({ timeoutMs: 1 });
    await fails(Status.DEADLINE_EXCEEDED, async () => {
      await stream.sendMessage({ payload: bytes(27_182) });
      await stream.recvMessage();
    });
  },

  /** The credentials of a call, without the clouds that would check them. */
  async per_rpc_creds({ connect }) {
    await using channel = connect();
    listen(channel, SendRequest, (event) => {
      event.metadata.set("authorization", "Bearer a-token");
    });
    const stub = createStub(TestService, channel);
    const reply = await stub.unaryCall({ fillUsername: true });
    // Servers in other languages know nothing of this token.
    if (reply.username !== "") expect("The name", reply.username, "a-token");
  },

  rpc_soak: (context) =>
    soak(context, (sizes) => largeUnary(context.stub, sizes)),

  channel_soak: (context) =>
    soak(context, async (sizes) => {
      await using channel = context.connect();
      await largeUnary(createStub(TestService, channel), sizes);
    }),

  async pick_first_unary({ stub }) {
    const ids = new Set<string>();
    for (let i = 0; i < 20; i++) {
      const { serverId } = await stub.unaryCall({ fillServerId: true });
      if (serverId === "") throw new Error("The server does not tell its id");
      ids.add(serverId);
    }
    expect("The number of servers", ids.size, 1);
  },

  // Not official, but asked for in the same document

  async many_large_unary({ stub }) {
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 100 }, () => largeUnary(stub)));
    }
  },

  async client_pushback({ stub }) {
    await using stream = stub.streamingInputCall.open();
    for (let i = 0; i < 200; i++) {
      await stream.sendMessage({ payload: bytes(65_536) });
    }
    await stream.end();
    const reply = await stream.recvMessage();
    expect("The sum", reply.aggregatedPayloadSize, 200 * 65_536);
  },

  async server_pushback({ stub }) {
    await using stream = stub.streamingOutputCall.open();
    await stream.sendMessage({
      responseParameters: Array(200).fill({ size: 65_536 }),
    });
    let received = 0;
    for await (const _ of stream) {
      if (received++ === 0) await new Promise((r) => setTimeout(r, 50));
    }
    expect("The replies", received, 200);
  },

  async large_metadata({ stub }) {
    // 7 KiB: what all servers take.
    const value = "x".repeat(7 * 1024);
    const metadata = { "x-grpc-test-echo-initial": value };
    await using stream = stub.unaryCall.open({ metadata });
    await stream.sendMessage({});
    await stream.recvMessage();
    expect(
      "Initial metadata",
      stream.initialMetadata?.get("x-grpc-test-echo-initial"),
      value,
    );
  },

  async cancel_before_start({ stub }) {
    const signal = AbortSignal.abort();
    await fails(Status.CANCELLED, () => stub.emptyCall({}, { signal }));
  },
};
