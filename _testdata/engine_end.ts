/**
 * One end of an HTTP/2 connection in memory: an engine whose owner writes down
 * what it is told, with raw frames as its peer, or another engine.
 *
 * @module
 */

import { seededRandom } from "./seeded_random.ts";
import { FieldDecoder } from "./hpack.ts";
import { Flag, FrameType, uint32At } from "./raw_frames.ts";
import {
  type ConnectionHandler,
  errorName,
  type HeaderList,
  Http2Connection,
  type Http2Options,
  type Http2Stream,
  type StreamEnd,
  type StreamHandler,
  type Violation,
} from "../_h2/mod.ts";

/** An engine, and what it tells. */
export class EngineEnd implements ConnectionHandler {
  /** The engine. */
  readonly connection: Http2Connection;
  /** What was told, in order. */
  readonly events: string[] = [];
  /** The streams by identifier: the latest calls. */
  readonly streams: Map<number, Http2Stream> = new Map();
  /** Whether received bytes are consumed at once. */
  consumes = true;
  /** Whether `onOutput` was called since the output was taken. */
  announced = 0;
  /** Does more for an event, by its first word. */
  readonly on: Record<string, (stream: Http2Stream) => void> = {};
  /** The time, in milliseconds. */
  now = 0;
  readonly #frames = new FrameLog();

  constructor(options: Http2Options) {
    this.connection = new Http2Connection(options, this);
  }

  /** Gives bytes to the engine. */
  receive(...chunks: Uint8Array[]): void {
    for (const chunk of chunks) this.connection.receive(chunk, this.now);
  }

  /** Takes what there is to write, as one array. */
  take(): Uint8Array {
    const pieces = this.connection.takeOutput();
    const all = concat(pieces);
    this.announced = 0;
    if (pieces.length > 0) this.connection.outputWritten();
    return all;
  }

  /** Takes all there is to write, as a list of frames. */
  frames(): string[] {
    const found: string[] = [];
    for (let all = this.take(); all.length > 0; all = this.take()) {
      found.push(...this.#frames.read(all));
    }
    return found;
  }

  /** Takes the events that were told since the last time. */
  told(): string[] {
    return this.events.splice(0);
  }

  /** Opens a stream that writes down what it is told. */
  request(
    fields: HeaderList,
    end = false,
    own: HeaderList = [],
  ): Http2Stream {
    const call = new Call(this);
    const stream = this.connection.request(call, fields, own, end);
    call.stream = stream;
    this.streams.set(stream.id, stream);
    return stream;
  }

  onOutput(): void {
    this.announced++;
  }

  onStream(stream: Http2Stream, fields: HeaderList, end: boolean): void {
    const call = new Call(this);
    call.stream = stream;
    stream.handler = call;
    this.streams.set(stream.id, stream);
    call.tell("request", `${show(fields)}${end ? " end" : ""}`);
  }

  onSettings(): void {
    this.events.push("settings");
  }

  onPing(): void {
    this.events.push("ping");
  }

  onPingAck(): void {
    this.events.push("ping ack");
  }

  onNoticeAck(): void {
    this.events.push("notice ack");
  }

  onGoaway(lastId: number, code: number, debug: string): void {
    this.events.push(`goaway ${lastId} ${errorName(code)} ${debug}`.trimEnd());
  }

  onStreamViolation(streamId: number, { code, message }: Violation): void {
    this.events.push(`violation ${streamId} ${errorName(code)}: ${message}`);
  }

  onViolation({ code, message }: Violation): void {
    this.events.push(`violation ${errorName(code)}: ${message}`);
  }
}

class Call implements StreamHandler {
  stream: Http2Stream | null = null;
  readonly #end: EngineEnd;

  constructor(end: EngineEnd) {
    this.#end = end;
  }

  tell(event: string, detail = ""): void {
    const { events, on } = this.#end;
    const id = this.stream?.id ?? 0;
    const last = events.at(-1);
    // However the data is cut.
    if (event === "data" && last?.startsWith(`data ${id} `)) {
      events[events.length - 1] = last + detail;
    } else events.push(`${event} ${id} ${detail}`.trimEnd());
    if (this.stream !== null) on[event]?.(this.stream);
  }

  onHeaders(fields: HeaderList, end: boolean): void {
    this.tell("headers", `${show(fields)}${end ? " end" : ""}`);
  }

  onInterim(fields: HeaderList): void {
    this.tell("interim", show(fields));
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    this.tell("data", new TextDecoder().decode(bytes.subarray(start, end)));
    if (this.#end.consumes) this.stream!.consume(end - start);
  }

  onEnd(trailers: HeaderList): void {
    this.tell("end", show(trailers));
  }

  onDrain(): void {
    this.tell("drain");
  }

  onClose({ cause, code, unprocessed }: StreamEnd): void {
    const detail = cause === "complete" ? "" : ` ${errorName(code)}`;
    this.tell("close", cause + detail + (unprocessed ? " unprocessed" : ""));
  }
}

function show(fields: HeaderList): string {
  const shown: string[] = [];
  for (let i = 0; i < fields.length; i += 2) {
    shown.push(`${fields[i]}=${fields[i + 1]}`);
  }
  return shown.join(" ");
}

/** Frames as lines, such as `RST_STREAM 1 CANCEL`. */
export class FrameLog {
  readonly #decoder = new FieldDecoder();
  #block: Uint8Array[] = [];

  /** Reads whole frames, behind the preface if it is there. */
  read(bytes: Uint8Array): string[] {
    const lines: string[] = [];
    let at = 0;
    if (bytes[0] === 0x50) at = 24;
    while (at < bytes.length) {
      const length = uint32At(bytes, at) >>> 8;
      const payload = bytes.subarray(at + 9, at + 9 + length);
      const streamId = uint32At(bytes, at + 5);
      lines.push(this.#line(bytes[at + 3]!, bytes[at + 4]!, streamId, payload));
      at += 9 + length;
    }
    return lines;
  }

  #line(
    type: number,
    flags: number,
    streamId: number,
    payload: Uint8Array,
  ): string {
    const names = Object.keys(FrameType);
    const words: (string | number)[] = [names[type] ?? `type ${type}`];
    if (streamId !== 0) words.push(streamId);
    const isMessage = type === FrameType.DATA || type === FrameType.HEADERS;
    const isEnd = isMessage && (flags & Flag.END_STREAM) !== 0;
    switch (type) {
      case FrameType.DATA:
        if (payload.length > 0) words.push(new TextDecoder().decode(payload));
        break;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        this.#block.push(payload);
        if ((flags & Flag.END_HEADERS) === 0) break;
        for (const [name, value] of this.#decoder.decode(concat(this.#block))) {
          words.push(`${name}=${value}`);
        }
        this.#block = [];
        break;
      case FrameType.RST_STREAM:
        words.push(errorName(uint32At(payload, 0)));
        break;
      case FrameType.WINDOW_UPDATE:
        words.push(uint32At(payload, 0));
        break;
      case FrameType.GOAWAY:
        words.push(uint32At(payload, 0), errorName(uint32At(payload, 4)));
        break;
      case FrameType.SETTINGS:
        if ((flags & Flag.ACK) !== 0) words.push("ACK");
        for (let i = 0; i < payload.length; i += 6) {
          words.push(`${payload[i + 1]}=${uint32At(payload, i + 2)}`);
        }
        break;
      case FrameType.PING:
        if ((flags & Flag.ACK) !== 0) words.push("ACK");
        words.push(new TextDecoder().decode(payload));
        break;
    }
    if (isEnd) words.push("END");
    return words.join(" ").trimEnd();
  }
}

/** Joins arrays. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(
    pieces.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Carries bytes between two ends until neither has any, in whole pieces. */
export function exchange(a: EngineEnd, b: EngineEnd): void {
  for (;;) {
    const there = a.take();
    const back = b.take();
    if (there.length === 0 && back.length === 0) return;
    if (there.length > 0) b.receive(there);
    if (back.length > 0) a.receive(back);
  }
}

/** Two ends that know of each other's settings. */
export function connectedEnds(
  options: {
    readonly client?: Partial<Http2Options>;
    readonly server?: Partial<Http2Options>;
  } = {},
): { client: EngineEnd; server: EngineEnd } {
  const client = new EngineEnd({ role: "client", ...options.client });
  const server = new EngineEnd({ role: "server", ...options.server });
  exchange(client, server);
  client.told();
  server.told();
  return { client, server };
}

/** Numbers that look random, the same for the same seed. */
export class Random {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  /** A whole number below a bound. */
  below(bound: number): number {
    return Math.floor(this.#next() * bound);
  }

  /** One of several. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}
