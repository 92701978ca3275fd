/**
 * The seam between a call and HTTP/2, played by a test: a stream that writes
 * down what its call does, and on which the test is the peer.
 *
 * @module
 */

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type ByteSink,
  type ByteStream,
  type CloseReason,
  ResetCode,
  type StreamClaim,
  type StreamSource,
} from "../_call/byte_stream.ts";
import type { Account } from "../_call/account.ts";
import { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { headerObject } from "../_http2/node/header_object.ts";
import type { HeaderBlock, RawHeaders } from "../_wire/headers.ts";
import { anyAccount } from "./account.ts";

/** Fields by name; a name with an array comes once for each value. */
export type Fields = Readonly<Record<string, string | readonly string[]>>;

/** Fields that were sent, by name. */
export function fieldsOf(block: HeaderBlock): Fields {
  return headerObject(block) as Fields;
}

/** Fields as HTTP/2 tells them: name, value, name, value. */
export function rawOf(fields: Fields): RawHeaders {
  return Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => [name, one as string])
  );
}

/** A length-prefixed message with any bytes in it. */
export function frameOf(message: Uint8Array, flag = 0): Uint8Array {
  const frame = new Uint8Array(5 + message.length);
  frame[0] = flag;
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, 5);
  return frame;
}

/** A length-prefixed `StringValue`. */
export function textFrame(value: string): Uint8Array {
  const message = { $typeName: "google.protobuf.StringValue", value } as const;
  return frameOf(toBinary(StringValueSchema, message));
}

/** The end of a stream in good order. */
export const CLEAN: CloseReason = {
  clean: true,
  status: Status.UNKNOWN,
  message: "",
  unprocessed: false,
};

/** The end of a stream for another reason. */
export function closed(
  status: Status,
  message: string,
  cause?: unknown,
): CloseReason {
  return { clean: false, status, message, cause, unprocessed: false };
}

/** The head of a good answer. */
export const OK_HEAD: Fields = {
  ":status": "200",
  "content-type": "application/grpc+proto",
};

/** A stream whose call thinks that it is real. */
export class FakeStream implements ByteStream {
  /** What is held for its peer. */
  account: Account = anyAccount();
  /**
   * What the call did, such as `"head"`, `"message Ada end"`, `"end"`,
   * `"trailers"`, `"reset CANCEL"`, `"pause"`.
   */
  readonly log: string[] = [];
  /** The head that the call sent. */
  head: Fields | null = null;
  /** The trailers that the call sent. */
  trailers: Fields | null = null;
  /** Whom the peer's doings are told to. */
  sink: ByteSink | null;
  /** Whether a reset is followed by the end of the stream at once. */
  closesOnReset = true;
  /** Whether this call's half is full: every `send` asks to wait. */
  full = false;

  #ended = false;
  #over = false;
  #closed = false;
  #paused = false;
  #held: (() => void)[] = [];
  #drained = Promise.withResolvers<void>();

  constructor(sink: ByteSink | null = null) {
    this.sink = sink;
  }

  // What the call does

  sendHead(head: HeaderBlock, end = false): void {
    this.#note(end ? "head end" : "head");
    if (this.head !== null) throw new Error("Fake stream has its head already");
    this.head = fieldsOf(head);
    this.#ended = end;
  }

  send(bytes: Uint8Array, end = false): void | Promise<void> {
    this.#note(describe(bytes) + (end ? " end" : ""));
    if (this.head === null) throw new Error("Fake stream has no head yet");
    this.#ended = end;
    if (this.full) return this.#drained.promise;
  }

  sendTrailers(trailers: HeaderBlock): void {
    this.#note("trailers");
    if (this.head === null) throw new Error("Fake stream has no head yet");
    this.trailers = fieldsOf(trailers);
    this.#ended = true;
  }

  reset(code: ResetCode): void {
    const name = Object.entries(ResetCode).find(([, c]) => c === code)![0];
    this.log.push(`reset ${name}`);
    this.#over = true;
    if (this.closesOnReset) this.close(CLEAN);
  }

  pause(): void {
    this.log.push("pause");
    this.#paused = true;
  }

  resume(): void {
    this.log.push("resume");
    this.#paused = false;
    while (!this.#paused && this.#held.length > 0) this.#held.shift()!();
  }

  // What the peer does

  /** The peer's head, and with `end` nothing after it. */
  peerHead(fields: Fields = OK_HEAD, end = false): void {
    if (!this.#over) this.sink!.onHead(rawOf(fields), end);
  }

  /** Bytes of the peer. They wait while the call has paused the stream. */
  peerBytes(chunk: Uint8Array): void {
    this.#tell(() => this.sink!.onData(chunk, 0, chunk.length));
  }

  /** Messages of the peer. */
  peerSends(...values: string[]): void {
    for (const value of values) this.peerBytes(textFrame(value));
  }

  /** The end of the peer's half. */
  peerEnds(trailers: Fields = {}): void {
    this.#tell(() => {
      this.sink!.onEnd(rawOf(trailers));
      if (this.#ended) this.close(CLEAN);
    });
  }

  /** A whole reply with status OK. */
  peerAnswers(...values: string[]): void {
    this.peerHead();
    this.peerSends(...values);
    this.peerEnds({ "grpc-status": "0" });
  }

  /** The stream is gone. */
  close(why: CloseReason): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#over = true;
    this.sink?.onClose(why);
    this.#drained.resolve();
  }

  /** What the call has sent may go on its way. */
  drain(): void {
    this.full = false;
    this.#drained.resolve();
    this.#drained = Promise.withResolvers();
  }

  #tell(what: () => void): void {
    const tell = () => {
      if (!this.#over) what();
    };
    if (this.#paused) this.#held.push(tell);
    else tell();
  }

  #note(what: string): void {
    this.log.push(what);
    if (this.#ended) throw new Error(`Fake stream has ended before: ${what}`);
    if (this.#over) throw new Error(`Fake stream is gone before: ${what}`);
  }
}

/** A message in a word, or else how many bytes there are. */
function describe(bytes: Uint8Array): string {
  if (bytes.length === 0) return "nothing";
  try {
    const { value } = fromBinary(StringValueSchema, bytes.subarray(5));
    return `message ${value.slice(0, 12)}`.trimEnd();
  } catch {
    return `${bytes.length} bytes`;
  }
}

/** Gives fake streams to calls, at once or when the test says so. */
export class FakeSource implements StreamSource {
  /** The calls that wait for a stream. */
  readonly waiting: StreamClaim[] = [];
  /** The streams that were given, in order. */
  readonly streams: FakeStream[] = [];
  /** The other end of all of them. */
  readonly peer: Peer = new Peer({ hostname: "127.0.0.1", port: 50051 });
  /** Whether calls get a stream at once. */
  ready = true;
  /** Why there are no streams, if it is so. */
  refusal: CloseReason | null = null;

  /** The stream that was given last. */
  get stream(): FakeStream {
    const stream = this.streams.at(-1);
    if (stream === undefined) throw new Error("No call asked for a stream");
    return stream;
  }

  claim(claim: StreamClaim): void {
    if (this.refusal !== null) return claim.onClose(this.refusal);
    this.waiting.push(claim);
    if (this.ready) this.open();
  }

  withdraw(claim: StreamClaim): void {
    const at = this.waiting.indexOf(claim);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** Gives a stream to the call that waits longest. */
  open(): FakeStream {
    const claim = this.waiting.shift();
    if (claim === undefined) throw new Error("No call waits for a stream");
    const stream = new FakeStream(claim);
    this.streams.push(stream);
    claim.onStream(stream, this.peer);
    return stream;
  }

  /** Tells the calls that wait that there will be no stream. */
  refuse(why: CloseReason): void {
    for (const claim of this.waiting.splice(0)) claim.onClose(why);
  }
}
