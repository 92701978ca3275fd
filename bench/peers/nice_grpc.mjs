/**
 * nice-grpc, with the codec that this library uses.
 */

import { create } from "@bufbuild/protobuf";
import { BytesSchema, CountSchema, TextSchema } from "../gen/bench_pb.ts";
import { chat, count, open, repeat } from "./chat.mjs";
import {
  CHUNK_BYTES,
  expectLength,
  payloadOf,
  TEXT,
  Unsupported,
} from "./contender.ts";
import { definition, load } from "./packages.mjs";

const nice = load("nice-grpc");
const methods = definition();

const message = create(TextSchema, { value: TEXT });
const small = create(BytesSchema, { value: payloadOf(4096) });
const chunk = create(BytesSchema, { value: payloadOf(CHUNK_BYTES) });
const large = create(BytesSchema, { value: payloadOf(1024 * 1024) });

/** Starts a server. */
export async function serve({ tls, gzip, listener }) {
  if (tls || gzip || listener) throw new Unsupported("it is on grpc-js here");
  const server = nice.createServer();
  server.add(methods, {
    unary: ({ value }) => Promise.resolve(create(TextSchema, { value })),
    unaryBytes: ({ value }) => Promise.resolve(create(BytesSchema, { value })),
    download: ({ value }) => repeat(message, value),
    upload: async (requests) =>
      create(CountSchema, { value: await count(requests) }),
    async *chat(requests) {
      for await (const request of requests) yield request;
    },
    downloadBytes: ({ value }) => repeat(chunk, value),
    uploadBytes: async (requests) =>
      create(CountSchema, { value: await count(requests) }),
  });
  return await server.listen("127.0.0.1:0");
}

/** Makes a client. */
export async function connect(port, { inMemory }) {
  if (inMemory) throw new Unsupported("it has no wire in memory");
  const make = () =>
    nice.createChannel(`http://127.0.0.1:${port}`, undefined, {
      "grpc.use_local_subchannel_pool": 1,
    });
  const channel = make();
  const client = nice.createClient(methods, channel);
  const unary = async (client) => {
    const { value } = await client.unary(message);
    expectLength(value.length, TEXT.length);
  };
  const bytes = async (request) => {
    const { value } = await client.unaryBytes(request);
    expectLength(value.length, request.value.length);
  };
  return await Promise.resolve({
    calls: {
      unary: () => unary(client),
      bytes4k: () => bytes(small),
      bytes1m: () => bytes(large),
      async connect() {
        const once = make();
        await unary(nice.createClient(methods, once));
        once.close();
      },
    },
    streams: {
      download: (value) =>
        count(client.download(create(CountSchema, { value }))),
      upload: async (count) =>
        (await client.upload(repeat(message, count))).value,
      chat: (count) =>
        chat((requests) => client.chat(requests), message, count),
      downloadBytes: (value) =>
        count(client.downloadBytes(create(CountSchema, { value }))),
      uploadBytes: async (count) =>
        (await client.uploadBytes(repeat(chunk, count))).value,
    },
    open: () => open((requests) => client.chat(requests), message),
    close: () => channel.close(),
  });
}
