import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { Message } from "@bufbuild/protobuf";
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { Echo, type EchoReply, EchoReplySchema } from "./gen/echo_pb.ts";
import { type EchoRequest, EchoRequestSchema } from "./gen/echo_pb.ts";
import * as grpc from "./grpc_js.ts";

/** The two functions with which grpc-js writes and reads a message. */
function codec<M extends Message>(schema: GenMessage<M>) {
  return {
    serialize: (message: M) => Buffer.from(toBinary(schema, message)),
    deserialize: (bytes: Buffer) => fromBinary(schema, bytes),
  };
}

Deno.test("grpc-js serves itself, so that a test with it tests the other side", async () => {
  const request = codec<EchoRequest>(EchoRequestSchema);
  const reply = codec<EchoReply>(EchoReplySchema);
  const path = `/${Echo.typeName}/${Echo.method.unary.name}`;
  const server = new grpc.Server();
  server.addService({
    unary: {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: request.serialize,
      requestDeserialize: request.deserialize,
      responseSerialize: reply.serialize,
      responseDeserialize: reply.deserialize,
    },
  }, {
    unary(
      call: grpc.ServerUnaryCall<EchoRequest>,
      callback: (error: null, reply: EchoReply) => void,
    ) {
      callback(null, create(EchoReplySchema, { text: call.request.text }));
    },
  });
  const bound = Promise.withResolvers<number>();
  server.bindAsync(
    "127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(),
    (error, port) => error ? bound.reject(error) : bound.resolve(port),
  );
  const client = new grpc.Client(
    `127.0.0.1:${await bound.promise}`,
    grpc.credentials.createInsecure(),
  );
  const replied = Promise.withResolvers<EchoReply | undefined>();
  client.makeUnaryRequest(
    path,
    request.serialize,
    reply.deserialize,
    create(EchoRequestSchema, { text: "hello" }),
    new grpc.Metadata(),
    {},
    (error, message) =>
      error ? replied.reject(error) : replied.resolve(message),
  );
  assertEquals((await replied.promise)?.text, "hello");

  client.close();
  const closed = Promise.withResolvers<void>();
  server.tryShutdown(() => closed.resolve());
  await closed.promise;
});
