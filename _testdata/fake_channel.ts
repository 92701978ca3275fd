/**
 * A channel without a connection: methods of all four kinds whose streams are
 * played by the test.
 *
 * @module
 */

import { CallCounts } from "../core/_figures.ts";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import type { ClientHost } from "../_call/client/host.ts";
import {
  type CallPolicyOptions,
  MethodPolicies,
} from "../_call/client/method_policies.ts";
import { RetryState } from "../_call/client/retry_state.ts";
import {
  makeMethod,
  type StreamStreamMethod,
  type StreamUnaryMethod,
  type UnaryStreamMethod,
  type UnaryUnaryMethod,
} from "../_call/client/method.ts";
import { deadlines } from "../_call/cancellation.ts";
import { propagationOf } from "../_call/parent.ts";
import { Cardinality } from "../core/cardinality.ts";
import { type Codec, ProtoCodec } from "../core/codec.ts";
import { Configuration, type ConfigurationOptions } from "../core/config.ts";
import { CLIENT_EVENTS, type ClientEvent } from "../core/events.ts";
import {
  type EventClass,
  type Listenable,
  Listeners,
} from "../core/_listeners.ts";
import type { StatusDetailsCodec } from "../core/status_details.ts";
import type { Compressor } from "../_wire/compression.ts";
import { FrameWriter } from "../_wire/frame.ts";
import { HeadTemplate } from "../_wire/headers.ts";
import { FakeSource, type FakeStream } from "./fake_stream.ts";

/** How a fake channel is set up. */
export interface FakeChannelOptions {
  readonly codec?: Codec;
  readonly config?: ConfigurationOptions;
  readonly statusDetailsCodec?: StatusDetailsCodec;
  readonly compressors?: ReadonlyMap<string, Compressor>;
  readonly compressor?: Compressor;
  readonly policies?: CallPolicyOptions;
}

/** A channel whose calls go to a {@linkcode FakeSource}. */
export class FakeChannel implements Listenable<ClientEvent> {
  readonly events: readonly EventClass<ClientEvent>[] = CLIENT_EVENTS;
  readonly source: FakeSource = new FakeSource();
  readonly unaryUnary: UnaryUnaryMethod<StringValue, StringValue>;
  readonly unaryStream: UnaryStreamMethod<StringValue, StringValue>;
  readonly streamUnary: StreamUnaryMethod<StringValue, StringValue>;
  readonly streamStream: StreamStreamMethod<StringValue, StringValue>;
  readonly #host: ClientHost;

  constructor(options: FakeChannelOptions = {}) {
    const config = new Configuration(options.config);
    const policies = new MethodPolicies(options.policies);
    this.#host = {
      source: this.source,
      codec: options.codec ?? new ProtoCodec(),
      config,
      writer: new FrameWriter(),
      statusDetailsCodec: options.statusDetailsCodec ?? null,
      compressors: options.compressors ?? new Map(),
      compressor: options.compressor ?? null,
      listeners: new Listeners("Channel", this, (error) => {
        throw error;
      }),
      deadlines,
      callCounts: new CallCounts(),
      policies,
      retries: new RetryState(policies, config),
      propagation: propagationOf("Cannot create channel", false),
      headOf: (path) =>
        new HeadTemplate({
          scheme: "http",
          authority: "127.0.0.1:50051",
          path,
          contentType: "application/grpc",
          userAgent: "grpc-deno-grpclib/test",
          encoding: options.compressor?.name ?? null,
          acceptEncoding: null,
        }),
    };
    this.unaryUnary = this.#method(Cardinality.UNARY_UNARY);
    this.unaryStream = this.#method(Cardinality.UNARY_STREAM);
    this.streamUnary = this.#method(Cardinality.STREAM_UNARY);
    this.streamStream = this.#method(Cardinality.STREAM_STREAM);
  }

  /** What its calls share that make several attempts. */
  get retries(): RetryState {
    return this.#host.retries;
  }

  /** The stream of the call that was made last. */
  get stream(): FakeStream {
    return this.source.stream;
  }

  #method<M>(cardinality: Cardinality): M {
    return makeMethod({
      host: this.#host,
      path: "/test.Test/Call",
      requestType: StringValueSchema,
      replyType: StringValueSchema,
      cardinality,
    }) as M;
  }
}
