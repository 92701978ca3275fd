/**
 * grpc-js, with the codec that this library uses.
 */

import { create } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import process from "node:process";
import { BytesSchema, CountSchema, TextSchema } from "../gen/bench_pb.ts";
import {
  CHAT_WINDOW,
  CHUNK_BYTES,
  expectLength,
  payloadOf,
  RICH,
  TEXT,
  Unsupported,
} from "./contender.ts";
import { definition, load } from "./packages.mjs";

const grpc = load("@grpc/grpc-js");
const methods = definition();

const message = create(TextSchema, { value: TEXT });
const small = create(BytesSchema, { value: payloadOf(4096) });
const chunk = create(BytesSchema, { value: payloadOf(CHUNK_BYTES) });
const large = create(BytesSchema, { value: payloadOf(1024 * 1024) });

const GZIP = { "grpc.default_compression_algorithm": 2 };

/** Writes so many messages, and waits when it is told to. */
function writeAll(stream, message, count) {
  let sent = 0;
  const write = () => {
    while (sent < count) {
      sent++;
      if (!stream.write(message)) return stream.once("drain", write);
    }
    stream.end();
  };
  write();
}

function countAll(stream, callback) {
  let value = 0;
  stream.on("data", () => value++);
  stream.on("end", () => callback(null, create(CountSchema, { value })));
}

/** Starts a server. */
export async function serve({ tls, gzip, listener }) {
  if (listener) throw new Unsupported("it has no listeners");
  if (tls && process.versions.deno) {
    throw new Unsupported("on Deno its server answers TLS in plain text");
  }
  const server = new grpc.Server(gzip ? GZIP : {});
  server.addService(methods, {
    unary({ request: { value } }, callback) {
      // An empty text is never answered.
      if (value !== "") callback(null, create(TextSchema, { value }));
    },
    unaryBytes: ({ request: { value } }, callback) =>
      callback(null, create(BytesSchema, { value })),
    download: (call) => writeAll(call, message, call.request.value),
    upload: countAll,
    chat(call) {
      call.on("data", (request) => call.write(request));
      call.on("end", () => call.end());
    },
    downloadBytes: (call) => writeAll(call, chunk, call.request.value),
    uploadBytes: countAll,
  });
  const credentials = tls
    ? grpc.ServerCredentials.createSsl(null, [{
      cert_chain: Buffer.from(tls.cert),
      private_key: Buffer.from(tls.key),
    }])
    : grpc.ServerCredentials.createInsecure();
  return await new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
      if (error) reject(error);
      else resolve(port);
    });
  });
}

function promised(call) {
  return new Promise((resolve, reject) => {
    call((error, reply) => error ? reject(error) : resolve(reply));
  });
}

/** Makes a client. */
export async function connect(port, { tls, gzip, inMemory }) {
  if (inMemory) throw new Unsupported("it has no wire in memory");
  const Client = grpc.makeGenericClientConstructor(methods, "Bench");
  const credentials = tls
    ? grpc.credentials.createSsl(Buffer.from(tls.ca))
    : grpc.credentials.createInsecure();
  const make = () =>
    new Client(`127.0.0.1:${port}`, credentials, {
      // Otherwise all clients of a process share their connections.
      "grpc.use_local_subchannel_pool": 1,
      // A name that TLS may speak of; an address is none.
      ...(tls ? { "grpc.ssl_target_name_override": "localhost" } : {}),
      ...(gzip ? GZIP : {}),
    });
  const client = make();
  const unary = async (client) => {
    const { value } = await promised((done) => client.unary(message, done));
    expectLength(value.length, TEXT.length);
  };
  const bytes = async (request) => {
    const { value } = await promised((done) =>
      client.unaryBytes(request, done)
    );
    expectLength(value.length, request.value.length);
  };
  const download = async (stream) => {
    let got = 0;
    for await (const _ of stream) got++;
    return got;
  };
  return await Promise.resolve({
    calls: {
      unary: () => unary(client),
      async rich() {
        const metadata = new grpc.Metadata();
        for (const [key, value] of Object.entries(RICH.metadata)) {
          metadata.set(key, value);
        }
        const { signal } = new AbortController();
        const { value } = await promised((done) => {
          const call = client.unary(message, metadata, {
            deadline: Date.now() + RICH.timeoutMs,
          }, done);
          signal.addEventListener("abort", () => call.cancel());
        });
        expectLength(value.length, TEXT.length);
      },
      bytes4k: () => bytes(small),
      bytes1m: () => bytes(large),
      async connect() {
        const once = make();
        await unary(once);
        once.close();
      },
    },
    streams: {
      download: (value) =>
        download(client.download(create(CountSchema, { value }))),
      upload: async (count) =>
        (await promised((done) =>
          writeAll(client.upload(done), message, count)
        )).value,
      chat: (count) => chat(client, count),
      downloadBytes: (value) =>
        download(client.downloadBytes(create(CountSchema, { value }))),
      uploadBytes: async (count) =>
        (await promised((done) =>
          writeAll(client.uploadBytes(done), chunk, count)
        )).value,
    },
    open: () =>
      new Promise((resolve, reject) => {
        const call = client.chat();
        call.on("error", reject);
        call.once("data", () => resolve(call));
        call.write(message);
      }),
    wait: () => void client.unary(create(TextSchema), () => {}),
    close: () => client.close(),
  });
}

function chat(client, count) {
  return new Promise((resolve, reject) => {
    const call = client.chat();
    let sent = 0;
    let got = 0;
    call.on("error", reject);
    call.on("data", () => {
      got++;
      if (sent < count) {
        sent++;
        call.write(message);
      } else if (got === count) call.end();
    });
    call.on("end", () => resolve(got));
    for (; sent < Math.min(CHAT_WINDOW, count); sent++) call.write(message);
  });
}
