/**
 * A hostile peer of HTTP/2, as a client and as a server: it writes whatever
 * frames it is told to, keeps to flow control only where it is told to, and
 * notes what came back.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113}
 * @module
 */

import { errorName } from "../_h2/mod.ts";
import { HpackDecoder } from "../_h2/hpack/mod.ts";
import { encodeFields, type Field } from "../_testdata/hpack.ts";
import {
  Flag,
  frame,
  FrameType,
  grpcMessage,
  MAX_PAYLOAD_BYTES,
  PREFACE,
  requestFields,
  Setting,
  uint32,
  uint32At,
} from "../_testdata/raw_frames.ts";

/** How a peer behaves. */
export interface RawPeerOptions {
  /**
   * Whether it reads at all.
   *
   * @default {true}
   */
  readonly reads?: boolean;
  /**
   * Whether it acknowledges SETTINGS and PING.
   *
   * @default {true}
   */
  readonly acknowledges?: boolean;
  /**
   * How many bytes it takes on each stream, and a hundred times that on the
   * connection; what it has read it gives back to the connection.
   *
   * @default {65535}
   */
  readonly windowBytes?: number;
  /**
   * The authority of the server's certificate, in PEM.
   *
   * @default {undefined} no TLS
   */
  readonly ca?: string | undefined;
}

/** What came back on a stream, as far as an attack looks. */
export interface RawReply {
  /** The `grpc-status`, once there are trailers. */
  status: string | null;
  /** The `grpc-message` that came with it. */
  message: string;
  /** The code of RST_STREAM, if that ended it. */
  reset: number | null;
}

/** Where frames of HTTP/2 begin for a connection, in the window of RFC 9113. */
const FIRST_WINDOW = 65_535;

/** How much a read takes at most. */
const READ_BYTES = 256 * 1024;

/** One connection of a hostile peer. */
export class RawPeer {
  /** The GOAWAY that came, if any did. */
  goaway: { readonly code: number; readonly debug: string } | null = null;
  /** How many streams were reset, by code. */
  readonly resets = new Map<number, number>();
  /** How many calls ended, by `grpc-status`. */
  readonly statuses = new Map<string, number>();
  /** How many bytes of DATA came. */
  dataBytes = 0;
  /** Whether the connection is gone, whoever ended it. */
  isClosed = false;
  /** Told of each HEADERS, when it is a server. */
  onRequest: ((streamId: number, fields: readonly string[]) => void) | null =
    null;

  readonly #conn: Deno.Conn;
  readonly #options: Required<Omit<RawPeerOptions, "ca">>;
  readonly #decoder = new HpackDecoder({ maxListSize: 1 << 24 });
  readonly #answers = new Map<number, (answer: RawReply) => void>();
  readonly #waiting: (() => void)[] = [];
  readonly #windows = new Map<number, number>();
  #window = FIRST_WINDOW;
  #firstWindow = FIRST_WINDOW;
  #nextId = 1;
  #skip = 0;
  #rest = new Uint8Array();
  #block: Uint8Array[] = [];
  #writing: Promise<void> = Promise.resolve();
  #done = Promise.withResolvers<void>();

  private constructor(conn: Deno.Conn, options: RawPeerOptions) {
    const { reads = true, acknowledges = true, windowBytes = FIRST_WINDOW } =
      options;
    this.#conn = conn;
    this.#options = { reads, acknowledges, windowBytes };
    if (reads) void this.#read();
  }

  /** Connects, and says nothing. */
  static async connect(
    port: number,
    options: RawPeerOptions = {},
  ): Promise<RawPeer> {
    const hostname = "127.0.0.1";
    const conn = await Deno.connect({ hostname, port });
    conn.setNoDelay();
    const { ca } = options;
    if (ca !== undefined) {
      const tls = { hostname, caCerts: [ca], alpnProtocols: ["h2"] };
      return new RawPeer(await Deno.startTls(conn, tls), options);
    }
    return new RawPeer(conn, options);
  }

  /** Connects as a client does: with the preface and SETTINGS. */
  static async open(
    port: number,
    options: RawPeerOptions = {},
  ): Promise<RawPeer> {
    const peer = await RawPeer.connect(port, options);
    await peer.write(PREFACE, ...peer.#greeting());
    return peer;
  }

  /** Serves a connection as a server does, once the client's preface came. */
  static async serve(
    conn: Deno.Conn,
    options: RawPeerOptions = {},
  ): Promise<RawPeer> {
    const peer = new RawPeer(conn, options);
    peer.#skip = PREFACE.length;
    await peer.write(...peer.#greeting());
    return peer;
  }

  #greeting(): Uint8Array[] {
    const { windowBytes } = this.#options;
    const more = windowBytes * 100 - FIRST_WINDOW;
    return [
      settingsFrame([[Setting.INITIAL_WINDOW_SIZE, windowBytes]]),
      ...(more > 0 && windowBytes > FIRST_WINDOW
        ? [frame(FrameType.WINDOW_UPDATE, {}, uint32(Math.min(more, 2 ** 30)))]
        : []),
    ];
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#done.promise;
  }

  /** Writes bytes behind those that wait; a connection that is gone takes all. */
  write(...chunks: Uint8Array[]): Promise<void> {
    const turn = this.#writing.then(async () => {
      const bytes = chunks.length === 1 ? chunks[0]! : concat(chunks);
      try {
        for (let at = 0; at < bytes.length && !this.isClosed;) {
          at += await this.#conn.write(bytes.subarray(at));
        }
      } catch {
        this.#end();
      }
    });
    this.#writing = turn;
    return turn;
  }

  /** The identifier of the next stream of a client. */
  newStream(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** Waits for what ends a stream. */
  reply(streamId: number): Promise<RawReply> {
    if (this.isClosed) {
      return Promise.resolve({ status: null, message: "", reset: null });
    }
    const { promise, resolve } = Promise.withResolvers<RawReply>();
    this.#answers.set(streamId, resolve);
    return promise;
  }

  /** Sends DATA as flow control allows, and waits where it does not. */
  async data(
    streamId: number,
    bytes: Uint8Array,
    options: { readonly end?: boolean } = {},
  ): Promise<void> {
    const { end = false } = options;
    for (let at = 0; at < bytes.length;) {
      const credit = Math.min(this.#window, this.#creditOf(streamId));
      if (this.isClosed) return;
      if (credit <= 0) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
        continue;
      }
      const length = Math.min(
        credit,
        bytes.length - at,
        16 * MAX_PAYLOAD_BYTES,
      );
      this.#window -= length;
      this.#windows.set(streamId, this.#creditOf(streamId) - length);
      const isLast = at + length === bytes.length;
      const part = bytes.subarray(at, at + length);
      await this.write(dataFrames(streamId, part, end && isLast));
      at += length;
    }
  }

  /** How many bytes may be sent on a stream at once. */
  creditOf(streamId: number): number {
    return Math.min(this.#window, this.#creditOf(streamId));
  }

  #creditOf(streamId: number): number {
    return this.#windows.get(streamId) ?? this.#firstWindow;
  }

  /** Ends the connection from this side. */
  close(): void {
    try {
      this.#conn.close();
    } catch {
      // It is gone.
    }
    this.#end();
  }

  #end(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    try {
      this.#conn.close();
    } catch {
      // It is gone.
    }
    for (const resolve of this.#answers.values()) {
      resolve({ status: null, message: "", reset: null });
    }
    this.#answers.clear();
    this.#wake();
    this.#done.resolve();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(READ_BYTES);
    try {
      for (;;) {
        const count = await this.#conn.read(chunk);
        if (count === null) break;
        this.#take(chunk.subarray(0, count));
      }
    } catch {
      // Reset.
    }
    this.#end();
  }

  #take(bytes: Uint8Array): void {
    const skipped = Math.min(this.#skip, bytes.length);
    this.#skip -= skipped;
    const all = this.#rest.length > 0
      ? concat([this.#rest, bytes.subarray(skipped)])
      : bytes.subarray(skipped);
    let at = 0;
    let received = 0;
    while (all.length - at >= 9) {
      const length = uint32At(all, at) >>> 8;
      if (all.length - at < 9 + length) break;
      const payload = all.subarray(at + 9, at + 9 + length);
      if (all[at + 3] === FrameType.DATA) received += length;
      this.#frame(
        all[at + 3]!,
        all[at + 4]!,
        uint32At(all, at + 5) & 0x7fffffff,
        payload,
      );
      at += 9 + length;
    }
    this.#rest = all.slice(at);
    this.dataBytes += received;
    if (received > 0) {
      void this.write(frame(FrameType.WINDOW_UPDATE, {}, uint32(received)));
    }
  }

  #frame(
    type: number,
    flags: number,
    streamId: number,
    payload: Uint8Array,
  ): void {
    const isAck = (flags & Flag.ACK) !== 0;
    switch (type) {
      case FrameType.SETTINGS:
        if (isAck) break;
        this.#settings(payload);
        if (this.#options.acknowledges) {
          void this.write(frame(type, { flags: Flag.ACK }));
        }
        break;
      case FrameType.PING:
        if (!isAck && this.#options.acknowledges) {
          void this.write(frame(type, { flags: Flag.ACK }, payload.slice()));
        }
        break;
      case FrameType.WINDOW_UPDATE: {
        const more = uint32At(payload, 0);
        if (streamId === 0) this.#window += more;
        else this.#windows.set(streamId, this.#creditOf(streamId) + more);
        this.#wake();
        break;
      }
      case FrameType.RST_STREAM: {
        const reset = uint32At(payload, 0);
        count(this.resets, reset);
        this.#settle(streamId, { status: null, message: "", reset });
        this.#wake();
        break;
      }
      case FrameType.GOAWAY:
        this.goaway = {
          code: uint32At(payload, 4),
          debug: new TextDecoder().decode(payload.subarray(8)),
        };
        break;
      case FrameType.HEADERS:
      case FrameType.CONTINUATION:
        this.#block.push(payload.slice());
        if ((flags & Flag.END_HEADERS) !== 0) this.#headers(streamId);
        break;
    }
  }

  #settings(payload: Uint8Array): void {
    for (let i = 0; i < payload.length; i += 6) {
      if (payload[i + 1] !== Setting.INITIAL_WINDOW_SIZE) continue;
      const size = uint32At(payload, i + 2);
      for (const [id, window] of this.#windows) {
        this.#windows.set(id, window + size - this.#firstWindow);
      }
      this.#firstWindow = size;
    }
    this.#wake();
  }

  #headers(streamId: number): void {
    const block = concat(this.#block);
    this.#block = [];
    const fields = this.#decoder.decode(block, 0, block.length);
    if (this.onRequest !== null) return this.onRequest(streamId, fields);
    const at = fields.indexOf("grpc-status");
    if (at < 0) return;
    const status = fields[at + 1]!;
    const message = fields[fields.indexOf("grpc-message") + 1] ?? "";
    count(this.statuses, status);
    this.#settle(streamId, {
      status,
      message: fields.includes("grpc-message") ? message : "",
      reset: null,
    });
  }

  #settle(streamId: number, answer: RawReply): void {
    this.#windows.delete(streamId);
    this.#answers.get(streamId)?.(answer);
    this.#answers.delete(streamId);
  }

  /** Says how the connection ended, or that it did not. */
  get fate(): string {
    if (this.goaway !== null && (this.goaway.code !== 0 || this.isClosed)) {
      return `GOAWAY ${errorName(this.goaway.code)}`;
    }
    return this.isClosed ? "closed" : "open";
  }
}

/** A header block that every request may have in common. */
export function requestBlock(
  path: string,
  changes: Readonly<Record<string, string>> = {},
): Uint8Array {
  return encodeFields(requestFields(path, changes));
}

/** A header block. */
export function blockOf(fields: Iterable<Field>): Uint8Array {
  return encodeFields(fields);
}

/** HEADERS of a block, with CONTINUATION if it takes more than one frame. */
export function headersFrames(
  streamId: number,
  block: Uint8Array,
  end = false,
): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < block.length; at += MAX_PAYLOAD_BYTES) {
    const isLast = at + MAX_PAYLOAD_BYTES >= block.length;
    frames.push(frame(
      at === 0 ? FrameType.HEADERS : FrameType.CONTINUATION,
      {
        flags: (isLast ? Flag.END_HEADERS : 0) |
          (at === 0 && end ? Flag.END_STREAM : 0),
        streamId,
      },
      block.subarray(at, at + MAX_PAYLOAD_BYTES),
    ));
  }
  return concat(frames);
}

/** DATA of bytes, in as many frames as it takes. */
export function dataFrames(
  streamId: number,
  bytes: Uint8Array,
  end = false,
): Uint8Array {
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_PAYLOAD_BYTES) {
    const isLast = at + MAX_PAYLOAD_BYTES >= bytes.length;
    frames.push(frame(
      FrameType.DATA,
      { flags: isLast && end ? Flag.END_STREAM : 0, streamId },
      bytes.subarray(at, at + MAX_PAYLOAD_BYTES),
    ));
  }
  return concat(frames);
}

/** A whole call with one message. */
export function callFrames(
  streamId: number,
  block: Uint8Array,
  message: Uint8Array = grpcMessage(new Uint8Array()),
): Uint8Array {
  return concat([
    headersFrames(streamId, block),
    dataFrames(streamId, message, true),
  ]);
}

/** A length-prefixed message, however long. */
export function framed(message: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(0), uint32(message.length), message]);
}

/** SETTINGS with some entries. */
export function settingsFrame(
  entries: readonly (readonly [id: number, value: number])[],
): Uint8Array {
  const payload = new Uint8Array(6 * entries.length);
  const view = new DataView(payload.buffer);
  entries.forEach(([id, value], i) => {
    view.setUint16(6 * i, id);
    view.setUint32(6 * i + 2, value);
  });
  return frame(FrameType.SETTINGS, {}, payload);
}

/** Joins arrays. */
export function concat(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(
    chunks.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
