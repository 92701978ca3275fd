/**
 * Messages: field blocks and DATA that make a request or a response.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-8.1}
 * @module
 */

import type { ConnectionState } from "./connection_state.ts";
import {
  connectionError,
  ErrorCode,
  streamError,
  type Violation,
} from "./errors.ts";
import { type CheckedFields, FieldChecker } from "./fields.ts";
import { FrameType } from "./frames.ts";
import { COMPLETE } from "./stream_handler.ts";
import { type HeaderList, HpackError } from "./hpack/mod.ts";
import { Http2Stream } from "./stream.ts";
import { Event, outcomeOf, State } from "./stream_state.ts";

const NO_FIELDS: HeaderList = [];

/** Reads the messages of one connection. */
export class MessageReader {
  readonly #connection: ConnectionState;
  readonly #heads: FieldChecker;
  readonly #trailers: FieldChecker = new FieldChecker("trailer");

  constructor(connection: ConnectionState) {
    this.#connection = connection;
    const section = connection.isServer ? "request" : "response";
    this.#heads = new FieldChecker(section);
  }

  /** A whole field block was received. */
  onBlock(
    streamId: number,
    isEnd: boolean,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const connection = this.#connection;
    let fields: HeaderList;
    try {
      fields = connection.decoder.decode(bytes, start, end);
    } catch (error) {
      if (!(error instanceof HpackError)) throw error;
      return connection.fail(
        connectionError(ErrorCode.COMPRESSION_ERROR, error.message),
      );
    }
    connection.budgets.onHeadersReceived();
    const stream = connection.streams.get(streamId);
    if (stream !== null) this.#onFields(stream, fields, isEnd);
    else if (
      connection.isServer && (streamId & 1) === 1 &&
      streamId > connection.latestPeerId
    ) this.#open(streamId, fields, isEnd);
    else connection.obey(streamId, Event.RECEIVE_HEADERS, FrameType.HEADERS);
  }

  /** Says what is wrong with DATA here, or null. */
  checkData(stream: Http2Stream, bytes: number): Violation | null {
    if (!stream.hasHead) return malformed("DATA before HEADERS");
    if (stream.contentLeft < 0) return null;
    stream.contentLeft -= bytes;
    return stream.contentLeft < 0
      ? malformed('DATA beyond "content-length"')
      : null;
  }

  /** The peer's half has ended with DATA. */
  end(stream: Http2Stream): void {
    this.#end(stream, NO_FIELDS);
  }

  #onFields(stream: Http2Stream, fields: HeaderList, isEnd: boolean): void {
    const connection = this.#connection;
    const fault = this.#faultOf(stream, isEnd);
    if (fault !== null) return connection.resetFor(stream, fault);
    const checker = stream.hasHead ? this.#trailers : this.#heads;
    const checked = checker.check(fields);
    if (checked.fault !== null) {
      return connection.resetFor(stream, malformed(checked.fault));
    }
    if (stream.hasHead) this.#end(stream, fields);
    else this.#onResponse(stream, fields, { isEnd, checked });
  }

  /** Says why a field block cannot come here, or null. */
  #faultOf(stream: Http2Stream, isEnd: boolean): Violation | null {
    if (outcomeOf(stream.state, Event.RECEIVE_HEADERS) < 0) {
      return streamError(ErrorCode.STREAM_CLOSED, "HEADERS after the end");
    }
    if (this.#connection.decoder.tooLarge) return TOO_LARGE;
    if (stream.hasHead && !isEnd) {
      return malformed("trailers that do not end the stream");
    }
    return null;
  }

  #onResponse(
    stream: Http2Stream,
    fields: HeaderList,
    { isEnd, checked }: { isEnd: boolean; checked: CheckedFields },
  ): void {
    const connection = this.#connection;
    const { status, contentLength } = checked;
    if (status < 200) {
      // "101" does not exist in HTTP/2.
      // https://www.rfc-editor.org/rfc/rfc9113#section-8.6
      if (isEnd || status === 101) {
        const fault = malformed(
          `an interim response, ${status}, that cannot be`,
        );
        return connection.resetFor(stream, fault);
      }
      return stream.handler.onInterim(fields);
    }
    const isEmpty = status === 204 || status === 304 || stream.isHeadRequest;
    stream.hasHead = true;
    stream.contentLeft = isEmpty ? 0 : contentLength;
    if (!isEnd) return stream.handler.onHeaders(fields, false);
    const fault = this.#lengthFault(stream);
    if (fault !== null) return connection.resetFor(stream, fault);
    const isClosed = stream.endReceived();
    stream.handler.onHeaders(fields, true);
    if (isClosed) stream.tellClose(COMPLETE);
  }

  #open(streamId: number, fields: HeaderList, isEnd: boolean): void {
    const connection = this.#connection;
    const { goaways, streams, local, decoder } = connection;
    connection.latestPeerId = streamId;
    if (streamId > goaways.sentLastId) {
      // https://www.rfc-editor.org/rfc/rfc9113#section-6.8
      connection.closedStreams.add(streamId, State.RESET_SENT);
      return;
    }
    if (streams.size >= local.latest.maxConcurrentStreams) {
      // https://www.rfc-editor.org/rfc/rfc9113#section-5.1.2
      const { REFUSED_STREAM } = ErrorCode;
      connection.refuse(streamId, REFUSED_STREAM, "More streams than allowed");
      // A client that does not know the limit yet is not to blame.
      if (streams.size >= local.acknowledged.maxConcurrentStreams) {
        connection.countReset();
      }
      return;
    }
    const checked = this.#heads.check(fields);
    const fault = decoder.tooLarge
      ? TOO_LARGE
      : checked.fault !== null
      ? malformed(checked.fault)
      : isEnd && checked.contentLength > 0
      ? malformed('less DATA than "content-length"')
      : null;
    if (fault !== null) {
      connection.refuse(streamId, fault.code, fault.message);
      return connection.countReset();
    }
    const stream = new Http2Stream(connection);
    stream.accept(streamId, isEnd);
    stream.contentLeft = checked.contentLength;
    connection.handler.onStream(stream, fields, isEnd);
  }

  #end(stream: Http2Stream, trailers: HeaderList): void {
    const fault = this.#lengthFault(stream);
    if (fault !== null) return this.#connection.resetFor(stream, fault);
    const isClosed = stream.endReceived();
    stream.handler.onEnd(trailers);
    if (isClosed) stream.tellClose(COMPLETE);
  }

  /** https://www.rfc-editor.org/rfc/rfc9113#section-8.1.1 */
  #lengthFault(stream: Http2Stream): Violation | null {
    return stream.contentLeft > 0
      ? malformed('less DATA than "content-length"')
      : null;
  }
}

const TOO_LARGE = streamError(
  ErrorCode.ENHANCE_YOUR_CALM,
  "List of fields larger than allowed",
);

function malformed(fault: string): Violation {
  return streamError(ErrorCode.PROTOCOL_ERROR, `Malformed message: ${fault}`);
}
