/**
 * Descriptors as a server sends them, and a registry made of them.
 *
 * @module
 */

import {
  clone,
  create,
  createFileRegistry,
  type FileRegistry,
  fromBinary,
} from "@bufbuild/protobuf";
import { protoCamelCase } from "@bufbuild/protobuf/reflect";
import {
  type DescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";

/** Files that everybody has, for servers that do not send them. */
const WELL_KNOWN: ReadonlyMap<string, FileDescriptorProto> = new Map(
  [
    file_google_protobuf_any,
    file_google_protobuf_api,
    file_google_protobuf_descriptor,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_field_mask,
    file_google_protobuf_source_context,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
    file_google_protobuf_type,
    file_google_protobuf_wrappers,
  ].map(({ proto }) => [proto.name, proto]),
);

/** How much a server may send. */
export interface Limits {
  /** The number of files, and of names of files. */
  readonly maxFiles: number;
  /** The bytes of all descriptors, repeated ones included. */
  readonly maxBytes: number;
}

/** Files that a server has sent, which may lie, or never end. */
export class FileSet {
  readonly #limits: Limits;
  readonly #files = new Map<string, FileDescriptorProto>();
  readonly #services = new Set<string>();
  /** Files that are imported, in the order to ask for them. */
  readonly #imported = new Set<string>();
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Adds files; one that is there stays as it is. */
  add(encoded: readonly Uint8Array[]): void {
    for (const bytes of encoded) {
      this.#bytes += bytes.length;
      if (this.#bytes > this.#limits.maxBytes) {
        throw tooMuch(`${this.#limits.maxBytes} bytes of descriptors`);
      }
      this.#add(decode(bytes));
    }
  }

  #add(file: FileDescriptorProto): void {
    if (file.name === "") throw faulty("a file has no name");
    if (this.#files.has(file.name)) return;
    this.#files.set(file.name, file);
    for (const { name } of file.service) {
      this.#services.add(
        file.package === "" ? name : `${file.package}.${name}`,
      );
    }
    for (const name of file.dependency) this.#imported.add(name);
    const { maxFiles } = this.#limits;
    if (this.#files.size > maxFiles || this.#imported.size > maxFiles) {
      throw tooMuch(`${maxFiles} files`);
    }
  }

  /** Whether one of the files declares a service. */
  declares(service: string): boolean {
    return this.#services.has(service);
  }

  /** The names of files that are imported and not here, also by those added meanwhile. */
  *missing(): Generator<string, void> {
    for (const name of this.#imported) {
      if (!this.#files.has(name)) yield name;
    }
  }

  /**
   * Takes a file that the server does not have from those that everybody has.
   */
  addWellKnown(name: string): void {
    const file = WELL_KNOWN.get(name);
    if (file !== undefined) this.#add(file);
  }

  /**
   * Makes a registry of the files. An import that is still missing is left out:
   * it may have been for options, which nobody needs for a call.
   *
   * @throws {GRPCError} `INTERNAL`, if the files do not fit together.
   */
  toRegistry(): FileRegistry {
    const file = this.#sorted().map((file) => {
      const dependency = file.dependency.filter((it) => this.#files.has(it));
      if (dependency.length === file.dependency.length) return file;
      const copy = clone(FileDescriptorProtoSchema, file);
      copy.dependency = dependency;
      // Places in the list of imports, which have moved.
      copy.publicDependency = [];
      copy.weakDependency = [];
      return copy;
    });
    try {
      return createFileRegistry(create(FileDescriptorSetSchema, { file }));
    } catch (error) {
      throw faulty(error instanceof Error ? error.message : `${error}`, error);
    }
  }

  /** The files, each behind those that it imports. */
  #sorted(): FileDescriptorProto[] {
    const sorted = new Set<FileDescriptorProto>();
    const open = new Set<FileDescriptorProto>();
    // A stack of our own: a chain of imports may be longer than that of calls.
    const stack: { file: FileDescriptorProto; imports: Iterator<string> }[] =
      [];
    const enter = (file: FileDescriptorProto | undefined) => {
      if (file === undefined || sorted.has(file)) return;
      if (open.has(file)) throw faulty(`"${file.name}" imports itself`);
      open.add(file);
      stack.push({ file, imports: file.dependency.values() });
    };
    for (const file of this.#files.values()) {
      enter(file);
      for (let top; (top = stack.at(-1)) !== undefined;) {
        const { value: name, done } = top.imports.next();
        if (!done) {
          enter(this.#files.get(name));
          continue;
        }
        stack.pop();
        open.delete(top.file);
        sorted.add(top.file);
      }
    }
    return [...sorted];
  }
}

function decode(bytes: Uint8Array): FileDescriptorProto {
  try {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    file.messageType.forEach(restoreJsonNames);
    return file;
  } catch (error) {
    throw faulty(error instanceof Error ? error.message : `${error}`, error);
  }
}

/** Fills in what compilers and servers may leave out. */
function restoreJsonNames(message: DescriptorProto): void {
  for (const field of message.field) {
    if (field.jsonName === "") field.jsonName = protoCamelCase(field.name);
  }
  message.nestedType.forEach(restoreJsonNames);
}

function tooMuch(limit: string): GRPCError {
  return new GRPCError(
    Status.RESOURCE_EXHAUSTED,
    `Cannot reflect: the server has more than ${limit}`,
  );
}

function faulty(reason: string, cause?: unknown): GRPCError {
  return new GRPCError(
    Status.INTERNAL,
    `Cannot reflect: the descriptors that the server sent are faulty: ${reason}`,
    { cause },
  );
}
