/**
 * The service of the tests, and a server and a channel for it over real TCP.
 *
 * @module
 */

import {
  Channel,
  type ChannelOptions,
  createStub,
  GRPCError,
  type Many,
  type Status,
  type Stub,
} from "../client.ts";
import {
  createService,
  type Handler,
  type HandlerErrorInfo,
  mapping,
  Server,
  type ServerOptions,
  type ServerStream,
  type Service,
} from "../server.ts";
import { Echo, type EchoReply, type EchoRequest } from "./gen/echo_pb.ts";
import { after, soon } from "./waiting.ts";

/** The service as the .proto file describes it, from plain functions. */
export const echo: Service = createService(Echo, {
  async unary(request, call) {
    await pause(request, call.signal);
    return reply(request, 0);
  },

  async *serverStream(request, call) {
    for (let i = 0; i < request.count; i++) {
      await pause(request, call.signal);
      yield { text: request.text, index: i, payload: request.payload };
    }
    endAsAsked(request);
  },

  async clientStream(requests, call) {
    const texts: string[] = [];
    for await (const request of requests) {
      await pause(request, call.signal);
      endAsAsked(request);
      texts.push(request.text);
    }
    return { text: texts.join(""), index: texts.length };
  },

  async *bidi(requests, call) {
    for await (const request of requests) {
      for (let i = 0; i < request.count; i++) {
        await pause(request, call.signal);
        yield { text: request.text, index: i, payload: request.payload };
      }
      endAsAsked(request);
    }
  },
});

function reply(request: EchoRequest, index: number) {
  endAsAsked(request);
  return { text: request.text, index, payload: request.payload };
}

async function pause(request: EchoRequest, signal: AbortSignal) {
  if (request.delayMs > 0) await after(request.delayMs, signal);
}

function endAsAsked({ status, statusMessage }: EchoRequest): void {
  if (status !== 0) throw new GRPCError(status as Status, statusMessage);
}

/** Handlers of a test's own, by the name of the method. */
export interface EchoHandlers {
  readonly unary?: (stream: ServerStream<EchoRequest, EchoReply>) => unknown;
  readonly serverStream?: (
    stream: ServerStream<EchoRequest, Many<EchoReply>>,
  ) => unknown;
  readonly clientStream?: (
    stream: ServerStream<Many<EchoRequest>, EchoReply>,
  ) => unknown;
  readonly bidi?: (
    stream: ServerStream<Many<EchoRequest>, Many<EchoReply>>,
  ) => unknown;
}

/** The paths of the methods. */
export const PATHS = {
  unary: "/grpclib.test.Echo/Unary",
  serverStream: "/grpclib.test.Echo/ServerStream",
  clientStream: "/grpclib.test.Echo/ClientStream",
  bidi: "/grpclib.test.Echo/Bidi",
} as const;

/** Makes the service with some of its handlers replaced. */
export function echoWith(handlers: EchoHandlers): Service {
  const all: Record<string, Handler> = { ...echo[mapping]() };
  for (const [name, handle] of Object.entries(handlers)) {
    const path = PATHS[name as keyof typeof PATHS];
    all[path] = { ...all[path]!, handle: handle as Handler["handle"] };
  }
  return { [mapping]: () => all };
}

/** What a handler's failure was told to `onError` with. */
export interface HandlerFailure {
  readonly error: unknown;
  readonly info: HandlerErrorInfo;
}

/** Options for {@linkcode startEcho}. */
export interface EchoOptions {
  /** Handlers that take the place of the service's own. */
  readonly handlers?: EchoHandlers;
  readonly server?: ServerOptions;
  readonly channel?: ChannelOptions;
}

/** A server with the service, and a channel to it. */
export interface EchoPair extends AsyncDisposable {
  readonly server: Server;
  readonly channel: Channel;
  readonly stub: Stub<typeof Echo>;
  readonly port: number;
  /** Gives what `onError` was told; what no test takes fails it in the end. */
  takeFailures(): HandlerFailure[];
}

/** Starts the service on a free port of 127.0.0.1. */
export async function startEcho(options: EchoOptions = {}): Promise<EchoPair> {
  let failures: HandlerFailure[] = [];
  const server = new Server([echoWith(options.handlers ?? {})], {
    onError: (error, info) => failures.push({ error, info }),
    ...options.server,
  });
  await server.start("127.0.0.1");
  const port = server.port!;
  const channel = new Channel("127.0.0.1", port, options.channel);
  return {
    server,
    channel,
    stub: createStub(Echo, channel),
    port,
    takeFailures() {
      const taken = failures;
      failures = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      await soon(channel.close(), "the channel to close");
      server.close();
      await soon(server.waitClosed(), "the server to close");
      if (failures.length > 0) throw failures[0]!.error;
    },
  };
}
