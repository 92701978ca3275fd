/**
 * GOAWAY: which streams are still processed when a side leaves.
 *
 * A server leaves in two steps. The first GOAWAY names the largest identifier,
 * so that requests on their way are not lost; after a round trip the second one
 * names the last stream that was processed. What comes on later streams is
 * ignored, but for what it changes in the connection.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.8}
 * @module
 */

import { connectionError, ErrorCode, type Violation } from "./errors.ts";
import {
  FRAME_HEADER_BYTES,
  FrameType,
  MAX_STREAM_ID,
  putFrameHeader,
  putUint32,
} from "./frames.ts";

/** The most of the debug data that is sent or kept, in bytes. */
const MAX_DEBUG_BYTES = 512;

/** What the PING says that follows the notice. */
export const NOTICE_PING: Uint8Array = new TextEncoder().encode("shutdown");

/** How far both sides have gone in leaving. */
export class Goaways {
  /** The last stream of the peer's that this endpoint processes. */
  sentLastId: number = MAX_STREAM_ID;
  /** The last stream of this endpoint's that the peer processes. */
  receivedLastId: number = MAX_STREAM_ID;
  /** Whether a GOAWAY was sent. */
  isSent = false;
  /** Whether one was received: no stream may be opened any more. */
  isReceived = false;

  /**
   * Makes a GOAWAY frame.
   *
   * @param lastId The last stream that is processed.
   * @param code Why.
   * @param debug What to say to people.
   * @returns The frame.
   */
  send(lastId: number, code: ErrorCode, debug: string): Uint8Array {
    this.isSent = true;
    // It must never grow.
    this.sentLastId = Math.min(this.sentLastId, lastId);
    const text = new TextEncoder().encode(debug).subarray(0, MAX_DEBUG_BYTES);
    const frame = new Uint8Array(FRAME_HEADER_BYTES + 8 + text.length);
    putFrameHeader(frame, 0, 8 + text.length, FrameType.GOAWAY, 0, 0);
    putUint32(frame, FRAME_HEADER_BYTES, this.sentLastId);
    putUint32(frame, FRAME_HEADER_BYTES + 4, code);
    frame.set(text, FRAME_HEADER_BYTES + 8);
    return frame;
  }

  /**
   * Takes the peer's GOAWAY.
   *
   * @param lastId The last stream that the peer processes.
   * @returns What is wrong with it, or null.
   */
  receive(lastId: number): Violation | null {
    if (lastId > this.receivedLastId) {
      const message = `GOAWAY with last stream ${lastId}, after one with ` +
        `${this.receivedLastId}`;
      return connectionError(ErrorCode.PROTOCOL_ERROR, message);
    }
    this.isReceived = true;
    this.receivedLastId = lastId;
    return null;
  }
}

/**
 * Reads the debug data of a GOAWAY.
 *
 * @param bytes The array it is in.
 * @param start Where it begins.
 * @param end Where it ends.
 * @returns The text, in which anything may stand.
 */
export function debugText(
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  const until = Math.min(end, start + MAX_DEBUG_BYTES);
  return new TextDecoder().decode(bytes.slice(start, until));
}
