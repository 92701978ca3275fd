/**
 * grpc-js as a peer in a process of its own, under Node or Deno, with the
 * messages in the hands of protobufjs: nothing here is shared with the library.
 *
 *     node grpc_js_peer.mjs '{"@grpc/grpc-js": "/…", …}' server [options]
 *     node grpc_js_peer.mjs '{"@grpc/grpc-js": "/…", …}' client <port> [options]
 *
 * The options are those of a channel or server of grpc-js, as JSON.
 *
 * It reads commands and writes events, one JSON object a line, and leaves when
 * its input ends. Bytes are told as `{ size }`: all of them are the size's last
 * byte.
 */

import { Buffer } from "node:buffer";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { requireFrom } from "./require_from.mjs";

const [, , packages, role, ...rest] = process.argv;
const port = role === "client" ? rest.shift() : undefined;
const peerOptions = JSON.parse(rest[0] ?? "{}");

const require = await requireFrom(packages);
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const definition = loader.loadSync(
  fileURLToPath(new URL("./echo.proto", import.meta.url)),
  { defaults: true },
);
const { Echo } = grpc.loadPackageDefinition(definition).grpclib.test;

/** The details of a status, which grpc-js leaves as they are. */
const DETAILS_KEY = "grpc-status-details-bin";

function tell(event) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

function bytesOf({ size }) {
  return Buffer.alloc(size, size & 255);
}

function sizeOf(bytes) {
  const isRight = bytes.every((byte) => byte === (bytes.length & 255));
  return { size: isRight ? bytes.length : -1 };
}

/** Metadata as pairs; bytes are told in hexadecimal. */
function metadataOf(pairs = []) {
  const metadata = new grpc.Metadata();
  for (const [key, value] of pairs) {
    metadata.add(key, key.endsWith("-bin") ? Buffer.from(value, "hex") : value);
  }
  return metadata;
}

/** The pairs of a test, whose keys begin with "x-". */
function pairsOf(metadata) {
  return Object.keys(metadata.getMap()).sort()
    .filter((key) => key.startsWith("x-"))
    .flatMap((key) =>
      metadata.get(key).map((value) => [
        key,
        typeof value === "string" ? value : value.toString("hex"),
      ])
    );
}

// The server

function serve() {
  /** Tells of a call, and gives what it is to be ended with. */
  const begin = (call, method) => {
    const pairs = pairsOf(call.metadata);
    tell({
      event: "call",
      method,
      metadata: pairs,
      timeoutMs: Number(call.getDeadline()) - Date.now(),
      userAgent: call.metadata.get("user-agent")[0],
    });
    // grpc-js says "cancelled" of each call in the end.
    let isOver = false;
    call.on("cancelled", () => {
      if (!isOver) tell({ event: "cancelled", method });
    });
    call.on("error", () => {});
    call.sendMetadata(metadataOf(pairs));
    return ({ status = 0, statusMessage = "" } = {}) => {
      isOver = true;
      const metadata = metadataOf(pairs);
      const [statusDetails] = call.metadata.get("x-details-bin");
      if (statusDetails) metadata.add(DETAILS_KEY, statusDetails);
      const error = { code: status, details: statusMessage, metadata };
      return { error: status === 0 ? null : error, metadata };
    };
  };
  const finishUnary = (callback, { error, metadata }, reply) => {
    if (error !== null) callback(error);
    else callback(null, reply, metadata);
  };
  const finishStream = (call, { error, metadata }) => {
    if (error !== null) call.emit("error", error);
    else call.end(metadata);
  };
  // What a client cancels ends, too, a moment before it is "cancelled".
  const onEnd = (call, listener) =>
    call.on("end", () => setImmediate(() => call.cancelled || listener()));
  const repliesTo = ({ text, count, payload }) =>
    Array.from({ length: count }, (_, index) => ({ text, index, payload }));

  const implementation = {
    unary(call, callback) {
      const end = begin(call, "unary");
      const { request } = call;
      setTimeout(() => {
        const { text, payload } = request;
        finishUnary(callback, end(request), { text, index: 0, payload });
      }, request.delayMs);
    },
    serverStream(call) {
      const end = begin(call, "serverStream");
      for (const reply of repliesTo(call.request)) call.write(reply);
      setTimeout(
        () => finishStream(call, end(call.request)),
        call.request.delayMs,
      );
    },
    clientStream(call, callback) {
      const end = begin(call, "clientStream");
      const texts = [];
      let failing;
      call.on("data", (request) => {
        texts.push(request.text);
        if (request.status !== 0) failing = request;
      });
      onEnd(call, () => {
        const reply = { text: texts.join(""), index: texts.length };
        finishUnary(callback, end(failing), reply);
      });
    },
    bidi(call) {
      const end = begin(call, "bidi");
      let failing;
      call.on("data", (request) => {
        for (const reply of repliesTo(request)) call.write(reply);
        if (request.status !== 0) failing = request;
      });
      onEnd(call, () => finishStream(call, end(failing)));
    },
  };
  const server = new grpc.Server(peerOptions);
  server.addService(Echo.service, implementation);
  server.bindAsync(
    "127.0.0.1:0",
    grpc.ServerCredentials.createInsecure(),
    (error, port) => tell({ event: "listening", error, port }),
  );
  const commands = createInterface({ input: process.stdin });
  commands.on("line", (line) => {
    if (line === "shut down") {
      server.tryShutdown(() => tell({ event: "shut down" }));
    }
  });
  commands.on("close", () => process.exit());
}

// The client

function makeCalls() {
  const client = new Echo(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
    peerOptions,
  );

  /** Makes one call and tells all that came of it. */
  const makeCall = (command) => {
    const { id, method, requests, metadata, timeoutMs, cancelAfter } = command;
    const result = { id, replies: [], initial: [], trailing: [] };
    let toCome = 1;
    const done = () => --toCome === 0 && tell(result);
    const onReply = ({ text, index, payload }) => {
      result.replies.push({ text, index, payload: sizeOf(payload) });
      if (result.replies.length === cancelAfter) call.cancel();
    };
    const options = timeoutMs === undefined
      ? {}
      : { deadline: Date.now() + timeoutMs };
    const messages = requests.map(({ payload = { size: 0 }, ...rest }) => ({
      ...rest,
      payload: bytesOf(payload),
    }));
    const args = [metadataOf(metadata), options];
    const isUnary = method === "unary" || method === "clientStream";
    if (isUnary) {
      toCome++;
      args.push((_error, reply) => {
        if (reply) onReply(reply);
        done();
      });
    }
    const takesOne = method === "unary" || method === "serverStream";
    const call = takesOne
      ? client[method](messages[0], ...args)
      : client[method](...args);
    call.on("metadata", (metadata) => result.initial = pairsOf(metadata));
    call.on("status", ({ code, details, metadata }) => {
      const [statusDetails] = metadata.get(DETAILS_KEY);
      Object.assign(result, {
        code,
        details,
        trailing: pairsOf(metadata),
        statusDetails: statusDetails?.toString("hex"),
      });
      done();
    });
    call.on("error", () => {});
    if (!isUnary) call.on("data", onReply);
    if (!takesOne) {
      for (const message of messages) call.write(message);
      call.end();
    }
    if (cancelAfter === 0) call.cancel();
  };
  const commands = createInterface({ input: process.stdin });
  commands.on("line", (line) => makeCall(JSON.parse(line)));
  commands.on("close", () => process.exit());
  tell({ event: "ready" });
}

if (role === "server") serve();
else makeCalls();
