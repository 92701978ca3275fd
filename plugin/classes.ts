/**
 * The classes that are generated for a service.
 *
 * @module
 */

import type { DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import type { GeneratedFile, Printable, Target } from "@bufbuild/protoplugin";
import {
  type Cardinality,
  isClientStreaming,
  isServerStreaming,
} from "../core/cardinality.ts";
import { cardinalityOf, pathOf } from "../_call/descriptor.ts";

/** How a class is declared in the three kinds of file. */
const CLASS = {
  ts: "class",
  js: "class",
  dts: "declare class",
} as const satisfies Record<Target, string>;

/** How a class with methods to be written is declared. */
const ABSTRACT_CLASS = {
  ts: "abstract class",
  js: "class",
  dts: "declare abstract class",
} as const satisfies Record<Target, string>;

/** What makes a method of each kind, and the type of what it makes. */
const METHODS = {
  UNARY_UNARY: { make: "unaryUnary", type: "UnaryUnaryMethod" },
  UNARY_STREAM: { make: "unaryStream", type: "UnaryStreamMethod" },
  STREAM_UNARY: { make: "streamUnary", type: "StreamUnaryMethod" },
  STREAM_STREAM: { make: "streamStream", type: "StreamStreamMethod" },
} as const satisfies Record<Cardinality, unknown>;

/** A file to write classes to. */
export interface Output {
  /** The file, which decides what the names are that are imported. */
  readonly file: GeneratedFile;
  /** The path that the file would be imported from. */
  readonly path: string;
  /** What kind of file it is. */
  readonly target: Target;
  /** What the library is imported from, without the name of its module. */
  readonly library: string;
}

/** Imports something of the library. */
function ofLibrary(
  { file, library }: Output,
  name: string,
  options: { readonly from: "client" | "server"; readonly type?: true },
): Printable {
  const path = `${library}/${options.from}`;
  // A path in the folder of the generated files gets their extension.
  const from = path.startsWith(".") ? `${path}.js` : path;
  return file.import(name, from, options.type ?? false);
}

/** Uses a global name, so that no import takes it away. */
function globalName({ file, path }: Output, name: string): Printable {
  return file.import(name, path);
}

/**
 * Writes the class that a server's handlers are methods of.
 *
 * @param service The service.
 * @param output Where to.
 */
export function writeBase(service: DescService, output: Output): void {
  const { file, target } = output;
  const type = ofLibrary(output, "Service", { from: "server", type: true });
  if (service !== service.file.services[0]) file.print();
  file.print(file.jsDoc(service));
  file.print(
    file.export(ABSTRACT_CLASS[target], `${service.name}Base`),
    target === "js" ? "" : [" implements ", type],
    " {",
  );
  if (target !== "js") {
    for (const method of service.methods) writeHandler(method, output);
  }
  writeMapping(service, output);
  file.print("}");
}

/** Writes the method that is to be implemented for an rpc. */
function writeHandler(method: DescMethod, output: Output): void {
  const { file } = output;
  const cardinality = cardinalityOf(method);
  const direction = (message: DescMessage, many: boolean): Printable => {
    const shape = file.importShape(message);
    if (!many) return shape;
    const type = ofLibrary(output, "Many", { from: "server", type: true });
    return [type, "<", shape, ">"];
  };
  file.print(file.jsDoc(method, "  "));
  file.print(
    ...["  abstract ", method.localName, "(stream: "],
    ofLibrary(output, "ServerStream", { from: "server", type: true }),
    "<",
    direction(method.input, isClientStreaming(cardinality)),
    ", ",
    direction(method.output, isServerStreaming(cardinality)),
    ...[">): ", globalName(output, "Promise"), "<void>;"],
  );
  file.print();
}

/** Writes the method that tells the server what the others are for. */
function writeMapping(service: DescService, output: Output): void {
  const { file, target } = output;
  const type = [
    ...[": ", globalName(output, "Record"), "<string, "],
    ...[ofLibrary(output, "Handler", { from: "server", type: true }), ">"],
  ];
  file.print("  /** Tells the server the handlers of the service. */");
  file.print(
    ...["  [", ofLibrary(output, "mapping", { from: "server" }), "]()"],
    target === "js" ? "" : type,
    target === "dts" ? ";" : " {",
  );
  if (target === "dts") return;
  file.print("    return {");
  for (const method of service.methods) {
    const cardinality = ofLibrary(output, "Cardinality", { from: "server" });
    file.print(`      "${pathOf(method)}": {`);
    file.print(`        handle: (stream) => this.${method.localName}(stream),`);
    file.print(
      "        cardinality: ",
      cardinality,
      ".",
      cardinalityOf(method),
      ",",
    );
    file.print("        requestType: ", file.importSchema(method.input), ",");
    file.print("        replyType: ", file.importSchema(method.output), ",");
    file.print("      },");
  }
  file.print("    };");
  file.print("  }");
}

/**
 * Writes the class of which clients call the methods.
 *
 * @param service The service.
 * @param output Where to.
 */
export function writeStub(service: DescService, output: Output): void {
  const { file, target } = output;
  file.print();
  file.print(file.jsDoc(service));
  file.print(file.export(CLASS[target], `${service.name}Stub`), " {");
  for (const method of service.methods) writeProperty(method, output);
  writeConstructor(service, output);
  file.print("}");
}

/** Writes the property that is called for an rpc. */
function writeProperty(method: DescMethod, output: Output): void {
  const { file, target } = output;
  const name = METHODS[cardinalityOf(method)].type;
  file.print(file.jsDoc(method, "  "));
  if (target === "js") file.print("  ", method.localName, ";");
  else {
    file.print(
      ...["  readonly ", method.localName, ": "],
      ofLibrary(output, name, { from: "client", type: true }),
      ...["<", file.importShape(method.input), ", "],
      ...[file.importShape(method.output), ">;"],
    );
  }
  file.print();
}

/** Writes the constructor, which makes all methods. */
function writeConstructor(service: DescService, output: Output): void {
  const { file, target } = output;
  const unused = service.methods.length === 0 && target !== "dts";
  const type = ofLibrary(output, "Channel", { from: "client", type: true });
  file.print("  /**");
  file.print("   * Makes the methods of the service callable.");
  file.print("   *");
  file.print("   * @param channel The channel to call on.");
  file.print("   */");
  file.print(
    ...["  constructor(", unused ? "_channel" : "channel"],
    target === "js" ? "" : [": ", type],
    target === "dts" ? ");" : ") {",
  );
  if (target === "dts") return;
  for (const method of service.methods) {
    const { make } = METHODS[cardinalityOf(method)];
    file.print(
      ...["    this.", method.localName, " = "],
      ofLibrary(output, make, { from: "client" }),
      ...['(channel, "', pathOf(method), '", '],
      ...[file.importSchema(method.input), ", "],
      ...[file.importSchema(method.output), ");"],
    );
  }
  file.print("  }");
}
