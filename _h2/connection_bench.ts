/**
 * A unary call through two engines in memory: `deno bench _h2`, or
 * `deno run _h2/connection_bench.ts` for a loop to profile.
 */

import {
  type ConnectionHandler,
  type HeaderList,
  Http2Connection,
  type Http2Stream,
  type StreamHandler,
} from "./mod.ts";

const REQUEST: HeaderList = [
  ...[":method", "POST", ":scheme", "http", ":path", "/bench.Echo/Say"],
  ...[":authority", "localhost:50051", "te", "trailers"],
  ...["content-type", "application/grpc", "user-agent", "grpclib-deno/0.1.0"],
];
const RESPONSE: HeaderList = [
  ...[":status", "200", "content-type", "application/grpc"],
];
const TRAILERS: HeaderList = ["grpc-status", "0"];
const NONE: HeaderList = [];
const MESSAGE = new Uint8Array(37);

class End implements ConnectionHandler {
  onOutput(): void {}
  onSettings(): void {}
  onPing(): void {}
  onPingAck(): void {}
  onNoticeAck(): void {}
  onGoaway(): void {}
  onStreamViolation(): void {
    throw new Error("Violation");
  }
  onViolation(): void {
    throw new Error("Violation");
  }
  onStream(stream: Http2Stream): void {
    stream.handler = new ServerCall(stream);
  }
}

class ServerCall implements StreamHandler {
  readonly #stream: Http2Stream;
  constructor(stream: Http2Stream) {
    this.#stream = stream;
  }
  onHeaders(): void {}
  onInterim(): void {}
  onData(_: Uint8Array, start: number, end: number): void {
    this.#stream.consume(end - start);
  }
  onEnd(): void {
    this.#stream.sendHeaders(RESPONSE, NONE, false);
    this.#stream.sendData(MESSAGE, false);
    this.#stream.sendTrailers(TRAILERS, NONE);
  }
  onDrain(): void {}
  onClose(): void {}
}

let ended = 0;

class ClientCall implements StreamHandler {
  stream: Http2Stream | null = null;
  onHeaders(): void {}
  onInterim(): void {}
  onData(_: Uint8Array, start: number, end: number): void {
    this.stream!.consume(end - start);
  }
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {
    ended++;
  }
}

const client = new Http2Connection({
  role: "client",
  settings: { initialWindowSize: 4 << 20 },
  connectionWindowSize: 4 << 20,
}, new End());
const server = new Http2Connection({
  role: "server",
  settings: { initialWindowSize: 4 << 20, maxConcurrentStreams: 1000 },
  connectionWindowSize: 4 << 20,
}, new End());

function carry(from: Http2Connection, to: Http2Connection): boolean {
  const pieces = from.takeOutput();
  if (pieces.length === 0) return false;
  for (const piece of pieces) to.receive(piece, 0);
  from.outputWritten();
  return true;
}

function exchange(): void {
  while (carry(client, server) || carry(server, client));
}

function calls(count: number): void {
  for (let i = 0; i < count; i++) {
    const call = new ClientCall();
    call.stream = client.request(call, REQUEST, NONE, false);
    call.stream.sendData(MESSAGE, true);
  }
  exchange();
}

exchange();

for (const count of [1, 16, 128]) {
  Deno.bench(`${count} unary calls`, () => calls(count));
}

if (import.meta.main) {
  for (const count of [1, 16, 128]) {
    for (let round = 0; round < 5; round++) {
      const total = 400_000;
      const begin = performance.now();
      for (let i = 0; i < total; i += count) calls(count);
      const ns = (performance.now() - begin) / total * 1e6;
      console.log(`${count} at once: ${ns.toFixed(0)} ns a call`);
    }
  }
  console.log(ended, "ended");
}
