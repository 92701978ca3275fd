/**
 * SETTINGS: what each side asks of the other.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.5}
 * @module
 */

import { connectionError, ErrorCode, type Violation } from "./errors.ts";
import { DEFAULT_WINDOW_SIZE, MAX_WINDOW_SIZE } from "./flow_control.ts";
import {
  MAX_MAX_FRAME_SIZE,
  MIN_MAX_FRAME_SIZE,
  putUint32,
  readUint32,
} from "./frames.ts";

/**
 * The identifiers of settings.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.5.2}
 */
export const SettingId = {
  HEADER_TABLE_SIZE: 0x1,
  ENABLE_PUSH: 0x2,
  MAX_CONCURRENT_STREAMS: 0x3,
  INITIAL_WINDOW_SIZE: 0x4,
  MAX_FRAME_SIZE: 0x5,
  MAX_HEADER_LIST_SIZE: 0x6,
} as const;

/** What one side asks of the other. */
export interface Settings {
  /** The largest table for field compression, in bytes. */
  readonly headerTableSize: number;
  /** How many streams the other side may have open. */
  readonly maxConcurrentStreams: number;
  /** The window of a new stream, in bytes. */
  readonly initialWindowSize: number;
  /** The largest payload of a frame, in bytes. */
  readonly maxFrameSize: number;
  /** The largest list of fields, in bytes, with 32 for each field. */
  readonly maxHeaderListSize: number;
}

/** What holds until a side says otherwise. */
export const INITIAL_SETTINGS: Settings = {
  headerTableSize: 4096,
  maxConcurrentStreams: Infinity,
  initialWindowSize: DEFAULT_WINDOW_SIZE,
  maxFrameSize: MIN_MAX_FRAME_SIZE,
  maxHeaderListSize: Infinity,
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Takes note of each size of the table for field compression. */
export interface TableSizeSetter {
  setPeerTableSize(bytes: number): void;
}

/** The settings of the peer, as far as they were received. */
export class PeerSettings {
  /** What holds now. */
  readonly current: Settings = { ...INITIAL_SETTINGS };

  /**
   * Applies the payload of a SETTINGS frame, one setting after the other.
   *
   * @param bytes The array it is in.
   * @param start Where it begins.
   * @param end Where it ends.
   * @param options Whether the peer is a server, and who encodes fields for it.
   * @returns What is wrong with it, or null.
   */
  apply(
    bytes: Uint8Array,
    start: number,
    end: number,
    options: { isServer: boolean; encoder: TableSizeSetter },
  ): Violation | null {
    const settings = this.current as Mutable<Settings>;
    for (let at = start; at < end; at += 6) {
      const id = bytes[at]! << 8 | bytes[at + 1]!;
      const value = readUint32(bytes, at + 2);
      switch (id) {
        case SettingId.HEADER_TABLE_SIZE:
          settings.headerTableSize = value;
          options.encoder.setPeerTableSize(value);
          break;
        case SettingId.ENABLE_PUSH:
          // A server must not set it to 1; this client would not mind.
          if (value > (options.isServer ? 0 : 1)) {
            return badValue("ENABLE_PUSH", value);
          }
          break;
        case SettingId.MAX_CONCURRENT_STREAMS:
          settings.maxConcurrentStreams = value;
          break;
        case SettingId.INITIAL_WINDOW_SIZE:
          if (value > MAX_WINDOW_SIZE) {
            const message = `SETTINGS with INITIAL_WINDOW_SIZE ${value}`;
            return connectionError(ErrorCode.FLOW_CONTROL_ERROR, message);
          }
          settings.initialWindowSize = value;
          break;
        case SettingId.MAX_FRAME_SIZE:
          if (value < MIN_MAX_FRAME_SIZE || value > MAX_MAX_FRAME_SIZE) {
            return badValue("MAX_FRAME_SIZE", value);
          }
          settings.maxFrameSize = value;
          break;
        case SettingId.MAX_HEADER_LIST_SIZE:
          settings.maxHeaderListSize = value;
          break;
      }
    }
    return null;
  }
}

function badValue(name: string, value: number): Violation {
  const message = `SETTINGS with ${name} ${value}`;
  return connectionError(ErrorCode.PROTOCOL_ERROR, message);
}

/**
 * The settings of this endpoint. What was sent counts once the peer has
 * acknowledged it.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc9113#section-6.5.3}
 */
export class LocalSettings {
  /** What the peer has acknowledged. */
  acknowledged: Settings = INITIAL_SETTINGS;
  /** What was sent last. */
  latest: Settings = INITIAL_SETTINGS;
  /** What was sent and not acknowledged, in order. */
  readonly #sent: Settings[] = [];

  /**
   * Writes the payload of a SETTINGS frame with all that changes.
   *
   * @param changes The settings to send.
   * @param first Whether they are the first of a client, which refuses pushes.
   * @returns The payload.
   */
  send(changes: Partial<Settings>, first: boolean): Uint8Array {
    const next = { ...this.latest, ...changes };
    const pairs: [id: number, value: number][] = [];
    if (first) pairs.push([SettingId.ENABLE_PUSH, 0]);
    for (const [id, name] of FIELDS) {
      if (next[name] !== this.latest[name]) pairs.push([id, next[name]]);
    }
    this.latest = next;
    this.#sent.push(next);
    const payload = new Uint8Array(pairs.length * 6);
    pairs.forEach(([id, value], index) => {
      payload[index * 6 + 1] = id;
      putUint32(payload, index * 6 + 2, Math.min(value, 0xffff_ffff));
    });
    return payload;
  }

  /**
   * Takes an acknowledgement, which is for the oldest that has none.
   *
   * @returns Whether there was one to acknowledge.
   */
  acknowledge(): boolean {
    const settings = this.#sent.shift();
    if (settings === undefined) return false;
    this.acknowledged = settings;
    return true;
  }
}

const FIELDS: readonly [id: number, name: keyof Settings][] = [
  [SettingId.HEADER_TABLE_SIZE, "headerTableSize"],
  [SettingId.MAX_CONCURRENT_STREAMS, "maxConcurrentStreams"],
  [SettingId.INITIAL_WINDOW_SIZE, "initialWindowSize"],
  [SettingId.MAX_FRAME_SIZE, "maxFrameSize"],
  [SettingId.MAX_HEADER_LIST_SIZE, "maxHeaderListSize"],
];
