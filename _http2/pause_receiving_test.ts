import { assertEquals } from "@std/assert";
import { once } from "node:events";
import net from "node:net";
import { Duplex, PassThrough } from "node:stream";
import tls, { type TLSSocket } from "node:tls";
import { Authority } from "../_testdata/certificates.ts";
import { after, soon } from "../_testdata/waiting.ts";
import { pauseReceiving } from "./pause_receiving.ts";

const AUTHORITY = new Authority();
const CERTIFICATE = AUTHORITY.issue({
  commonName: "server",
  hosts: ["127.0.0.1"],
});

/** A stream over a socket, which is none. */
function streamOver(socket: net.Socket): Duplex {
  const stream = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  socket.on("data", (chunk) => {
    if (!stream.push(chunk)) socket.pause();
  });
  socket.on("end", () => stream.push(null));
  return stream;
}

/** Runs a function with both ends of a connection with TLS. */
async function overTLS(
  run: (client: TLSSocket, server: TLSSocket) => Promise<void>,
  under: (socket: net.Socket) => Duplex,
): Promise<void> {
  const secure = tls.createServer({ ...CERTIFICATE });
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    secure.emit("connection", under(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const accepted = once(secure, "secureConnection");
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

/** What there may be under a TLS socket. */
const UNDER: readonly (readonly [string, (socket: net.Socket) => Duplex])[] = [
  ["a socket", (socket) => socket],
  ["a stream", streamOver],
];

Deno.test("pauseReceiving() pauses a stream, and resumes it", () => {
  const stream = new PassThrough();
  pauseReceiving(stream, true);
  assertEquals(stream.isPaused(), true);
  pauseReceiving(stream, false);
  assertEquals(stream.isPaused(), false);
});

for (const [what, under] of UNDER) {
  Deno.test(`pauseReceiving() has a TLS socket over ${what} keep nothing back`, () =>
    overTLS(async (client, server) => {
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
    }, under));

  Deno.test(`pauseReceiving() loses nothing of a TLS socket over ${what}, nor its end`, () =>
    overTLS(async (client, server) => {
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
    }, under));
}
