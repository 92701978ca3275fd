/**
 * What the frames of a peer mean.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6}
 * @module
 */

import type { ConnectionState } from "./connection_state.ts";
import {
  connectionError,
  ErrorCode,
  errorName,
  streamError,
  type Violation,
} from "./errors.ts";
import { FieldBlock } from "./field_block.ts";
import { MAX_WINDOW_SIZE } from "./flow_control.ts";
import { type FrameSink, overPadded } from "./frame_reader.ts";
import {
  Flag,
  frameName,
  FrameType,
  readUint31,
  readUint32,
} from "./frames.ts";
import { debugText } from "./goaway.ts";
import { MessageReader } from "./message_reader.ts";
import type { Http2Stream } from "./stream.ts";
import { Event, outcomeOf, type State } from "./stream_state.ts";

const NOTHING = new Uint8Array(0);

/** Takes the frames of one connection. */
export class Receiver implements FrameSink {
  readonly #connection: ConnectionState;
  readonly #messages: MessageReader;
  readonly #block: FieldBlock;
  /** The stream of the DATA frame that is being read; null to drop it. */
  #dataStream: Http2Stream | null = null;
  #dataBytes = 0;
  #hasSettings = false;
  /** How many PINGs are not acknowledged yet, and which one is the notice. */
  #pings = 0;
  #noticePing = -1;

  constructor(connection: ConnectionState) {
    this.#connection = connection;
    this.#messages = new MessageReader(connection);
    this.#block = new FieldBlock(connection.limits);
  }

  get maxFrameSize(): number {
    // What was sent and is not acknowledged may be obeyed already.
    const { acknowledged, latest } = this.#connection.local;
    return Math.max(acknowledged.maxFrameSize, latest.maxFrameSize);
  }

  get isOver(): boolean {
    return this.#connection.isOver;
  }

  /** A PING was sent. */
  onPingSent(isNotice: boolean): void {
    if (isNotice) this.#noticePing = this.#pings;
    this.#pings++;
  }

  onFault(violation: Violation): void {
    this.#connection.fail(violation);
  }

  onFrameHeader(type: number, flags: number, streamId: number): void {
    // https://www.rfc-editor.org/rfc/rfc9113#section-3.4
    if (!this.#hasSettings) {
      if (type === FrameType.SETTINGS && (flags & Flag.ACK) === 0) {
        this.#hasSettings = true;
      } else this.#protocolError(`${frameName(type)} before SETTINGS`);
      return;
    }
    // https://www.rfc-editor.org/rfc/rfc9113#section-6.10
    const expected = this.#block.streamId;
    if (expected === 0 && type === FrameType.CONTINUATION) {
      return this.#protocolError("CONTINUATION that continues nothing");
    }
    if (
      expected !== 0 &&
      (type !== FrameType.CONTINUATION || streamId !== expected)
    ) this.#protocolError(`${frameName(type)} within a field block`);
  }

  onFrame(
    type: number,
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    switch (type) {
      case FrameType.HEADERS:
        return this.#onHeaders(flags, streamId, bytes, start, end);
      case FrameType.CONTINUATION:
        return this.#onContinuation(flags, streamId, bytes, start, end);
      case FrameType.PRIORITY:
        return this.#onPriority(streamId, end - start);
      case FrameType.RST_STREAM:
        return this.#onReset(streamId, readUint32(bytes, start));
      case FrameType.SETTINGS:
        return this.#onSettings(flags, bytes, start, end);
      case FrameType.PING:
        return this.#onPing(flags, bytes, start, end);
      case FrameType.GOAWAY:
        return this.#onGoaway(bytes, start, end);
      case FrameType.WINDOW_UPDATE:
        return this.#onWindowUpdate(streamId, readUint31(bytes, start));
      case FrameType.PUSH_PROMISE:
        // Clients refuse it in their SETTINGS, and servers may never get it.
        // https://www.rfc-editor.org/rfc/rfc9113#section-8.4
        return this.#protocolError("PUSH_PROMISE, which was refused");
    }
  }

  onUnknownFrame(): void {
    this.#connection.countIgnored();
  }

  // DATA: https://www.rfc-editor.org/rfc/rfc9113#section-6.1

  onDataStart(streamId: number, size: number, dataBytes: number): void {
    const connection = this.#connection;
    const { pool } = connection;
    this.#dataStream = null;
    this.#dataBytes = dataBytes;
    if (!pool.receive(size)) {
      return connection.fail(connectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        "DATA beyond the window of the connection",
      ));
    }
    const stream = connection.streams.get(streamId);
    if (stream === null) {
      return connection.obey(streamId, Event.RECEIVE_DATA, FrameType.DATA);
    }
    if (outcomeOf(stream.state, Event.RECEIVE_DATA) < 0) {
      return connection.resetFor(
        stream,
        streamError(ErrorCode.STREAM_CLOSED, "DATA after the end"),
      );
    }
    stream.receiveWindow -= size;
    // It may be negative already, and then still allows empty frames.
    if (size > 0 && stream.receiveWindow < 0) {
      const message = "DATA beyond the window of the stream";
      return connection.resetFor(
        stream,
        streamError(ErrorCode.FLOW_CONTROL_ERROR, message),
      );
    }
    const fault = this.#messages.checkData(stream, dataBytes);
    if (fault !== null) return connection.resetFor(stream, fault);
    this.#dataStream = stream;
    stream.heldBytes += size;
    pool.hold(size);
    // Nobody takes padding, nor what comes on a stream that was given up.
    const taken = stream.isGivenUp ? size : size - dataBytes;
    if (taken > 0) stream.consume(taken);
  }

  onData(bytes: Uint8Array, start: number, end: number): void {
    const stream = this.#dataStream;
    if (stream === null || stream.isClosed) return;
    stream.handler.onData(bytes, start, end);
  }

  onDataEnd(flags: number): void {
    const { budgets } = this.#connection;
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    if (this.#dataBytes > 0) budgets.onDataReceived();
    else if (!isEnd && !budgets.emptyFrames.take(1, this.#connection.now)) {
      return this.#connection.calm("DATA frames with nothing in them");
    }
    const stream = this.#dataStream;
    this.#dataStream = null;
    if (!isEnd || stream === null || stream.isClosed) return;
    this.#messages.end(stream);
  }

  // HEADERS: https://www.rfc-editor.org/rfc/rfc9113#section-6.2

  #onHeaders(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    if ((flags & Flag.PADDED) !== 0) {
      end -= bytes[start]!;
      start++;
    }
    // What it says about priority is ignored.
    if ((flags & Flag.PRIORITY) !== 0) start += 5;
    if (start > end) return this.onFault(overPadded(FrameType.HEADERS));
    const isEnd = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) {
      return this.#messages.onBlock(streamId, isEnd, bytes, start, end);
    }
    const fault = this.#block.begin(
      streamId,
      isEnd,
      bytes.subarray(start, end),
    );
    if (fault !== null) this.onFault(fault);
  }

  #onContinuation(
    flags: number,
    streamId: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const block = this.#block;
    const fault = block.add(bytes.subarray(start, end));
    if (fault !== null) return this.onFault(fault);
    if ((flags & Flag.END_HEADERS) === 0) return;
    const { isEnd } = block;
    const whole = block.take();
    this.#messages.onBlock(streamId, isEnd, whole, 0, whole.length);
  }

  // PRIORITY: https://www.rfc-editor.org/rfc/rfc9113#section-6.3

  #onPriority(streamId: number, size: number): void {
    this.#connection.countIgnored();
    if (size === 5) return;
    const connection = this.#connection;
    const message = `PRIORITY of ${size} bytes`;
    const stream = connection.streams.get(streamId);
    if (stream === null) {
      connection.fail(connectionError(ErrorCode.FRAME_SIZE_ERROR, message));
    } else {
      connection.resetFor(
        stream,
        streamError(ErrorCode.FRAME_SIZE_ERROR, message),
      );
    }
  }

  // RST_STREAM: https://www.rfc-editor.org/rfc/rfc9113#section-6.4

  #onReset(streamId: number, code: number): void {
    const connection = this.#connection;
    const stream = connection.streams.get(streamId);
    if (stream === null) {
      return connection.obey(
        streamId,
        Event.RECEIVE_RST_STREAM,
        FrameType.RST_STREAM,
      );
    }
    const { isServer } = connection;
    const wasAnswered = stream.isEnding;
    const next = outcomeOf(stream.state, Event.RECEIVE_RST_STREAM) as State;
    stream.end(next, {
      cause: "reset",
      code,
      message: `Peer reset the stream: ${errorName(code)}`,
      unprocessed: !isServer && code === ErrorCode.REFUSED_STREAM,
    });
    if (isServer && !wasAnswered) connection.countReset();
  }

  // SETTINGS: https://www.rfc-editor.org/rfc/rfc9113#section-6.5

  #onSettings(
    flags: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const connection = this.#connection;
    const { peer, encoder, budgets, isServer } = connection;
    if ((flags & Flag.ACK) !== 0) return this.#onSettingsAck();
    const cost = 1 + Math.floor((end - start) / 600);
    if (!budgets.settings.take(cost, connection.now)) {
      return connection.calm("SETTINGS");
    }
    const before = peer.current.initialWindowSize;
    const fault = peer.apply(bytes, start, end, {
      isServer: !isServer,
      encoder,
    });
    if (fault !== null) return connection.fail(fault);
    connection.output.control(FrameType.SETTINGS, Flag.ACK, NOTHING);
    connection.noteReply();
    const change = peer.current.initialWindowSize - before;
    if (change !== 0 && !this.#changeWindows(change)) return;
    if (!connection.isOver) connection.handler.onSettings();
  }

  /** https://www.rfc-editor.org/rfc/rfc9113#section-6.9.2 */
  #changeWindows(change: number): boolean {
    const connection = this.#connection;
    const streams = connection.streams.toArray();
    for (const stream of streams) stream.sendWindow += change;
    if (streams.some((stream) => stream.sendWindow > MAX_WINDOW_SIZE)) {
      connection.fail(connectionError(
        ErrorCode.FLOW_CONTROL_ERROR,
        "SETTINGS that make a window larger than windows can be",
      ));
      return false;
    }
    if (change > 0) { for (const stream of streams) stream.wake(); }
    return true;
  }

  #onSettingsAck(): void {
    const connection = this.#connection;
    const { local, decoder } = connection;
    const before = local.acknowledged;
    if (!local.acknowledge()) {
      return this.#protocolError("SETTINGS with ACK that acknowledges nothing");
    }
    const { initialWindowSize, headerTableSize } = local.acknowledged;
    if (headerTableSize !== before.headerTableSize) {
      decoder.setTableSize(headerTableSize);
    }
    const change = initialWindowSize - before.initialWindowSize;
    if (change === 0) return;
    for (const stream of connection.streams.toArray()) {
      stream.receiveWindow += change;
    }
  }

  // PING: https://www.rfc-editor.org/rfc/rfc9113#section-6.7

  #onPing(flags: number, bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection;
    if ((flags & Flag.ACK) !== 0) {
      // Nobody asked: harmless.
      if (this.#pings === 0) return this.#connection.countIgnored();
      this.#pings--;
      if (this.#noticePing-- === 0) connection.handler.onNoticeAck();
      else connection.handler.onPingAck();
      return;
    }
    if (!connection.budgets.pings.take(1, connection.now)) {
      return connection.calm("PINGs");
    }
    connection.output.control(
      FrameType.PING,
      Flag.ACK,
      bytes.subarray(start, end),
    );
    connection.noteReply();
    if (!connection.isOver) connection.handler.onPing();
  }

  // GOAWAY: https://www.rfc-editor.org/rfc/rfc9113#section-6.8

  #onGoaway(bytes: Uint8Array, start: number, end: number): void {
    const connection = this.#connection;
    const lastId = readUint31(bytes, start);
    const code = readUint32(bytes, start + 4);
    const fault = connection.goaways.receive(lastId);
    if (fault !== null) return connection.fail(fault);
    const debug = debugText(bytes, start + 8, end);
    connection.handler.onGoaway(lastId, code, debug);
    if (!connection.isServer && !connection.isOver) {
      connection.endUnprocessed(lastId, code);
    }
  }

  // WINDOW_UPDATE: https://www.rfc-editor.org/rfc/rfc9113#section-6.9

  #onWindowUpdate(streamId: number, increment: number): void {
    const connection = this.#connection;
    const { budgets, scheduler, now } = connection;
    if (!budgets.windowUpdates.take(1, now)) {
      return connection.calm("WINDOW_UPDATE frames");
    }
    if (streamId === 0) {
      scheduler.window += increment;
      const code = windowFault(increment, scheduler.window);
      if (code === null) return scheduler.unblock();
      const message = `WINDOW_UPDATE of ${increment} for the connection`;
      return connection.fail(connectionError(code, message));
    }
    const stream = connection.streams.get(streamId);
    if (stream === null) {
      return connection.obey(
        streamId,
        Event.RECEIVE_WINDOW_UPDATE,
        FrameType.WINDOW_UPDATE,
      );
    }
    stream.sendWindow += increment;
    const code = windowFault(increment, stream.sendWindow);
    if (code === null) return stream.wake();
    const message = `WINDOW_UPDATE of ${increment}`;
    connection.resetFor(stream, streamError(code, message));
  }

  #protocolError(message: string): void {
    this.onFault(connectionError(ErrorCode.PROTOCOL_ERROR, message));
  }
}

/**
 * Says what is wrong with an increment, or null.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.9.1}
 */
function windowFault(increment: number, window: number): ErrorCode | null {
  if (increment === 0) return ErrorCode.PROTOCOL_ERROR;
  return window > MAX_WINDOW_SIZE ? ErrorCode.FLOW_CONTROL_ERROR : null;
}
