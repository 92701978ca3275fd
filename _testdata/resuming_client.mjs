/**
 * A client of bare node:http2, under Node, that resumes a TLS session:
 *
 *     node resuming_client.mjs {} <port> <port> <version> <PEM of ca> [cert] [key]
 *
 * It makes a call on the first port, then one on the second, with the session of
 * the first, and writes what became of the second as a line of JSON.
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import process from "node:process";
import tls from "node:tls";

const [, , , first, second, maxVersion, ca, cert, key] = process.argv;

/** Makes a call; gives its outcome, and the session for the next. */
function call(port, session) {
  return new Promise((resolve) => {
    let last;
    let reused = false;
    let outcome = "closed";
    const socket = tls.connect({
      host: "127.0.0.1",
      port: Number(port),
      servername: "localhost",
      ALPNProtocols: ["h2"],
      maxVersion,
      ca,
      ...(cert === undefined ? {} : { cert, key }),
      session,
    });
    socket.on("session", (ticket) => last = ticket);
    socket.on("error", () => {});
    socket.on("close", () => resolve({ last, outcome, reused }));
    socket.on("secureConnect", () => {
      reused = socket.isSessionReused();
      const h2 = http2.connect("https://localhost", {
        createConnection: () => socket,
      });
      h2.on("error", () => {});
      const stream = h2.request({
        ":method": "POST",
        ":path": "/grpclib.test.Echo/Unary",
        "content-type": "application/grpc",
        te: "trailers",
      });
      stream.on("trailers", () => outcome = "served");
      stream.on("error", () => {});
      stream.on("close", () => h2.destroy());
      stream.resume().end(Buffer.alloc(5));
    });
  });
}

const { last } = await call(first);
const { outcome, reused } = await call(second, last);
process.stdout.write(`${JSON.stringify({ outcome, reused })}\n`);
