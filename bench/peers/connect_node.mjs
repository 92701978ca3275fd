/**
 * connect-node, speaking gRPC.
 */

import { create } from "@bufbuild/protobuf";
import http2 from "node:http2";
import { Bench, BytesSchema, TextSchema } from "../gen/bench_pb.ts";
import { chat, count, open, repeat } from "./chat.mjs";
import {
  CHUNK_BYTES,
  expectLength,
  payloadOf,
  RICH,
  TEXT,
  Unsupported,
} from "./contender.ts";
import { load } from "./packages.mjs";

const { createClient } = load("@connectrpc/connect");
const {
  compressionGzip,
  connectNodeAdapter,
  createGrpcTransport,
  Http2SessionManager,
} = load("@connectrpc/connect-node");

const message = create(TextSchema, { value: TEXT });
const small = create(BytesSchema, { value: payloadOf(4096) });
const chunk = create(BytesSchema, { value: payloadOf(CHUNK_BYTES) });
const large = create(BytesSchema, { value: payloadOf(1024 * 1024) });

function routes(router) {
  router.service(Bench, {
    unary: ({ value }) => ({ value }),
    unaryBytes: ({ value }) => ({ value }),
    download: ({ value }) => repeat(message, value),
    upload: async (requests) => ({ value: await count(requests) }),
    async *chat(requests) {
      for await (const request of requests) yield request;
    },
    downloadBytes: ({ value }) => repeat(chunk, value),
    uploadBytes: async (requests) => ({ value: await count(requests) }),
  });
}

/** Starts a server. */
export async function serve({ tls, listener }) {
  if (listener) throw new Unsupported("it has no listeners");
  const handler = connectNodeAdapter({ routes });
  const settings = { maxConcurrentStreams: 20_000 };
  const server = tls
    ? http2.createSecureServer(
      { settings, cert: tls.cert, key: tls.key },
      handler,
    )
    : http2.createServer({ settings }, handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server.address().port;
}

/** Makes a client. */
export async function connect(port, { tls, gzip, inMemory }) {
  if (inMemory) throw new Unsupported("it has no wire in memory");
  const make = () => {
    const baseUrl = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
    const sessions = new Http2SessionManager(
      baseUrl,
      {},
      tls ? { ca: tls.ca } : {},
    );
    const client = createClient(
      Bench,
      createGrpcTransport({
        baseUrl,
        sessionManager: sessions,
        ...(gzip ? { sendCompression: compressionGzip } : {}),
      }),
    );
    return { client, close: () => sessions.abort() };
  };
  const { client, close } = make();
  const unary = async (client, options) => {
    const { value } = await client.unary(message, options);
    expectLength(value.length, TEXT.length);
  };
  const bytes = async (request) => {
    const { value } = await client.unaryBytes(request);
    expectLength(value.length, request.value.length);
  };
  return await Promise.resolve({
    calls: {
      unary: () => unary(client),
      rich: () =>
        unary(client, {
          headers: RICH.metadata,
          timeoutMs: RICH.timeoutMs,
          signal: new AbortController().signal,
        }),
      bytes4k: () => bytes(small),
      bytes1m: () => bytes(large),
      async connect() {
        const once = make();
        await unary(once.client);
        once.close();
      },
    },
    streams: {
      download: (value) => count(client.download({ value })),
      upload: async (count) =>
        (await client.upload(repeat(message, count))).value,
      chat: (count) =>
        chat((requests) => client.chat(requests), message, count),
      downloadBytes: (value) => count(client.downloadBytes({ value })),
      uploadBytes: async (count) =>
        (await client.uploadBytes(repeat(chunk, count))).value,
    },
    open: () => open((requests) => client.chat(requests), message),
    close,
  });
}
