// Error details and compression with grpc-js, as client and as server.

import { assert, assertEquals, assertRejects } from "@std/assert";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  Channel,
  createStub,
  findDetail,
  GRPCError,
  listen,
  RecvMessage,
  Status,
} from "../../mod.ts";
import { BadRequestSchema, StatusProtoSchema } from "../../error_details.ts";
import { startPeer } from "../../_testdata/child_process.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import { Echo } from "../../_testdata/gen/echo_pb.ts";
import { soon } from "../../_testdata/waiting.ts";

const BAD = create(BadRequestSchema, {
  fieldViolations: [{ field: "text", description: "is empty" }],
});

const TEXT = "many words, ".repeat(1000);

/** What a client of grpc-js tells of a call. */
interface Result {
  readonly code: Status;
  readonly details: string;
  readonly statusDetails?: string;
  readonly replies: readonly { readonly text: string }[];
}

Deno.test("a client of grpc-js gets the details of a server", async () => {
  await using echo = await startEcho({
    handlers: {
      unary() {
        throw new GRPCError(Status.INVALID_ARGUMENT, "Bad", { details: [BAD] });
      },
    },
  });
  await using peer = startPeer("grpc_js_peer.mjs", "client", `${echo.port}`);
  await soon(peer.event(), "the client");
  await peer.send(JSON.stringify({ method: "unary", requests: [{}] }));
  const result = await soon(peer.event<Result>(), "the client's word");
  assertEquals([result.code, result.details], [3, "Bad"]);
  const bytes = Uint8Array.fromHex(result.statusDetails!);
  const status = fromBinary(StatusProtoSchema, bytes);
  assertEquals([status.code, status.message], [3, "Bad"]);
  const [any] = status.details;
  assertEquals(any!.typeUrl, "type.googleapis.com/google.rpc.BadRequest");
  assertEquals(fromBinary(BadRequestSchema, any!.value), BAD);
});

Deno.test("a client gets the details of a server of grpc-js", async () => {
  await using peer = startPeer("grpc_js_peer.mjs", "server");
  const { port } = await soon(peer.event<{ port: number }>(), "the server");
  await using channel = new Channel("127.0.0.1", port);
  const stub = createStub(Echo, channel);
  const status = create(StatusProtoSchema, {
    code: 3,
    message: "Bad",
    details: [anyPack(BadRequestSchema, BAD)],
  });
  const request = { status: 3, statusMessage: "Bad" };
  const bytes = [
    toBinary(StatusProtoSchema, status),
    // No google.rpc.Status.
    new Uint8Array([0xff, 0xff]),
  ];
  for (const [index, detailsBytes] of bytes.entries()) {
    const metadata = { "x-details-bin": detailsBytes };
    const error = await assertRejects(
      () => soon(stub.unary(request, { metadata })),
      GRPCError,
    );
    assertEquals([error.status, error.message], [3, "Bad"]);
    assertEquals(
      findDetail(error, BadRequestSchema),
      index === 0 ? BAD : undefined,
    );
  }
});

// What "grpc.default_compression_algorithm" means.
const ALGORITHMS = { deflate: 1, gzip: 2 } as const;

for (const name of ["deflate", "gzip"] as const) {
  const options = JSON.stringify({
    "grpc.default_compression_algorithm": ALGORITHMS[name],
  });

  Deno.test(`a client of grpc-js and a server compress with ${name}`, async () => {
    await using echo = await startEcho({ server: { compression: name } });
    const compressed: boolean[] = [];
    listen(echo.server, RecvMessage, (event) => {
      compressed.push(event.compressed);
    });
    await using peer = startPeer(
      "grpc_js_peer.mjs",
      "client",
      `${echo.port}`,
      options,
    );
    await soon(peer.event(), "the client");
    for (const method of ["unary", "bidi"]) {
      const requests = [{ text: TEXT, count: 1 }];
      await peer.send(JSON.stringify({ method, requests }));
      const result = await soon(peer.event<Result>(), "the client's word");
      assertEquals(result.code, 0, result.details);
      assertEquals(result.replies.map(({ text }) => text), [TEXT]);
    }
    assertEquals(compressed, [true, true]);
  });

  Deno.test(`a client and a server of grpc-js compress with ${name}`, async () => {
    await using peer = startPeer("grpc_js_peer.mjs", "server", options);
    const { port } = await soon(peer.event<{ port: number }>(), "the server");
    await using channel = new Channel("127.0.0.1", port, { compression: name });
    const stub = createStub(Echo, channel);
    const reply = await soon(stub.unary({ text: TEXT }));
    assert(reply.text === TEXT);
    const replies = await Array.fromAsync(
      stub.bidi([{ text: TEXT, count: 2 }]),
    );
    assertEquals(replies.map(({ text }) => text), [TEXT, TEXT]);
  });
}
