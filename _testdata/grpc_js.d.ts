/** The types of grpc-js, as far as the tests use it. */

import type { Buffer } from "node:buffer";

type MetadataValue = string | Buffer;

export class Metadata {
  constructor();
  set(key: string, value: MetadataValue): void;
  add(key: string, value: MetadataValue): void;
  get(key: string): MetadataValue[];
  getMap(): Record<string, MetadataValue>;
}

export const status: {
  readonly OK: 0;
  readonly CANCELLED: 1;
  readonly UNKNOWN: 2;
  readonly INVALID_ARGUMENT: 3;
  readonly DEADLINE_EXCEEDED: 4;
  readonly NOT_FOUND: 5;
  readonly ALREADY_EXISTS: 6;
  readonly PERMISSION_DENIED: 7;
  readonly RESOURCE_EXHAUSTED: 8;
  readonly FAILED_PRECONDITION: 9;
  readonly ABORTED: 10;
  readonly OUT_OF_RANGE: 11;
  readonly UNIMPLEMENTED: 12;
  readonly INTERNAL: 13;
  readonly UNAVAILABLE: 14;
  readonly DATA_LOSS: 15;
  readonly UNAUTHENTICATED: 16;
};

export interface StatusObject {
  readonly code: number;
  readonly details: string;
  readonly metadata: Metadata;
}

export interface ServiceError extends Error, StatusObject {}

type Serialize<M> = (message: M) => Buffer;
type Deserialize<M> = (bytes: Buffer) => M;

/** A value, or an error with the status it stands for. */
type Callback<M> = (error: ServiceError | null, message?: M) => void;

export interface CallOptions {
  readonly deadline?: Date | number;
}

/** What streams of either side have in common. */
interface Call {
  cancel(): void;
  getPeer(): string;
  on(event: "error", listener: (error: ServiceError) => void): this;
}

interface Reader<M> extends AsyncIterable<M> {
  on(event: "data", listener: (message: M) => void): this;
  on(event: "end", listener: () => void): this;
  pause(): this;
  resume(): this;
}

interface Writer<M> {
  write(message: M): boolean;
  end(): void;
  on(event: "drain" | "finish", listener: () => void): this;
}

export interface ClientUnaryCall extends Call {
  on(event: "error", listener: (error: ServiceError) => void): this;
  on(event: "metadata", listener: (metadata: Metadata) => void): this;
  on(event: "status", listener: (status: StatusObject) => void): this;
}

export type ClientReadableStream<Rep> = ClientUnaryCall & Reader<Rep>;
export type ClientWritableStream<Req> = ClientUnaryCall & Writer<Req>;
export type ClientDuplexStream<Req, Rep> =
  & ClientUnaryCall
  & Reader<Rep>
  & Writer<Req>;

export class Client {
  constructor(
    address: string,
    credentials: ChannelCredentials,
    options?: Readonly<Record<string, string | number>>,
  );
  close(): void;
  makeUnaryRequest<Req, Rep>(
    path: string,
    serialize: Serialize<Req>,
    deserialize: Deserialize<Rep>,
    request: Req,
    metadata: Metadata,
    options: CallOptions,
    callback: Callback<Rep>,
  ): ClientUnaryCall;
  makeServerStreamRequest<Req, Rep>(
    path: string,
    serialize: Serialize<Req>,
    deserialize: Deserialize<Rep>,
    request: Req,
    metadata: Metadata,
    options?: CallOptions,
  ): ClientReadableStream<Rep>;
  makeClientStreamRequest<Req, Rep>(
    path: string,
    serialize: Serialize<Req>,
    deserialize: Deserialize<Rep>,
    metadata: Metadata,
    options: CallOptions,
    callback: Callback<Rep>,
  ): ClientWritableStream<Req>;
  makeBidiStreamRequest<Req, Rep>(
    path: string,
    serialize: Serialize<Req>,
    deserialize: Deserialize<Rep>,
    metadata: Metadata,
    options?: CallOptions,
  ): ClientDuplexStream<Req, Rep>;
}

/** How one method is called and its messages are written. */
export interface MethodDefinition<Req, Rep> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: Serialize<Req>;
  readonly requestDeserialize: Deserialize<Req>;
  readonly responseSerialize: Serialize<Rep>;
  readonly responseDeserialize: Deserialize<Rep>;
}

/** What every handler of a server is given. */
interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  getPeer(): string;
  sendMetadata(metadata: Metadata): void;
  on(event: "cancelled", listener: () => void): this;
}

/** The outcome of a call, with trailing metadata. */
type ServerCallback<Rep> = (
  error: Partial<StatusObject> | Error | null,
  reply?: Rep | null,
  trailer?: Metadata,
) => void;

interface ServerWriter<Rep> extends Writer<Rep> {
  end(metadata?: Metadata): void;
  destroy(error?: Error): this;
  emit(event: "error", error: Partial<StatusObject> | Error): boolean;
}

export type ServerUnaryCall<Req> = ServerCall & { readonly request: Req };
export type ServerReadableStream<Req> = ServerCall & Reader<Req>;
export type ServerWritableStream<Req, Rep> =
  & ServerUnaryCall<Req>
  & ServerWriter<Rep>;
export type ServerDuplexStream<Req, Rep> =
  & ServerCall
  & Reader<Req>
  & ServerWriter<Rep>;

/** A handler of one of the four kinds. */
export type Handler<Req, Rep> =
  | ((call: ServerUnaryCall<Req>, callback: ServerCallback<Rep>) => void)
  | ((call: ServerReadableStream<Req>, callback: ServerCallback<Rep>) => void)
  | ((call: ServerWritableStream<Req, Rep>) => void)
  | ((call: ServerDuplexStream<Req, Rep>) => void);

export class Server {
  constructor(options?: Readonly<Record<string, string | number>>);
  addService(
    // deno-lint-ignore no-explicit-any
    service: Readonly<Record<string, MethodDefinition<any, any>>>,
    // deno-lint-ignore no-explicit-any
    implementation: Readonly<Record<string, Handler<any, any>>>,
  ): void;
  bindAsync(
    address: string,
    credentials: ServerCredentials,
    callback: (error: Error | null, port: number) => void,
  ): void;
  tryShutdown(callback: (error?: Error) => void): void;
  forceShutdown(): void;
}

export interface ChannelCredentials {
  readonly _isSecure: () => boolean;
}

export interface ServerCredentials {
  readonly _isSecure: () => boolean;
}

export const credentials: {
  createInsecure(): ChannelCredentials;
  createSsl(rootCerts?: Buffer | null): ChannelCredentials;
};

export const ServerCredentials: {
  createInsecure(): ServerCredentials;
  createSsl(
    rootCerts: Buffer | null,
    keyCertPairs: {
      readonly private_key: Buffer;
      readonly cert_chain: Buffer;
    }[],
  ): ServerCredentials;
};
