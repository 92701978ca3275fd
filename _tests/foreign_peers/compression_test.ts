// Compression with Python's grpcio, as client and as server.

import { assertEquals } from "@std/assert";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Channel, createStub, listen, RecvMessage } from "../../mod.ts";
import { startEcho } from "../../_testdata/echo_service.ts";
import {
  Echo,
  EchoReplySchema,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import { named, python, talkTo } from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

const TEXT = "many words, ".repeat(1000);
const PEER =
  new URL("../../_testdata/grpcio_peer.py", import.meta.url).pathname;
const PYTHON = python();

for (const name of ["gzip", "deflate"] as const) {
  Deno.test({
    name: named(`a client of grpcio and a server compress with ${name}`, {
      python: PYTHON,
    }),
    ignore: PYTHON === null,
    async fn() {
      await using echo = await startEcho({ server: { compression: name } });
      const compressed: boolean[] = [];
      listen(echo.server, RecvMessage, (event) => {
        compressed.push(event.compressed);
      });
      await using peer = talkTo(PYTHON!, PEER, "client", name, `${echo.port}`);
      const request = create(EchoRequestSchema, { text: TEXT });
      await peer.send(toBinary(EchoRequestSchema, request).toHex());
      const said = await soon(peer.line(), "the client's word");
      const [status, hex] = said!.split(" ");
      assertEquals(status, "OK", said!);
      const reply = fromBinary(EchoReplySchema, Uint8Array.fromHex(hex!));
      assertEquals(reply.text, TEXT);
      assertEquals(compressed, [true]);
    },
  });

  Deno.test({
    name: named(`a client and a server of grpcio compress with ${name}`, {
      python: PYTHON,
    }),
    ignore: PYTHON === null,
    async fn() {
      await using peer = talkTo(PYTHON!, PEER, "server", name);
      const port = Number(await soon(peer.line(), "the server's port"));
      await using channel = new Channel("127.0.0.1", port, {
        compression: name,
      });
      const compressed: boolean[] = [];
      listen(channel, RecvMessage, (event) => {
        compressed.push(event.compressed);
      });
      const stub = createStub(Echo, channel);
      const { text } = await soon(stub.unary({ text: TEXT }));
      assertEquals(text, TEXT);
      assertEquals(compressed, [true]);
    },
  });
}
