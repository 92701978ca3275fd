/**
 * The service that describes the services beside it.
 *
 * @module
 */

import type { DescFile, FileRegistry, Registry } from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../core/gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../core/gen/google/rpc/status_pb.ts";
import {
  type Handler,
  mapping,
  type Service,
} from "../_call/server/handler.ts";
import { createService } from "../_call/server/service.ts";
import { type Knowledge, replyToAll } from "./_replies.ts";
import { describeServices, type Description } from "./_describe.ts";
import { FileIndex } from "./_file_index.ts";
import { ServerReflection as V1 } from "./gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as V1Alpha } from "./gen/grpc/reflection/v1alpha/reflection_pb.ts";

/** Options for {@linkcode ServerReflection.extend}. */
export interface ServerReflectionOptions {
  /**
   * More to describe than the services and what their files import, such as
   * extensions, the messages inside of `google.protobuf.Any`, or services whose
   * file none of their messages leads to. The details of errors, of
   * `google/rpc/error_details.proto`, are described in any case.
   *
   * It is read with each request, so what is added to a `MutableRegistry` later
   * is found. The other registries of protobuf-es never change.
   *
   * @default {undefined} nothing more
   */
  readonly registry?: Registry | FileRegistry;
}

/**
 * Server reflection: describes the services of a server to tools such as
 * grpcurl, and to {@linkcode reflect}.
 *
 * It speaks `grpc.reflection.v1` and `grpc.reflection.v1alpha`. Services that
 * were generated, or made by `createService`, are described by their .proto
 * files. A service that was written by hand is described by its handlers, in a
 * file that is made for it. One whose types are not those of protobuf-es, but
 * of another codec, is listed by its name and no more.
 *
 * @example Usage
 * ```ts
 * import { createService, mapping } from "@grpclib/grpclib";
 * import { ServerReflection } from "@grpclib/grpclib/reflection";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const services = ServerReflection.extend([
 *   createService(Greeter, {
 *     sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 *   }),
 * ]);
 *
 * assertEquals(services.flatMap((service) => Object.keys(service[mapping]())), [
 *   "/helloworld.Greeter/SayHello",
 *   "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
 *   "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
 * ]);
 * ```
 */
export class ServerReflection implements Service {
  readonly #services: readonly Service[];

  /**
   * Creates the service. {@linkcode ServerReflection.extend} does this for you.
   *
   * @param services The services to describe.
   * @param options What else to describe.
   * @throws {TypeError} If a service is none.
   */
  constructor(
    services: Iterable<Service>,
    options: ServerReflectionOptions = {},
  ) {
    const { registry } = options;
    const catalog = new Catalog(describeServices(services, registry), registry);
    this.#services = [
      createService(V1, {
        serverReflectionInfo: (requests) => replyToAll(requests, catalog),
      }),
      createService(V1Alpha, {
        serverReflectionInfo: (requests) => replyToAll(requests, catalog),
      }),
    ];
  }

  /**
   * Extends services by one that describes them. It describes itself as well,
   * but does not list itself.
   *
   * @param services The services.
   * @param options What else to describe.
   * @returns The services, and the one more, to be given to a server.
   * @throws {TypeError} If a service is none.
   */
  static extend(
    services: Iterable<Service>,
    options: ServerReflectionOptions = {},
  ): Service[] {
    const all = [...services];
    return [...all, new ServerReflection(all, options)];
  }

  /**
   * Tells the server the handlers of the service, for both versions.
   *
   * @returns The handlers by the path of their method.
   */
  [mapping](): Record<string, Handler> {
    return Object.assign(
      {},
      ...this.#services.map((service) => service[mapping]()),
    );
  }
}

/** What there is to tell, which may become more. */
class Catalog implements Knowledge {
  readonly names: ReadonlySet<string>;
  readonly #files: ReadonlySet<DescFile>;
  readonly #registry: Registry | FileRegistry | undefined;
  #indexed = new Set<DescFile>();
  #index = new FileIndex([]);

  constructor(description: Description, registry: Registry | undefined) {
    this.names = description.names;
    this.#files = new Set([...description.files, V1.file, V1Alpha.file]);
    this.#registry = registry;
  }

  /** The files as they are now. */
  get index(): FileIndex {
    const files = new Set([
      ...this.#files,
      ...filesOf(this.#registry),
      // Clients unpack the details of errors by them.
      ...[file_google_rpc_status, file_google_rpc_error_details],
    ]);
    if (files.symmetricDifference(this.#indexed).size > 0) {
      this.#indexed = files;
      this.#index = new FileIndex(files);
    }
    return this.#index;
  }
}

/** The files of a registry, and of the types in it. */
function* filesOf(
  registry: Registry | FileRegistry | undefined,
): Generator<DescFile> {
  if (registry === undefined) return;
  if ("files" in registry) yield* registry.files;
  for (const { file } of registry) yield file;
}
