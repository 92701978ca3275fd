/**
 * Bare node:http2 as a peer, under Node: it makes or answers gRPC calls and then
 * ends its connections in every way there is.
 *
 *     node bare_peer.mjs {} server
 *     node bare_peer.mjs {} client <port>
 *
 * It reads commands and writes events, one JSON object a line, and leaves when
 * its input ends.
 */

import { Buffer } from "node:buffer";
import http2 from "node:http2";
import net from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";

const [, , , role, port] = process.argv;

// Where there is no Node, Deno gives itself out as one.
const NO_NODE = 77;
if (process.versions.deno) process.exit(NO_NODE);

/** A message without fields, which is any message. */
const EMPTY = Buffer.alloc(5);

/** How many calls are made at once. */
const AT_ONCE = 30;

const NO_ERROR = 0;
const INTERNAL_ERROR = 2;
const ENHANCE_YOUR_CALM = 11;

function tell(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

/** The sockets under the sessions, which do not give them out. */
const sockets = new Set();

function keepSocket(socket) {
  sockets.add(socket);
  socket.on("close", () => sockets.delete(socket));
  return socket;
}

/** Ends a session in some way; the streams that are open on it are given. */
const ENDS = {
  close: (session, open) => {
    session.close();
    // It waits for its streams.
    for (const stream of open) stream.close(NO_ERROR);
  },
  destroy: (session) => session.destroy(),
  "destroy with an error": (session) => session.destroy(new Error("Enough")),
  "GOAWAY 0": (session) => {
    session.goaway(NO_ERROR);
    setImmediate(() => session.destroy());
  },
  "GOAWAY 11": (session) => {
    session.goaway(ENHANCE_YOUR_CALM);
    setImmediate(() => session.destroy());
  },
  "RST_STREAM": (session, open) => {
    for (const stream of open) stream.close(INTERNAL_ERROR);
    setImmediate(() => session.close());
  },
  cut: () => sockets.forEach((socket) => socket.destroy()),
  SIGKILL: () => process.kill(process.pid, "SIGKILL"),
};

function onCommand(listener) {
  const commands = createInterface({ input: process.stdin });
  commands.on("line", (line) => listener(JSON.parse(line)));
  commands.on("close", () => process.exit());
}

// The server

function serve() {
  const sessions = new Map();
  const server = http2.createServer();
  server.on("connection", keepSocket);
  server.on("session", (session) => {
    sessions.set(session, new Set());
    session.on("error", () => {});
    session.on("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    const open = sessions.get(stream.session);
    open.add(stream);
    stream.on("error", () => {});
    stream.on("close", () => open.delete(stream));
    stream.resume();
    stream.respond(
      { ":status": 200, "content-type": "application/grpc" },
      { waitForTrailers: true },
    );
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": 0 }));
    if (headers[":path"].endsWith("/Unary")) stream.end(EMPTY);
    else stream.write(EMPTY);
  });
  server.listen(0, "127.0.0.1", () => tell({ port: server.address().port }));
  onCommand(({ end }) => {
    let left = sessions.size;
    for (const [session, open] of sessions) {
      session.on("close", () => --left === 0 && tell({ ended: end }));
      ENDS[end](session, open);
    }
  });
}

// The client

function request(session, method) {
  return session.request({
    ":method": "POST",
    ":path": `/grpclib.test.Echo/${method}`,
    "content-type": "application/grpc",
    "te": "trailers",
  });
}

/** Makes a call and gives its status. */
function call(session) {
  const { promise, resolve } = Promise.withResolvers?.() ?? withResolvers();
  const stream = request(session, "Unary");
  let status = null;
  stream.on("trailers", (trailers) => status = trailers["grpc-status"]);
  stream.on("error", () => {});
  stream.on("close", () => resolve(status));
  stream.resume();
  stream.end(EMPTY);
  return promise;
}

function withResolvers() {
  const resolvers = {};
  resolvers.promise = new Promise((resolve) => resolvers.resolve = resolve);
  return resolvers;
}

/** Opens a call that goes on until somebody ends it. */
async function openCall(session) {
  const stream = request(session, "Bidi");
  stream.on("error", () => {});
  stream.resume();
  stream.write(EMPTY);
  await new Promise((resolve) => stream.once("response", resolve));
  return stream;
}

async function callAndEnd({ calls, open, end }) {
  const session = http2.connect(`http://127.0.0.1:${port}`, {
    createConnection: () => keepSocket(net.connect(port, "127.0.0.1")),
  });
  session.on("error", () => {});
  let good = 0;
  for (let left = calls; left > 0; left -= AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, () => call(session));
    for (const status of await Promise.all(batch)) if (status === "0") good++;
  }
  const streams = new Set();
  for (let i = 0; i < open; i++) streams.add(await openCall(session));
  session.on("close", () => tell({ ended: end, good }));
  ENDS[end](session, streams);
}

if (role === "server") serve();
else if (role === "client") onCommand(callAndEnd);
