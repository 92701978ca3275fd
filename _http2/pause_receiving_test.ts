import { assertEquals } from "@std/assert";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import tls, { type TLSSocket } from "node:tls";
import { Authority } from "../_testdata/certificates.ts";
import { after, soon } from "../_testdata/waiting.ts";
import { pauseReceiving } from "./pause_receiving.ts";

const AUTHORITY = new Authority();
const CERTIFICATE = AUTHORITY.issue({
  commonName: "server",
  hosts: ["127.0.0.1"],
});

/** Runs a function with both ends of a connection with TLS. */
async function overTLS(
  run: (client: TLSSocket, server: TLSSocket) => Promise<void>,
): Promise<void> {
  const server = tls.createServer({ ...CERTIFICATE });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const accepted = once(server, "secureConnection");
  const client = tls.connect({ host: "127.0.0.1", port, ca: AUTHORITY.cert });
  const [socket] = await accepted as [TLSSocket];
  const closed = [client, socket].map((it) => once(it, "close"));
  try {
    await run(client, socket);
  } finally {
    client.destroy();
    socket.destroy();
    await Promise.all(closed);
    server.close();
    await once(server, "close");
  }
}

Deno.test("pauseReceiving() pauses a stream, and resumes it", () => {
  const stream = new PassThrough();
  pauseReceiving(stream, true);
  assertEquals(stream.isPaused(), true);
  pauseReceiving(stream, false);
  assertEquals(stream.isPaused(), false);
});

Deno.test("pauseReceiving() has a TLS socket keep nothing back", async () => {
  await overTLS(async (client, server) => {
    const bytes = new Uint8Array(4 * 1024 * 1024);
    let received = 0;
    server.on("data", (chunk: Uint8Array) => received += chunk.length);
    const paused = new Promise<void>((resolve) =>
      server.once("data", () => {
        pauseReceiving(server, true);
        resolve();
      })
    );
    const ended = once(server, "end");
    client.end(bytes);
    await soon(paused);
    await after(200);
    assertEquals(server.bytesRead, received);
    pauseReceiving(server, false);
    await soon(ended);
    assertEquals(received, bytes.length);
  });
});

Deno.test("pauseReceiving() loses nothing of a TLS socket, nor its end", async () => {
  await overTLS(async (client, server) => {
    const bytes = new Uint8Array(256 * 1024);
    let received = 0;
    let pauses = 0;
    server.on("data", (chunk: Uint8Array) => {
      received += chunk.length;
      if (++pauses > 4) return;
      pauseReceiving(server, true);
      // By then the rest has come, and the end.
      setTimeout(() => pauseReceiving(server, false), 100);
    });
    const ended = once(server, "end");
    client.end(bytes);
    await soon(ended);
    assertEquals(received, bytes.length);
  });
});
