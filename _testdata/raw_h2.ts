/**
 * A peer made of raw HTTP/2 frames, as a client and as a server: it sends what
 * no HTTP/2 library would, and shows what came back frame by frame.
 *
 * Nothing is done behind one's back but acknowledging SETTINGS and PING while
 * frames are read.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113}
 * @module
 */

import { encodeFields, type Field, FieldDecoder } from "./hpack.ts";
import {
  Flag,
  frame,
  FrameType,
  MAX_PAYLOAD_BYTES,
  PREFACE,
  uint32,
  uint32At,
} from "./raw_frames.ts";

export type { Field } from "./hpack.ts";
export * from "./raw_frames.ts";

/** How long a frame is waited for: far longer than any takes. */
const PATIENCE_MS = 60_000;

/** A frame that came in. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Uint8Array;
  /** The fields of HEADERS, those of its CONTINUATION frames included. */
  readonly fields: readonly Field[];
}

/** What comes back on one stream. */
export interface Reply {
  /** The fields of the first HEADERS; of repeated ones the last counts. */
  readonly head: Readonly<Record<string, string>>;
  /** All DATA. */
  readonly data: Uint8Array;
  /** The fields of the last HEADERS: those of the head when there is but one. */
  readonly trailers: Readonly<Record<string, string>>;
  /** Whether END_STREAM came. */
  readonly ended: boolean;
  /** The error code of RST_STREAM, or of the GOAWAY that came instead. */
  readonly code: number | null;
}

/** The peer ended the connection while more was expected of it. */
export class ConnectionEnd extends Error {
  override name = "ConnectionEnd";
}

/** One connection, frame by frame. */
export class RawConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #decoder = new FieldDecoder();
  #received: Uint8Array = new Uint8Array();
  #isClosed = false;

  constructor(conn: Deno.TcpConn) {
    conn.setNoDelay();
    this.#conn = conn;
  }

  /** Connects as a client would, and says nothing yet. */
  static async connect(port: number): Promise<RawConnection> {
    return new RawConnection(
      await Deno.connect({ hostname: "127.0.0.1", port }),
    );
  }

  /** Connects as a client would, and sends the preface and SETTINGS. */
  static async open(
    port: number,
    settings: readonly (readonly [id: number, value: number])[] = [],
  ): Promise<RawConnection> {
    const connection = await RawConnection.connect(port);
    await connection.write(PREFACE);
    await connection.settings(...settings);
    return connection;
  }

  /** Takes a client's preface, as a server has to. */
  async acceptPreface(): Promise<void> {
    while (this.#received.length < PREFACE.length) {
      if (!await this.#receive()) throw new ConnectionEnd("No preface");
    }
    this.#received = this.#received.slice(PREFACE.length);
  }

  /** Ends the connection; what the peer still sends is answered with a reset. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#conn.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // Writing

  /** Ends this side of the connection: the peer may still send. */
  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  /** Sends bytes as they are. */
  async write(...chunks: Uint8Array[]): Promise<void> {
    const bytes = new Uint8Array(
      chunks.reduce((sum, chunk) => sum + chunk.length, 0),
    );
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    for (at = 0; at < bytes.length;) {
      at += await this.#conn.write(bytes.subarray(at));
    }
  }

  settings(
    ...entries: readonly (readonly [id: number, value: number])[]
  ): Promise<void> {
    const payload = new Uint8Array(6 * entries.length);
    const view = new DataView(payload.buffer);
    entries.forEach(([id, value], i) => {
      view.setUint16(6 * i, id);
      view.setUint32(6 * i + 2, value);
    });
    return this.write(frame(FrameType.SETTINGS, {}, payload));
  }

  /** Sends HEADERS, with CONTINUATION when they need more than one frame. */
  headers(
    streamId: number,
    fields: Iterable<Field>,
    options: { readonly end?: boolean } = {},
  ): Promise<void> {
    const block = encodeFields(fields);
    const frames: Uint8Array[] = [];
    for (let at = 0; at === 0 || at < block.length; at += MAX_PAYLOAD_BYTES) {
      const isFirst = at === 0;
      const isLast = at + MAX_PAYLOAD_BYTES >= block.length;
      const flags = (isLast ? Flag.END_HEADERS : 0) |
        (isFirst && options.end ? Flag.END_STREAM : 0);
      frames.push(frame(
        isFirst ? FrameType.HEADERS : FrameType.CONTINUATION,
        { flags, streamId },
        block.subarray(at, at + MAX_PAYLOAD_BYTES),
      ));
    }
    return this.write(...frames);
  }

  /** Sends DATA, in as many frames as it needs. */
  data(
    streamId: number,
    bytes: Uint8Array,
    options: { readonly end?: boolean; readonly padding?: number } = {},
  ): Promise<void> {
    const { end = false, padding } = options;
    const most = MAX_PAYLOAD_BYTES - (padding === undefined ? 0 : padding + 1);
    const frames: Uint8Array[] = [];
    for (let at = 0; at === 0 || at < bytes.length; at += most) {
      const part = bytes.subarray(at, at + most);
      const isLast = at + most >= bytes.length;
      const flags = (isLast && end ? Flag.END_STREAM : 0) |
        (padding === undefined ? 0 : Flag.PADDED);
      const payload = padding === undefined
        ? part
        : Uint8Array.of(padding, ...part, ...new Uint8Array(padding));
      frames.push(frame(FrameType.DATA, { flags, streamId }, payload));
    }
    return this.write(...frames);
  }

  rstStream(streamId: number, code: number): Promise<void> {
    return this.write(frame(FrameType.RST_STREAM, { streamId }, uint32(code)));
  }

  goaway(lastStreamId: number, code: number): Promise<void> {
    return this.write(
      frame(FrameType.GOAWAY, {}, uint32(lastStreamId, code)),
    );
  }

  windowUpdate(streamId: number, increment: number): Promise<void> {
    return this.write(
      frame(FrameType.WINDOW_UPDATE, { streamId }, uint32(increment)),
    );
  }

  // Reading

  /** The next frame, or null when the connection is over. */
  async next(): Promise<Frame | null> {
    const first = await this.#nextBare();
    if (first === null) return null;
    const { type, flags, streamId, payload } = first;
    const isAck = (flags & Flag.ACK) !== 0;
    if (type === FrameType.SETTINGS && !isAck) {
      await this.#reply(frame(FrameType.SETTINGS, { flags: Flag.ACK }));
    } else if (type === FrameType.PING && !isAck) {
      await this.#reply(frame(type, { flags: Flag.ACK }, payload));
    }
    if (type !== FrameType.HEADERS) return first;
    const padding = flags & Flag.PADDED ? payload[0]! : 0;
    const from = (flags & Flag.PADDED ? 1 : 0) +
      (flags & Flag.PRIORITY ? 5 : 0);
    let block = payload.slice(from, payload.length - padding);
    let isLast = (flags & Flag.END_HEADERS) !== 0;
    while (!isLast) {
      const more = await this.#nextBare();
      if (more === null) return null;
      block = Uint8Array.of(...block, ...more.payload);
      isLast = (more.flags & Flag.END_HEADERS) !== 0;
    }
    return { ...first, fields: this.#decoder.decode(block), streamId };
  }

  /** The next frame of a type, and of a stream if one is given. */
  async nextOf(type: number, streamId?: number): Promise<Frame> {
    for (;;) {
      const found = await this.next();
      if (found === null) throw new ConnectionEnd(`No frame of type ${type}`);
      if (found.type !== type) continue;
      if (streamId === undefined || found.streamId === streamId) return found;
    }
  }

  /** The code and the debug data of the GOAWAY that comes. */
  async nextGoaway(): Promise<{ code: number; text: string }> {
    const { payload } = await this.nextOf(FrameType.GOAWAY);
    return {
      code: uint32At(payload, 4),
      text: new TextDecoder().decode(payload.subarray(8)),
    };
  }

  /** A whole request: its stream, its fields and its DATA up to END_STREAM. */
  async request(): Promise<
    { streamId: number; fields: Readonly<Record<string, string>> }
  > {
    const head = await this.nextOf(FrameType.HEADERS);
    const { streamId } = head;
    let { flags } = head;
    while (!(flags & Flag.END_STREAM)) {
      ({ flags } = await this.nextOf(FrameType.DATA, streamId));
    }
    return { streamId, fields: Object.fromEntries(head.fields) };
  }

  /** All that comes back on a stream, to its end, however it ends. */
  async reply(streamId: number): Promise<Reply> {
    let head: Reply["head"] | undefined;
    let trailers: Reply["trailers"] = {};
    const data: number[] = [];
    let code: number | null = null;
    let ended = false;
    while (!ended && code === null) {
      const found = await this.next();
      if (found === null) break;
      if (found.type === FrameType.GOAWAY) code = uint32At(found.payload, 4);
      if (found.streamId !== streamId) continue;
      if (found.type === FrameType.HEADERS) {
        trailers = Object.fromEntries(found.fields);
        head ??= trailers;
      } else if (found.type === FrameType.DATA) {
        data.push(...found.payload);
      } else if (found.type === FrameType.RST_STREAM) {
        code = uint32At(found.payload, 0);
        continue;
      } else {
        continue;
      }
      ended = (found.flags & Flag.END_STREAM) !== 0;
    }
    return {
      head: head ?? {},
      data: Uint8Array.from(data),
      trailers,
      ended,
      code,
    };
  }

  /** Reads until the peer ends the connection. */
  async end(): Promise<void> {
    while (await this.next() !== null);
  }

  async #nextBare(): Promise<Frame | null> {
    while (this.#received.length < 9) {
      if (!await this.#receive()) return null;
    }
    const length = uint32At(this.#received, 0) >>> 8;
    while (this.#received.length < 9 + length) {
      if (!await this.#receive()) return null;
    }
    const bytes = this.#received.slice(0, 9 + length);
    this.#received = this.#received.slice(9 + length);
    return {
      type: bytes[3]!,
      flags: bytes[4]!,
      streamId: uint32At(bytes, 5) & 0x7fffffff,
      payload: bytes.subarray(9),
      fields: [],
    };
  }

  /** Reads some bytes, and says whether there were any more. */
  async #receive(): Promise<boolean> {
    const chunk = new Uint8Array(65_536);
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, PATIENCE_MS);
    const count = await this.#conn.read(chunk).catch(() => null);
    clearTimeout(timer);
    if (isLate) throw new Error(`Nothing came within ${PATIENCE_MS} ms`);
    if (count === null) return false;
    const joined = new Uint8Array(this.#received.length + count);
    joined.set(this.#received);
    joined.set(chunk.subarray(0, count), this.#received.length);
    this.#received = joined;
    return true;
  }

  /** Sends what the peer may have stopped to wait for. */
  async #reply(bytes: Uint8Array): Promise<void> {
    await this.write(bytes).catch(() => {});
  }
}

/** A server that does what it is told on each connection. */
export class RawServer implements AsyncDisposable {
  readonly port: number;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<RawConnection>();
  readonly #tasks: Promise<void>[] = [];
  readonly #accepting: Promise<void>;
  #error: unknown;

  /** @param serve What is done on each connection, counted from 0. */
  constructor(
    serve: (connection: RawConnection, index: number) => Promise<void>,
  ) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept(serve);
  }

  /** How many connections came in so far. */
  get accepted(): number {
    return this.#tasks.length;
  }

  /** Waits until all is done on a connection. */
  async ended(index: number): Promise<void> {
    await this.#tasks[index];
  }

  /** Closes all, and throws what was thrown while serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const connection of this.#connections) connection.close();
    await Promise.all(this.#tasks);
    if (this.#error !== undefined) throw this.#error;
  }

  async #accept(
    serve: (connection: RawConnection, index: number) => Promise<void>,
  ): Promise<void> {
    for await (const conn of this.#listener) {
      const connection = new RawConnection(conn);
      this.#connections.add(connection);
      this.#tasks.push(
        serve(connection, this.#tasks.length).catch((error) => {
          // The other side may leave at any time, and so may this one.
          const isExpected = error instanceof ConnectionEnd ||
            error instanceof Deno.errors.BadResource ||
            error instanceof Deno.errors.Interrupted ||
            error instanceof Deno.errors.ConnectionReset ||
            error instanceof Deno.errors.BrokenPipe;
          if (!isExpected) this.#error ??= error;
        }),
      );
    }
  }
}
