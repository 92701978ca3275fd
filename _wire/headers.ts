/**
 * The heads of requests and responses, to and from the fields of HTTP/2.
 *
 * @module
 */

import type { Metadata } from "../core/metadata.ts";
import { HeaderBlock, type HeaderList } from "./header_block.ts";
import {
  fitsWhenSplit,
  metadataFields,
  type RawHeaders,
  splitList,
} from "./metadata.ts";
import { isBin } from "./text.ts";
import { decodeTimeout } from "./timeout.ts";

export {
  HeaderBlock,
  type HeaderList,
  headerListSize,
} from "./header_block.ts";
export {
  decodeMetadata,
  fitsWhenSplit,
  metadataFields,
  type RawHeaders,
} from "./metadata.ts";

/** What the head of a request says about the call. Metadata is left for {@linkcode decodeMetadata}. */
export interface RequestHead {
  /** `:method`; empty when absent. */
  readonly method: string;
  /** `:path`; empty when absent. */
  readonly path: string;
  /** `:scheme`; empty when absent. */
  readonly scheme: string;
  /** `:authority`, or else `host`; empty when absent. */
  readonly authority: string;
  /** `content-type`. */
  readonly contentType: string | null;
  /** `te`. */
  readonly te: string | null;
  /** `grpc-timeout`; of several a malformed one, or else the shortest. */
  readonly timeout: string | null;
  /** `grpc-encoding`. */
  readonly encoding: string | null;
  /** `grpc-accept-encoding`; several are joined. */
  readonly acceptEncoding: string | null;
  /** `user-agent`. */
  readonly userAgent: string | null;
  /** `grpc-previous-rpc-attempts`. */
  readonly previousAttempts: string | null;
  /** The name of the first field that should be base64 and is not. */
  readonly badBin: string | null;
  /** Whether its lists of values make more of it than it may be. */
  readonly tooLarge: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads the head of a request in one scan.
 *
 * Request-Headers → Call-Definition *Custom-Metadata
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @param raw The received fields.
 * @param maxBytes What they may count, each value of a list by itself.
 * @returns What they say. Of a field that must not be repeated the first counts.
 */
export function parseRequestHead(
  raw: RawHeaders,
  maxBytes = Infinity,
): RequestHead {
  const head: Mutable<RequestHead> = {
    method: "",
    path: "",
    scheme: "",
    authority: "",
    contentType: null,
    te: null,
    timeout: null,
    encoding: null,
    acceptEncoding: null,
    userAgent: null,
    previousAttempts: null,
    badBin: null,
    tooLarge: false,
  };
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!;
    const value = raw[i + 1]!;
    switch (name) {
      case ":method":
        head.method = value;
        break;
      case ":path":
        head.path = value;
        break;
      case ":scheme":
        head.scheme = value;
        break;
      case ":authority":
        head.authority = value;
        break;
      case "host":
        // https://www.rfc-editor.org/rfc/rfc9113#section-8.3.1
        if (head.authority === "") head.authority = value;
        break;
      case "content-type":
        head.contentType ??= value;
        break;
      case "te":
        head.te ??= value;
        break;
      case "grpc-timeout":
        head.timeout = head.timeout === null
          ? value
          : stricterTimeout(head.timeout, value);
        break;
      case "grpc-encoding":
        head.encoding ??= value;
        break;
      case "grpc-accept-encoding":
        head.acceptEncoding = head.acceptEncoding === null
          ? value
          : `${head.acceptEncoding},${value}`;
        break;
      case "user-agent":
        head.userAgent ??= value;
        break;
      case "grpc-previous-rpc-attempts":
        head.previousAttempts ??= value;
        break;
      default:
        if (!name.endsWith("-bin") || name.startsWith("grpc-")) break;
        if (value.includes(",") && !fitsWhenSplit(raw, maxBytes)) {
          head.tooLarge = true;
          return head;
        }
        if (head.badBin === null && !splitList(value).every(isBin)) {
          head.badBin = name;
        }
    }
  }
  return head;
}

/** Picks the malformed one of two timeouts, so that it is seen, or else the shorter. */
function stricterTimeout(a: string, b: string): string {
  const x = decodeTimeout(a);
  if (x === null) return a;
  const y = decodeTimeout(b);
  return y === null || y < x ? b : a;
}

/** What the head of a response says about the call. */
export interface ReplyHead {
  /** `:status`, the status of HTTP; NaN when absent or malformed. */
  readonly status: number;
  /** `content-type`. */
  readonly contentType: string | null;
  /** `grpc-encoding`. */
  readonly encoding: string | null;
  /** Whether there is a `grpc-status`, as in trailers without a head before. */
  readonly hasGrpcStatus: boolean;
}

/**
 * Reads the head of a response, or trailers that come without one, in one scan.
 *
 * Response-Headers → HTTP-Status [Message-Encoding] … Content-Type *Custom-Metadata
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param raw The received fields.
 * @returns What they say. Of a field that must not be repeated the first counts.
 */
export function parseReplyHead(raw: RawHeaders): ReplyHead {
  const head: Mutable<ReplyHead> = {
    status: NaN,
    contentType: null,
    encoding: null,
    hasGrpcStatus: false,
  };
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const value = raw[i + 1]!;
    switch (raw[i]) {
      case ":status":
        head.status = /^[1-9][0-9]{2}$/.test(value) ? Number(value) : NaN;
        break;
      case "content-type":
        head.contentType ??= value;
        break;
      case "grpc-encoding":
        head.encoding ??= value;
        break;
      case "grpc-status":
        head.hasGrpcStatus = true;
        break;
    }
  }
  return head;
}

/** What the heads of all calls of a method have in common. */
export interface HeadFields {
  /** `:scheme`, such as `"http"`. */
  readonly scheme: string;
  /** `:authority`, such as `"127.0.0.1:50051"`. */
  readonly authority: string;
  /** `:path`, such as `"/helloworld.Greeter/SayHello"`. */
  readonly path: string;
  /** `content-type`, such as `"application/grpc"`. */
  readonly contentType: string;
  /** `user-agent`. */
  readonly userAgent: string;
  /** `grpc-encoding`, unless a call has its own; null for none. */
  readonly encoding: string | null;
  /** `grpc-accept-encoding`; null for none. */
  readonly acceptEncoding: string | null;
}

/**
 * The head of all calls of a method. Its parts are made when they are first
 * needed: most methods of most stubs are never called.
 */
export class HeadTemplate {
  /** What the heads have in common. */
  readonly fields: HeadFields;
  #head: HeaderBlock | undefined;
  #reserved: HeaderList | undefined;
  #definition: HeaderList | undefined;

  /** The timeout of the last call, and how many had it in a row. */
  #timeout = "";
  #timeoutCount = 0;
  #timeoutHead: HeaderBlock | null = null;

  /**
   * Creates a template.
   *
   * @param fields What the heads have in common.
   */
  constructor(fields: HeadFields) {
    this.fields = fields;
  }

  /** The head of a call without deadline and metadata. */
  get head(): HeaderBlock {
    return this.#head ??= new HeaderBlock([
      ...reservedFields(this.fields),
      ...definitionFields(this.fields, this.fields.encoding),
    ]);
  }

  /** The part of it that stands before the deadline. */
  get reserved(): HeaderList {
    return this.#reserved ??= reservedFields(this.fields);
  }

  /** The part of it that stands behind. */
  get definition(): HeaderList {
    return this.#definition ??= definitionFields(
      this.fields,
      this.fields.encoding,
    );
  }

  /**
   * Gives the head of calls with a timeout that was the same for some calls in
   * a row: a list that they share, as long as it goes on. Calls with deadlines
   * from elsewhere have timeouts that differ.
   *
   * @param timeout The text for `grpc-timeout`.
   * @returns The head; null if it is not worth one.
   */
  headWith(timeout: string): HeaderBlock | null {
    if (timeout !== this.#timeout) {
      this.#timeout = timeout;
      this.#timeoutCount = 0;
      this.#timeoutHead = null;
    } else if (this.#timeoutHead === null) {
      if (++this.#timeoutCount < WORTH_SHARING) return null;
      this.#timeoutHead = new HeaderBlock([
        ...this.reserved,
        ...["grpc-timeout", timeout],
        ...this.definition,
      ]);
    }
    return this.#timeoutHead;
  }
}

/** How many calls in a row have to have the same timeout to share a head. */
const WORTH_SHARING = 8;

/**
 * Writes the head of a request.
 *
 * "HTTP2 requires that reserved headers, ones starting with ':' appear before
 * all other headers. Additionally implementations should send Timeout
 * immediately after the reserved headers and they should send the
 * Call-Definition headers before sending Custom-Metadata."
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @param template The template of the method.
 * @param timeout The text for `grpc-timeout`, if there is a deadline.
 * @param metadata The metadata, if there is some.
 * @param encoding The text for `grpc-encoding`, if it is not the template's.
 * @returns The fields; one of the template's own heads if that is all.
 */
export function requestHead(
  template: HeadTemplate,
  timeout: string | null,
  metadata: Metadata | null,
  encoding: string | null = template.fields.encoding,
): HeaderBlock {
  const { fields } = template;
  const own = metadata === null ? [] : metadataFields(metadata);
  const isUsual = encoding === fields.encoding;
  const whole = !isUsual
    ? null
    : timeout === null
    ? template.head
    : template.headWith(timeout);
  if (whole !== null) {
    return metadata === null ? whole : new HeaderBlock(whole.shared, own);
  }
  const definition = isUsual
    ? template.definition
    : definitionFields(fields, encoding);
  return new HeaderBlock(
    template.reserved,
    timeout === null ? [] : ["grpc-timeout", timeout],
    new HeaderBlock(definition, own),
  );
}

/**
 * Adds to the head of a request how many attempts there were before it.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A6-client-retries.md#exposed-retry-metadata}
 *
 * @param head The head.
 * @param previousAttempts How many.
 * @returns The head with it, behind all else; the same head if there were none.
 */
export function repeatedHead(
  head: HeaderBlock,
  previousAttempts: number,
): HeaderBlock {
  if (previousAttempts === 0) return head;
  const { shared, own, next } = head;
  const last = next === null
    ? new HeaderBlock([], ["grpc-previous-rpc-attempts", `${previousAttempts}`])
    : repeatedHead(next, previousAttempts);
  return new HeaderBlock(shared, own, last);
}

function reservedFields(fields: HeadFields): HeaderList {
  return [
    ...[":method", "POST"],
    ...[":scheme", fields.scheme],
    ...[":path", fields.path],
    ...[":authority", fields.authority],
  ];
}

function definitionFields(
  fields: HeadFields,
  encoding: string | null,
): HeaderList {
  const list = ["te", "trailers", "content-type", fields.contentType];
  if (encoding !== null) list.push("grpc-encoding", encoding);
  if (fields.acceptEncoding !== null) {
    list.push("grpc-accept-encoding", fields.acceptEncoding);
  }
  list.push("user-agent", fields.userAgent);
  return list;
}

/**
 * Writes the head of a response.
 *
 * HTTP-Status → ":status 200"
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#responses
 *
 * @param contentType The content type, such as `"application/grpc+proto"`.
 * @param metadata The metadata, if there is some.
 * @param encoding The text for `grpc-encoding`, if there is one.
 * @returns The fields.
 */
export function replyHead(
  contentType: string,
  metadata: Metadata | null,
  encoding: string | null = null,
): HeaderBlock {
  const head = commonHead(contentType, encoding);
  if (metadata === null) return head;
  return new HeaderBlock(head.shared, metadataFields(metadata));
}

/**
 * The heads of responses without metadata, by encoding and content type. Both
 * are a server's own words, so there are few.
 */
const heads = new Map<string | null, Map<string, HeaderBlock>>();

function commonHead(contentType: string, encoding: string | null): HeaderBlock {
  let ofEncoding = heads.get(encoding);
  if (ofEncoding === undefined) heads.set(encoding, ofEncoding = new Map());
  let head = ofEncoding.get(contentType);
  if (head === undefined) {
    const list = [":status", "200", "content-type", contentType];
    if (encoding !== null) list.push("grpc-encoding", encoding);
    ofEncoding.set(contentType, head = new HeaderBlock(list));
  }
  return head;
}

const GRPC = "application/grpc";

/**
 * Reads the part of a content type that names the codec.
 *
 * Content-Type → "content-type" "application/grpc" [("+proto" / "+json" / {custom})]
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * Case does not matter, and parameters are ignored, as HTTP has it.
 *
 * @param contentType The value of the header.
 * @returns The subtype in lower case, empty when there is none, or `null` when this is not gRPC.
 */
export function contentSubtype(contentType: string): string | null {
  const parameters = contentType.indexOf(";");
  const mediaType =
    (parameters === -1 ? contentType : contentType.slice(0, parameters))
      .trim().toLowerCase();
  if (mediaType === GRPC) return "";
  return mediaType.startsWith(`${GRPC}+`)
    ? mediaType.slice(GRPC.length + 1)
    : null;
}

/**
 * Tells whether a codec reads a content type with this subtype. Without one the
 * messages are Protocol Buffers: only that codec may take them.
 *
 * @param subtype What {@linkcode contentSubtype} gave.
 * @param codecSubtype The subtype of the codec.
 * @returns Whether they match.
 */
export function acceptsSubtype(subtype: string, codecSubtype: string): boolean {
  return (subtype === "" ? "proto" : subtype) === codecSubtype.toLowerCase();
}
