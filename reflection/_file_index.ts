/**
 * Finds files by what they declare.
 *
 * @module
 */

import { type DescFile, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** Files, and those that they import, by all that reflection asks for. */
export class FileIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** The files of the extensions of each message, by number. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();

  /**
   * Reads files. Of two with the same name, or that declare the same symbol,
   * the first counts.
   *
   * @param files The files; those that they import are found.
   */
  constructor(files: Iterable<DescFile>) {
    for (const file of withDependencies(files)) this.#add(file);
  }

  /** The file of a name. */
  getFile(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /**
   * The file that declares a symbol: a message, field, oneof, enum or value of
   * one, extension, service or method.
   */
  getFileOf(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  /** The file that declares the extension of a message by its number. */
  getFileOfExtension(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The numbers of all extensions of a message, if there is such a message. */
  getExtensionNumbers(message: string): number[] | undefined {
    const extensions = this.#extensions.get(message);
    return extensions && [...extensions.keys()].sort((a, b) => a - b);
  }

  #add(file: DescFile): void {
    const { proto } = file;
    if (this.#files.has(proto.name)) return;
    this.#files.set(proto.name, file);
    const scope = proto.package === "" ? "" : `${proto.package}.`;
    for (const message of proto.messageType) {
      this.#addMessage(file, scope, message);
    }
    for (const type of proto.enumType) this.#addEnum(file, scope, type);
    for (const field of proto.extension) this.#addExtension(file, scope, field);
    for (const { name, method } of proto.service) {
      this.#addSymbol(file, scope + name);
      for (const rpc of method) {
        this.#addSymbol(file, `${scope}${name}.${rpc.name}`);
      }
    }
  }

  #addMessage(file: DescFile, scope: string, message: DescriptorProto): void {
    const name = scope + message.name;
    const inside = `${name}.`;
    this.#addSymbol(file, name);
    if (!this.#extensions.has(name)) this.#extensions.set(name, new Map());
    for (const { name } of message.field) this.#addSymbol(file, inside + name);
    for (const { name } of message.oneofDecl) {
      this.#addSymbol(file, inside + name);
    }
    for (const nested of message.nestedType) {
      this.#addMessage(file, inside, nested);
    }
    for (const type of message.enumType) this.#addEnum(file, inside, type);
    for (const field of message.extension) {
      this.#addExtension(file, inside, field);
    }
  }

  #addEnum(file: DescFile, scope: string, type: EnumDescriptorProto): void {
    this.#addSymbol(file, scope + type.name);
    // Values stand beside their enum, as in C++.
    for (const { name } of type.value) this.#addSymbol(file, scope + name);
  }

  #addExtension(
    file: DescFile,
    scope: string,
    field: FieldDescriptorProto,
  ): void {
    this.#addSymbol(file, scope + field.name);
    const extendee = field.extendee.replace(/^\./, "");
    let extensions = this.#extensions.get(extendee);
    if (extensions === undefined) {
      this.#extensions.set(extendee, extensions = new Map());
    }
    if (!extensions.has(field.number)) extensions.set(field.number, file);
  }

  #addSymbol(file: DescFile, name: string): void {
    if (!this.#symbols.has(name)) this.#symbols.set(name, file);
  }
}

/**
 * Finds the files that files import, and these import in turn.
 *
 * @param files The files.
 * @returns The files in their order, and behind them what they import.
 */
export function withDependencies(files: Iterable<DescFile>): Set<DescFile> {
  const found = new Set(files);
  // What is added meanwhile is iterated as well.
  for (const { dependencies } of found) {
    for (const file of dependencies) found.add(file);
  }
  return found;
}

const ENCODED = new WeakMap<DescFile, Uint8Array>();

/** The bytes of a file's descriptor. */
export function encodeFile(file: DescFile): Uint8Array {
  let bytes = ENCODED.get(file);
  if (bytes === undefined) {
    bytes = toBinary(FileDescriptorProtoSchema, file.proto);
    ENCODED.set(file, bytes);
  }
  return bytes;
}
