/**
 * A server without a port: calls whose streams are played by the test.
 *
 * @module
 */

import { CallCounts } from "../core/_figures.ts";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type Handler,
  mapping,
  type Service,
} from "../_call/server/handler.ts";
import { methodDescriptor } from "../_call/descriptor.ts";
import type { Many } from "../_call/many.ts";
import type { Route } from "../_call/server/route.ts";
import { Admission } from "../_call/server/admission.ts";
import type { DeadlineQueue } from "../_call/deadline_queue.ts";
import { deadlines } from "../_call/cancellation.ts";
import { type CallHost, CallServer } from "../_call/server/serve.ts";
import { codecsOf, type ServerCodec } from "../_call/server/codecs.ts";
import type { CallIdentity, RefusalReason } from "../_call/server/host.ts";
import type { ServerCall } from "../_call/server/call.ts";
import type { ServerStream } from "../_call/server/stream.ts";
import { Cardinality } from "../core/cardinality.ts";
import { type Codec, ProtoCodec } from "../core/codec.ts";
import { Configuration, type ConfigurationOptions } from "../core/config.ts";
import { SERVER_EVENTS, type ServerEvent } from "../core/events.ts";
import {
  type EventClass,
  type Listenable,
  Listeners,
} from "../core/_listeners.ts";
import { Peer } from "../core/peer.ts";
import type { StatusDetailsCodec } from "../core/status_details.ts";
import type { Compressor } from "../_wire/compression.ts";
import { FrameWriter } from "../_wire/frame.ts";
import { FakeStream, type Fields, rawOf } from "./fake_stream.ts";

type AnyCall = ServerCall<unknown, unknown>;

/** How a fake server is set up. */
export interface FakeServerOptions {
  readonly codec?: Codec;
  readonly config?: ConfigurationOptions;
  readonly statusDetailsCodec?: StatusDetailsCodec;
  readonly compressors?: ReadonlyMap<string, Compressor>;
  readonly compressor?: Compressor;
  /** More methods, by their paths. */
  readonly service?: Service;
}

/** The path of the methods of a fake server, by their kind. */
export const PATHS = {
  UNARY_UNARY: "/test.Test/UnaryUnary",
  UNARY_STREAM: "/test.Test/UnaryStream",
  STREAM_UNARY: "/test.Test/StreamUnary",
  STREAM_STREAM: "/test.Test/StreamStream",
} as const;

/** The fields of a good request. */
export function requestFields(kind: Cardinality): Fields {
  return {
    ":method": "POST",
    ":scheme": "http",
    ":path": PATHS[kind],
    ":authority": "127.0.0.1:50051",
    "te": "trailers",
    "content-type": "application/grpc",
    "user-agent": "test/1.0",
  };
}

type One = StringValue;

/** The handlers of a fake server, by the kind of their method. */
export interface FakeHandlers {
  UNARY_UNARY: (stream: ServerStream<One, One>) => unknown;
  UNARY_STREAM: (stream: ServerStream<One, Many<One>>) => unknown;
  STREAM_UNARY: (stream: ServerStream<Many<One>, One>) => unknown;
  STREAM_STREAM: (stream: ServerStream<Many<One>, Many<One>>) => unknown;
}

/** A server with at most one method of each kind. */
export class FakeServer implements CallHost, Listenable<ServerEvent> {
  readonly codecs: readonly ServerCodec[];
  readonly config: Configuration;
  readonly writer: FrameWriter = new FrameWriter();
  readonly statusDetailsCodec: StatusDetailsCodec | null;
  readonly compressors: ReadonlyMap<string, Compressor>;
  readonly compressor: Compressor | null;
  readonly acceptEncoding: string;
  readonly propagates = false;
  readonly events: readonly EventClass<ServerEvent>[] = SERVER_EVENTS;
  readonly listeners: Listeners<ServerEvent> = new Listeners(
    "Server",
    this,
    (error) => this.errors.push(error),
  );
  readonly deadlines: DeadlineQueue = deadlines;
  readonly callCounts: CallCounts = new CallCounts();
  readonly routes: ReadonlyMap<string, Route>;
  readonly admission: Admission<AnyCall>;
  readonly #calls: CallServer;
  readonly peer: Peer = new Peer({ hostname: "127.0.0.1", port: 1234 });
  /** The calls that began and those that ended, as the server is told. */
  readonly started: AnyCall[] = [];
  readonly ended: AnyCall[] = [];
  /** Why calls were refused. */
  readonly refusals: RefusalReason[] = [];
  /** What the server's owner is told. */
  readonly errors: unknown[] = [];

  constructor(
    handlers: Partial<FakeHandlers>,
    options: FakeServerOptions = {},
  ) {
    this.codecs = codecsOf(options.codec ?? new ProtoCodec());
    this.config = new Configuration(options.config);
    this.statusDetailsCodec = options.statusDetailsCodec ?? null;
    this.compressors = options.compressors ?? new Map();
    this.compressor = options.compressor ?? null;
    this.acceptEncoding = ["identity", ...this.compressors.keys()].join();
    const routes = new Map<string, Route>();
    for (const cardinality of Object.values(Cardinality)) {
      const handle = handlers[cardinality];
      if (handle === undefined) continue;
      const handler: Handler = {
        handle,
        cardinality,
        requestType: StringValueSchema,
        replyType: StringValueSchema,
      };
      const path = PATHS[cardinality];
      const method = methodDescriptor({ ...handler, path });
      routes.set(path, { path, handler, method });
    }
    const more = options.service?.[mapping]() ?? {};
    for (const [path, handler] of Object.entries(more)) {
      const method = methodDescriptor({ ...handler, path });
      routes.set(path, { path, handler, method });
    }
    this.routes = routes;
    this.admission = new Admission<AnyCall>({
      isLate: false,
      now: () => this.deadlines.now(),
      onRefused: (reason, call) => this.onRefused(reason, call),
    }, this.config);
    this.#calls = new CallServer(this);
  }

  /** The call that began last. */
  get call(): AnyCall {
    return this.started.at(-1)!;
  }

  /** How many calls began, and how many ended. */
  get counts(): [number, number] {
    return [this.started.length, this.ended.length];
  }

  onCallStart(call: AnyCall): void {
    this.started.push(call);
  }

  onCallEnd(call: AnyCall): void {
    this.ended.push(call);
  }

  onRefused(reason: RefusalReason, _call: CallIdentity): void {
    this.refusals.push(reason);
  }

  onHandlerError(error: unknown): void {
    this.errors.push(error);
  }

  /** A client opens a stream with the fields of a request. */
  open(kind: Cardinality, fields: Fields = {}): FakeStream {
    return this.openRaw({ ...requestFields(kind), ...fields });
  }

  /** A client opens a stream with any fields. */
  openRaw(fields: Fields): FakeStream {
    const stream = new FakeStream();
    stream.sink = this.#calls.serve(stream, rawOf(fields), this.peer);
    return stream;
  }

  /** A client makes a call, and ends its half of it. */
  request(
    kind: Cardinality,
    values: string[],
    fields: Fields = {},
  ): FakeStream {
    const stream = this.open(kind, fields);
    stream.peerSends(...values);
    stream.peerEnds();
    return stream;
  }
}
