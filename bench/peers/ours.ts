/**
 * This library.
 *
 * @module
 */

import { create } from "@bufbuild/protobuf";
import {
  Channel,
  type ChannelOptions,
  createService,
  createStub,
  listen,
  RecvRequest,
  SendRequest,
  Server,
  type Service,
  type Stub,
} from "@grpclib/grpclib";
import { ChannelFor } from "@grpclib/grpclib/testing";
import { Bench, BytesSchema, TextSchema } from "../gen/bench_pb.ts";
import {
  type BenchClient,
  CHAT_WINDOW,
  CHUNK_BYTES,
  expectLength,
  payloadOf,
  RICH,
  type Settings,
  TEXT,
  Unsupported,
} from "./contender.ts";

const message = create(TextSchema, { value: TEXT });
const small = create(BytesSchema, { value: payloadOf(4096) });
const chunk = create(BytesSchema, { value: payloadOf(CHUNK_BYTES) });
const large = create(BytesSchema, { value: payloadOf(1024 * 1024) });

/** The answer to an empty text. */
const NEVER = new Promise<never>(() => {});

/** The largest prime below 2³⁰: no number takes longer. */
const LARGE_PRIME = 1_073_741_789;

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) {
    if (value % divisor === 0) return false;
  }
  return value > 1;
}

/** Something to do that takes the same CPU time whatever else runs. */
function compute(count: number): void {
  for (let i = 0; i < count; i++) {
    if (!isPrime(LARGE_PRIME)) throw new Error("The arithmetic is broken");
  }
}

function service({ primes = 0 }: Settings = {}): Service {
  return createService(Bench, {
    unary({ value }) {
      compute(primes);
      return value === "" ? NEVER : { value };
    },
    unaryBytes: ({ value }) => ({ value }),
    async *download({ value }) {
      for (let i = 0; i < value; i++) yield message;
    },
    async upload(requests) {
      let value = 0;
      for await (const _ of requests) value++;
      return { value };
    },
    async *chat(requests) {
      for await (const request of requests) yield request;
    },
    async *downloadBytes({ value }) {
      for (let i = 0; i < value; i++) yield chunk;
    },
    async uploadBytes(requests) {
      let value = 0;
      for await (const _ of requests) value++;
      return { value };
    },
  });
}

/**
 * The options that choose the HTTP/2 engine. A checkout that knows no engines
 * knows no such option, takes anything for it, and has `node:http2`.
 */
function engineOptions({ http2 }: Settings): object {
  if (http2 === undefined) return {};
  if (takesEngine("no such engine")) {
    if (http2 === "node") return {};
    throw new Unsupported("the library knows no engine but node:http2");
  }
  if (takesEngine(http2)) return { http2 };
  throw new Unsupported(`the library refuses the engine "${http2}"`);
}

function takesEngine(http2: string): boolean {
  const options: object = { http2 };
  try {
    new Channel("127.0.0.1", 1, { ...options });
    return true;
  } catch {
    return false;
  }
}

/**
 * Has somebody watch all calls. What it takes is looked up in the checkout that
 * is measured, which may be too old to have it.
 */
async function watch(
  target: Channel | Server,
  { observer, spans, middleware }: Settings,
): Promise<void> {
  try {
    if (observer) {
      const trace = { end() {} };
      const module = import.meta.resolve("@grpclib/grpclib");
      const { observe } = await import(
        new URL("core/_listeners.ts", module).href
      );
      observe(target, { start: () => trace });
    }
    if (spans) {
      const { instrument } = await import("@grpclib/grpclib/otel");
      instrument(target, { metrics: "none", sampleRate: 0.01 });
    }
    if (middleware) {
      const { use } = await import("@grpclib/grpclib");
      if (target instanceof Channel) use(target, (_call, next) => next());
      else use(target, (_call, next) => next());
    }
  } catch (error) {
    throw new Unsupported(`${error}`);
  }
}

/** Starts a server. */
export async function serve(settings: Settings): Promise<number> {
  const { tls, gzip, reusePort } = settings;
  const server = new Server([service(settings)], {
    ...engineOptions(settings),
    ...(gzip ? { compression: "gzip" } : {}),
    // A thousand connections and ten thousand streams are wanted here.
    config: {
      maxConcurrentStreams: 20_000,
      maxConnections: 20_000,
      maxRunningCalls: Infinity,
    },
  });
  if (settings.listener) {
    listen(server, RecvRequest, ({ metadata }) => void metadata);
  }
  await watch(server, settings);
  // A "ca" would ask for certificates of clients.
  const secure = tls ? { tls: { cert: tls.cert, key: tls.key } } : {};
  await server.start("127.0.0.1", reusePort ?? 0, {
    ...secure,
    reusePort: reusePort !== undefined,
  });
  return server.port!;
}

/** Makes a client. */
export async function connect(
  port: number,
  settings: Settings,
): Promise<BenchClient> {
  const { tls, gzip, inMemory } = settings;
  const engine = engineOptions(settings);
  const options: ChannelOptions = {
    ...engine,
    ...(gzip ? { compression: "gzip" } : {}),
    ...(tls ? { tls: { ca: tls.ca } } : {}),
  };
  const make = inMemory
    ? () => new ChannelFor([service()], { channel: engine, server: engine })
    : () => new Channel("127.0.0.1", port, options);
  const channel = make();
  if (settings.listener) {
    listen(channel, SendRequest, ({ metadata }) => void metadata);
  }
  await watch(channel, settings);
  return clientOf(channel, make);
}

function clientOf(channel: Channel, make: () => Channel): BenchClient {
  const stub = createStub(Bench, channel);
  const unary = async (stub: Stub<typeof Bench>) => {
    const { value } = await stub.unary(message);
    expectLength(value.length, TEXT.length);
  };
  const bytes = async (request: typeof small) => {
    const { value } = await stub.unaryBytes(request);
    expectLength(value.length, request.value.length);
  };
  return {
    calls: {
      unary: () => unary(stub),
      async rich() {
        const { signal } = new AbortController();
        const { value } = await stub.unary(message, { ...RICH, signal });
        expectLength(value.length, TEXT.length);
      },
      bytes4k: () => bytes(small),
      bytes1m: () => bytes(large),
      async connect() {
        await using channel = make();
        await unary(createStub(Bench, channel));
      },
    },
    streams: {
      async download(count) {
        let got = 0;
        for await (const _ of stub.download({ value: count })) got++;
        return got;
      },
      upload: async (count) =>
        (await stub.upload(repeat(message, count))).value,
      chat: (count) => chat(stub, count),
      async downloadBytes(count) {
        let got = 0;
        for await (const { value } of stub.downloadBytes({ value: count })) {
          expectLength(value.length, CHUNK_BYTES);
          got++;
        }
        return got;
      },
      uploadBytes: async (count) =>
        (await stub.uploadBytes(repeat(chunk, count))).value,
    },
    async open() {
      const stream = stub.chat.open();
      await stream.sendMessage(message);
      await stream.recvMessage();
      return stream;
    },
    wait: () => void stub.unary({}).catch(() => {}),
    close: () => channel.close(),
  };
}

function* repeat<M>(message: M, count: number): Iterable<M> {
  for (let i = 0; i < count; i++) yield message;
}

async function chat(stub: Stub<typeof Bench>, count: number): Promise<number> {
  const stream = stub.chat.open();
  let sent = 0;
  let got = 0;
  for (; sent < Math.min(CHAT_WINDOW, count); sent++) {
    await stream.sendMessage(message);
  }
  for await (const _ of stream) {
    got++;
    if (sent < count) {
      sent++;
      await stream.sendMessage(message);
    } else if (got === count) await stream.end();
  }
  return got;
}
