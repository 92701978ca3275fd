/**
 * Finds the descriptors of services, or makes some.
 *
 * @module
 */

import {
  create,
  createFileRegistry,
  type DescFile,
  type DescMessage,
  type DescService,
  type MessageInitShape,
  type Registry,
} from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  type MethodDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { isClientStreaming, isServerStreaming } from "../core/cardinality.ts";
import {
  type Handler,
  mapping,
  type Service,
} from "../_call/server/handler.ts";
import { descriptorOf } from "../_call/server/service.ts";
import { withDependencies } from "./_file_index.ts";

/** What is known of services. */
export interface Description {
  /** Their names. */
  readonly names: ReadonlySet<string>;
  /** The files that declare those of them that can be described. */
  readonly files: ReadonlySet<DescFile>;
}

/** The handlers of one service, by the names of its methods. */
type Methods = ReadonlyMap<string, Handler>;

type MethodInit = MessageInitShape<typeof MethodDescriptorProtoSchema>;

/** A name with dots, as .proto files have them. */
const FULL_NAME = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/**
 * Describes services.
 *
 * @param services The services.
 * @param registry Where else to look for their descriptors.
 * @returns Their names, and files.
 * @throws {TypeError} If a service is none.
 */
export function describeServices(
  services: Iterable<Service>,
  registry: Registry | undefined,
): Description {
  const names = new Set<string>();
  const files = new Set<DescFile>();
  for (const service of services) {
    if (typeof service?.[mapping] !== "function") {
      throw new TypeError(
        `Cannot describe services: a service needs a [mapping]() method, received ${
          service === null ? "null" : typeof service
        }`,
      );
    }
    const known = descriptorOf(service);
    if (known !== undefined) {
      names.add(known.typeName);
      files.add(known.file);
    }
    for (const [name, methods] of servicesIn(service[mapping]())) {
      if (names.has(name)) continue;
      names.add(name);
      const file = registry?.getService(name)?.file ?? fileOf(name, methods);
      if (file !== undefined) files.add(file);
    }
  }
  return { names, files };
}

/** Sorts handlers by their services. */
function servicesIn(
  handlers: Readonly<Record<string, Handler>>,
): Map<string, Map<string, Handler>> {
  const services = new Map<string, Map<string, Handler>>();
  for (const [path, handler] of Object.entries(handlers)) {
    const end = path.lastIndexOf("/");
    const name = path.slice(1, end);
    const methods = services.get(name) ?? new Map<string, Handler>();
    services.set(name, methods.set(path.slice(end + 1), handler));
  }
  return services;
}

/** The file that declares a service, or one that is made to. */
function fileOf(name: string, methods: Methods): DescFile | undefined {
  const types = [...methods.values()].flatMap(typesOf);
  // Other codecs have other types: there is nothing to describe then.
  if (!types.every(isDescMessage)) return undefined;
  const files = withDependencies(types.map(({ file }) => file));
  return findService(name, files)?.file ?? makeFile(name, methods, files);
}

/** What a method receives and sends: messages, as far as that is known. */
function typesOf({ requestType, replyType }: Handler): DescMessage[] {
  return [requestType as DescMessage, replyType as DescMessage];
}

function isDescMessage(type: DescMessage | null | undefined): boolean {
  return type?.kind === "message" && type.file?.kind === "file";
}

function findService(
  name: string,
  files: Iterable<DescFile>,
): DescService | undefined {
  for (const { services } of files) {
    const service = services.find(({ typeName }) => typeName === name);
    if (service !== undefined) return service;
  }
  return undefined;
}

/** Makes the file of a service that was written without one. */
function makeFile(
  service: string,
  methods: Methods,
  files: Iterable<DescFile>,
): DescFile | undefined {
  if (!FULL_NAME.test(service)) return undefined;
  const dot = service.lastIndexOf(".");
  const proto = create(FileDescriptorProtoSchema, {
    name: `${service}.proto`,
    package: service.slice(0, Math.max(dot, 0)),
    syntax: "proto3",
    dependency: [...new Set([...methods.values()].flatMap(importsOf))],
    service: [{
      name: service.slice(dot + 1),
      method: [...methods].map(([name, handler]) => methodOf(name, handler)),
    }],
  });
  const found = new Map([...files].map((file) => [file.proto.name, file]));
  try {
    return createFileRegistry(proto, (name) => found.get(name))
      .getFile(proto.name);
  } catch {
    // The name of a method is none in a .proto file, or two files have the same
    // name and cannot both be imported.
    return undefined;
  }
}

/** The names of the files that a method needs. */
function importsOf(handler: Handler): string[] {
  return typesOf(handler).map(({ file }) => file.proto.name);
}

function methodOf(name: string, handler: Handler): MethodInit {
  const { cardinality } = handler;
  const [inputType, outputType] = typesOf(handler)
    .map(({ typeName }) => `.${typeName}`);
  return {
    name,
    inputType: inputType!,
    outputType: outputType!,
    ...(isClientStreaming(cardinality) ? { clientStreaming: true } : {}),
    ...(isServerStreaming(cardinality) ? { serverStreaming: true } : {}),
  };
}
