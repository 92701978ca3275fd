/**
 * The client of server reflection.
 *
 * @module
 */

import type { DescService, FileRegistry } from "@bufbuild/protobuf";
import { type CallOptions, type Channel, createStub } from "../client.ts";
import { Deadline } from "../core/deadline.ts";
import { GRPCError } from "../core/errors.ts";
import { Metadata } from "../core/metadata.ts";
import { isStatus, Status } from "../core/status.ts";
import { FileSet, type Limits } from "./_file_set.ts";
import {
  ServerReflection as V1,
  type ServerReflectionResponse,
} from "./gen/grpc/reflection/v1/reflection_pb.ts";
import {
  ServerReflection as V1Alpha,
  type ServerReflectionResponse as ServerReflectionResponseV1Alpha,
} from "./gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Options for {@linkcode reflect}: those of a call, and some more. */
export interface ReflectOptions extends CallOptions {
  /**
   * The time that all of it may take, in milliseconds.
   *
   * @default {20_000} unless there is a `deadline`
   */
  readonly timeoutMs?: number;
  /**
   * How many files the server may have.
   *
   * @default {10_000}
   */
  readonly maxFiles?: number;
  /**
   * How many bytes of descriptors the server may send.
   *
   * @default {67_108_864}
   */
  readonly maxBytes?: number;
}

/** What a server tells of itself. */
export interface Reflection {
  /** The names of all services that the server lists, in its order. */
  readonly serviceNames: readonly string[];
  /** The services among them that it describes. */
  readonly services: readonly DescService[];
  /** All that was described: services, messages, enums, extensions and files. */
  readonly registry: FileRegistry;

  /**
   * Finds a service, for `createStub` to make a stub of.
   *
   * @param name The full name of the service, such as `helloworld.Greeter`.
   * @returns The descriptor of the service.
   * @throws {GRPCError} `NOT_FOUND`, if the server does not describe it.
   */
  readonly getService: (name: string) => DescService;
}

/**
 * Asks a server for its services, so that they can be called without generated
 * code.
 *
 * It speaks `grpc.reflection.v1`, or `grpc.reflection.v1alpha` with servers that
 * have no other, and asks for the files of all services and for all that these
 * import.
 *
 * @example Usage
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { reflect, ServerReflection } from "@grpclib/grpclib/reflection";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 * await using server = new Server(ServerReflection.extend([greeter]));
 * await server.start("127.0.0.1");
 * await using channel = new Channel("127.0.0.1", server.port!);
 *
 * const { serviceNames, getService } = await reflect(channel);
 * assertEquals(serviceNames, ["helloworld.Greeter"]);
 *
 * const stub = createStub(getService("helloworld.Greeter"), channel);
 * const { message } = await stub.sayHello!({ name: "Ada" });
 * assertEquals(message, "Hello, Ada!");
 * ```
 *
 * @param channel A channel to the server.
 * @param options How to call, and how much to take.
 * @returns What the server tells of itself.
 * @throws {RangeError} If a limit is not an integer of at least 1.
 * @throws {GRPCError} `UNIMPLEMENTED`, if the server has no reflection;
 *   `RESOURCE_EXHAUSTED`, if it sends more than the limits allow; `INTERNAL`, if
 *   what it sends makes no sense; and whatever ends a call.
 */
export async function reflect(
  channel: Channel,
  options: ReflectOptions = {},
): Promise<Reflection> {
  const { maxFiles = 10_000, maxBytes = 64 * 1024 * 1024, ...call } = options;
  const limits = { maxFiles, maxBytes };
  for (const [name, value] of Object.entries(limits)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new RangeError(
      `Cannot reflect: ${name} must be an integer of at least 1, received ${value}`,
    );
  }
  const callOptions = withDeadline(call);
  let unimplemented: GRPCError | undefined;
  for (const version of [V1, V1Alpha]) {
    const method = createStub(version, channel).serverReflectionInfo;
    await using stream: Stream = method.open(callOptions);
    try {
      return await load(stream, await listServices(stream, limits), limits);
    } catch (error) {
      if (!isUnimplemented(error)) throw error;
      unimplemented = error;
    }
  }
  throw unimplemented;
}

function isUnimplemented(error: unknown): error is GRPCError {
  return error instanceof GRPCError && error.status === Status.UNIMPLEMENTED;
}

/** Options for two calls, of which the second has the time that is left. */
function withDeadline(options: CallOptions): CallOptions {
  const { timeoutMs, deadline, metadata, ...rest } = options;
  const limitMs = timeoutMs ?? (deadline ? undefined : DEFAULT_TIMEOUT_MS);
  return {
    ...rest,
    deadline: limitMs === undefined
      ? deadline
      : Deadline.earliest(deadline ?? undefined, Deadline.fromTimeout(limitMs)),
    ...(metadata === undefined ? {} : { metadata: new Metadata(metadata) }),
  };
}

const DEFAULT_TIMEOUT_MS = 20_000;

interface Question {
  case: "listServices" | "fileContainingSymbol" | "fileByFilename";
  value: string;
}

type Response = ServerReflectionResponse | ServerReflectionResponseV1Alpha;

/** The stream of a call, of either version. */
interface Stream extends AsyncDisposable {
  sendMessage(request: { messageRequest: Question }): Promise<void>;
  recvMessage(): Promise<Response | null>;
  end(): Promise<void>;
}

/** Asks one question. */
async function ask(
  stream: Stream,
  messageRequest: Question,
): Promise<Response["messageResponse"]> {
  await stream.sendMessage({ messageRequest });
  const response = await stream.recvMessage();
  if (response !== null) return response.messageResponse;
  throw new GRPCError(
    Status.INTERNAL,
    "Cannot reflect: the server ended the call before it had answered",
  );
}

async function listServices(
  stream: Stream,
  { maxFiles }: Limits,
): Promise<string[]> {
  const answer = await ask(stream, { case: "listServices", value: "" });
  if (answer.case !== "listServicesResponse") throw unexpected(answer);
  const names = new Set(answer.value.service.map(({ name }) => name));
  if (names.size <= maxFiles) return [...names];
  throw new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Cannot reflect: the server has ${names.size} services, and more than ${maxFiles} files`,
  );
}

/** Asks for files, and tells whether there are any. */
async function addFiles(
  stream: Stream,
  files: FileSet,
  question: Question,
): Promise<boolean> {
  const answer = await ask(stream, question);
  if (answer.case === "fileDescriptorResponse") {
    files.add(answer.value.fileDescriptorProto);
    return true;
  }
  if (
    answer.case === "errorResponse" &&
    answer.value.errorCode === Status.NOT_FOUND
  ) return false;
  throw unexpected(answer);
}

/** What is thrown for an answer that is none, or one that tells of an error. */
function unexpected(answer: Response["messageResponse"]): GRPCError {
  if (answer.case === "errorResponse") {
    const { errorCode, errorMessage } = answer.value;
    const isError = isStatus(errorCode) && errorCode !== Status.OK;
    return new GRPCError(isError ? errorCode : Status.UNKNOWN, errorMessage);
  }
  return new GRPCError(
    Status.INTERNAL,
    `Cannot reflect: the server gave an answer to another question: ${
      answer.case ?? "none"
    }`,
  );
}

/** Asks for all files that the services need, and makes a registry of them. */
async function load(
  stream: Stream,
  serviceNames: readonly string[],
  limits: Limits,
): Promise<Reflection> {
  const files = new FileSet(limits);
  for (const value of serviceNames) {
    if (files.declares(value)) continue;
    await addFiles(stream, files, { case: "fileContainingSymbol", value });
  }
  for (const value of files.missing()) {
    if (!await addFiles(stream, files, { case: "fileByFilename", value })) {
      files.addWellKnown(value);
    }
  }
  await finish(stream);

  const registry = files.toRegistry();
  const services = serviceNames.map((name) => registry.getService(name))
    .filter((service) => service !== undefined);
  return { serviceNames, services, registry, getService };

  function getService(name: string): DescService {
    const service = registry.getService(name);
    if (service !== undefined) return service;
    const found = serviceNames.includes(name)
      ? "the server lists it, but does not describe it"
      : `the server has ${
        serviceNames.map((name) => `"${name}"`).join(", ") || "none"
      }`;
    throw new GRPCError(
      Status.NOT_FOUND,
      `Cannot get service "${name}": ${found}`,
    );
  }
}

/** Ends the call in order; a server that does not is not waited for long. */
async function finish(stream: Stream): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 1_000);
  // All that was asked for is there, whatever comes of the call.
  const ended = stream.end().then(() => stream.recvMessage()).catch(() => {});
  await Promise.race([ended, late]);
  clearTimeout(timer);
}
