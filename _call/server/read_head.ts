/**
 * The head of a request, read once: what it asks for, or why it is refused.
 *
 * @module
 */

import type { Configuration } from "../../core/config.ts";
import { Status } from "../../core/status.ts";
import type { Compressor } from "../../_wire/compression.ts";
import {
  parseRequestHead,
  type RawHeaders,
  type RequestHead,
} from "../../_wire/headers.ts";
import { decodeTimeout } from "../../_wire/timeout.ts";
import type { Decoding } from "../decode.ts";
import { receivedTooLarge } from "../header_limit.ts";
import { codecFor, type ServerCodec } from "./codecs.ts";
import type { Route } from "./route.ts";

/** What is needed to read a head. */
export interface HeadHost {
  readonly codecs: readonly ServerCodec[];
  readonly config: Pick<
    Configuration,
    "maxReceiveMessageSize" | "maxHeaderListSize" | "maxDecompressionRatio"
  >;
  /** What may decompress requests, by the name of the encoding. */
  readonly compressors: ReadonlyMap<string, Compressor>;
  /** The names of all encodings that may be received. */
  readonly acceptEncoding: string;
  /** The methods by path. */
  readonly routes: ReadonlyMap<string, Route>;
}

/** What a good head says. */
export interface GoodHead {
  readonly refusal: null;
  readonly head: RequestHead;
  readonly route: Route;
  /** How long the client waits, in milliseconds; null for no limit. */
  readonly timeoutMs: number | null;
  /** What encodes and decodes the messages. */
  readonly codec: ServerCodec;
  /** How the requests are decoded. */
  readonly decoding: Decoding;
  /** How many bytes it has, if they are many. */
  readonly headBytes: number;
}

/** Whether a field is metadata of one kind, in which nothing can be wrong. */
function isText(name: string): boolean {
  return !name.startsWith(":") && !name.startsWith("grpc-") &&
    !name.endsWith("-bin") && !MEANINGFUL.has(name);
}

/** Names, beside those of the protocol, whose values are looked at. */
const MEANINGFUL: ReadonlySet<string> = new Set([
  ...["host", "content-type", "te", "user-agent"],
]);

/** Heads of fewer bytes are bounded well enough by the number of calls. */
const MIN_HEAD_BYTES = 4096;

/** Why a request is refused. */
export interface Refusal {
  /** `:status`. */
  readonly http: number;
  readonly status: Status;
  readonly message: string;
  /** The content type of the reply. */
  readonly contentType: string;
  /** The text for `grpc-accept-encoding`, where it explains the refusal. */
  readonly acceptEncoding: string | null;
}

/** A head, and what it says. */
interface ReadHead {
  raw: RawHeaders;
  head: GoodHead;
}

/** A head of which no call comes. */
export interface BadHead {
  readonly refusal: Refusal;
}

/**
 * Reads the heads of a server's requests.
 *
 * Clients send the same head again and again, and the native engine gives the
 * same list for it: what was made of the last one of a method is kept.
 */
export class HeadReader {
  readonly #host: HeadHost;
  readonly #last = new Map<Route, ReadHead>();

  /** @param host What the server has. */
  constructor(host: HeadHost) {
    this.#host = host;
  }

  /**
   * Reads a head, in the order of grpclib.
   *
   * @param raw The fields as they came.
   * @returns What it says, or why the request is refused.
   */
  read(raw: RawHeaders): GoodHead | BadHead {
    const route = this.#host.routes.get(pathOf(raw));
    if (route === undefined) return this.#read(raw);
    const last = this.#last.get(route);
    if (last !== undefined && saysTheSame(raw, last)) return last.head;
    const head = this.#read(raw);
    if (head.refusal === null) {
      if (last === undefined) this.#last.set(route, { raw, head });
      else {
        last.raw = raw;
        last.head = head;
      }
    }
    return head;
  }

  #read(raw: RawHeaders): GoodHead | BadHead {
    const { codecs, compressors, routes, config, acceptEncoding } = this.#host;
    const head = parseRequestHead(raw, config.maxHeaderListSize);
    if (head.tooLarge) {
      const { status, message } = receivedTooLarge(
        "request",
        config.maxHeaderListSize,
      );
      return this.#refuse(200, status, message);
    }
    if (head.method !== "POST") {
      return this.#refuse(
        405,
        Status.UNKNOWN,
        `Cannot serve ${head.method}: gRPC uses POST`,
      );
    }
    // https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
    // "If Content-Type does not begin with application/grpc, gRPC servers SHOULD
    // respond with HTTP status of 415."
    if (head.contentType === null) {
      return this.#refuse(415, Status.UNKNOWN, "Missing content-type header");
    }
    const codec = codecFor(codecs, head.contentType);
    if (codec === undefined) {
      return this.#refuse(
        415,
        Status.UNKNOWN,
        `Unacceptable content-type header: "${head.contentType}"`,
      );
    }
    const refuse = (
      status: Status,
      message: string,
      accept: string | null = null,
    ): BadHead => this.#refuse(200, status, message, codec.contentType, accept);
    // Its absence tells of a proxy in between that loses trailers.
    if (head.te !== "trailers") {
      return this.#refuse(
        400,
        Status.UNKNOWN,
        'Required "te: trailers" header is missing',
        codec.contentType,
      );
    }
    const route = routes.get(head.path);
    if (route === undefined) {
      return refuse(Status.UNIMPLEMENTED, `Method not found: ${head.path}`);
    }
    const timeoutMs = head.timeout === null
      ? null
      : decodeTimeout(head.timeout);
    if (head.timeout !== null && timeoutMs === null) {
      return refuse(
        Status.UNKNOWN,
        `Invalid grpc-timeout header: "${head.timeout}"`,
      );
    }
    if (head.badBin !== null) {
      return refuse(
        Status.INTERNAL,
        `Invalid metadata: the value of "${head.badBin}" is not base64`,
      );
    }
    // https://github.com/grpc/grpc/blob/master/doc/compression.md
    // "If a client message is compressed by an algorithm that is not supported
    // by a server, the message will result in an UNIMPLEMENTED error status on
    // the server. The server will then include a grpc-accept-encoding response
    // header which specifies the algorithms that the server accepts."
    let compressor: Compressor | null = null;
    const { encoding } = head;
    if (encoding !== null && encoding !== "identity") {
      compressor = compressors.get(encoding) ?? null;
      if (compressor === null) {
        return refuse(
          Status.UNIMPLEMENTED,
          `Unsupported grpc-encoding header: "${encoding}"`,
          acceptEncoding,
        );
      }
    }
    const decoding: Decoding = {
      what: "request",
      codec: codec.codec,
      type: route.handler.requestType,
      compressor: compressor ?? compressors.get("identity") ?? null,
      maxBytes: config.maxReceiveMessageSize,
      maxRatio: config.maxDecompressionRatio,
    };
    const headBytes = bytesOf(raw);
    return {
      refusal: null,
      head,
      route,
      timeoutMs,
      codec,
      decoding,
      headBytes: headBytes < MIN_HEAD_BYTES ? 0 : headBytes,
    };
  }

  #refuse(
    http: number,
    status: Status,
    message: string,
    contentType: string = this.#host.codecs[0]!.contentType,
    acceptEncoding: string | null = null,
  ): BadHead {
    return { refusal: { http, status, message, contentType, acceptEncoding } };
  }
}

/**
 * Tells whether a head is that of before, but for the values of metadata. Those
 * that differ from call to call, such as `traceparent`, are the rule.
 */
function saysTheSame(raw: RawHeaders, { raw: last, head }: ReadHead): boolean {
  if (raw === last) return true;
  if (raw.length !== last.length || head.headBytes > 0) return false;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    if (name !== last[i]) return false;
    if (raw[i + 1] !== last[i + 1] && !isText(name)) return false;
  }
  return bytesOf(raw) < MIN_HEAD_BYTES;
}

function bytesOf(raw: RawHeaders): number {
  let bytes = 0;
  for (let i = 0; i < raw.length; i++) bytes += raw[i]!.length;
  return bytes;
}

/** The path in a head; empty if there is none. */
export function pathOf(raw: RawHeaders): string {
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i] === ":path") return raw[i + 1]!;
  }
  return "";
}
