/**
 * The code generator, as a function from request to response.
 *
 * @module
 */

import { create, type DescMethod, type DescService } from "@bufbuild/protobuf";
import {
  type CodeGeneratorRequest,
  type CodeGeneratorResponse,
  CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import type { Plugin, Schema, Target } from "@bufbuild/protoplugin";
import { VERSION } from "../core/version.ts";
import { type Output, writeBase, writeStub } from "./classes.ts";
import { createEcmaScriptPlugin } from "./protoplugin.ts";

/** The options that protoplugin does not know. */
interface Options {
  /** What the library is imported from, without the name of its module. */
  readonly library: string;
}

const EXTENSIONS = {
  ts: "ts",
  js: "js",
  dts: "d.ts",
} as const satisfies Record<Target, string>;

/** A fault in a .proto file, to be told by the compiler that read it. */
class ProtoError extends Error {
  override readonly name = "ProtoError";
}

/** Generates stubs and bases for the services of .proto files. */
export const protocGenGrpclib: Plugin = {
  name: "protoc-gen-grpclib",
  version: `v${VERSION}`,
  run,
};

function run(request: CodeGeneratorRequest): CodeGeneratorResponse {
  const generate = (schema: Schema<Options>, target: Target) => {
    for (const file of schema.files) {
      const name = `${file.name}_grpc.${EXTENSIONS[target]}`;
      const generated = schema.generateFile(name);
      generated.preamble(file);
      // A file without services stays empty, and empty files are left out.
      if (file.services.length === 0) continue;
      const output: Output = {
        file: generated,
        path: `./${file.name}_grpc.js`,
        target,
        library: schema.options.library,
      };
      for (const service of file.services) {
        checkNames(service);
        writeBase(service, output);
        writeStub(service, output);
      }
    }
  };
  const plugin = createEcmaScriptPlugin<Options>({
    name: protocGenGrpclib.name,
    version: protocGenGrpclib.version,
    parseOptions,
    generateTs: generate,
    generateJs: generate,
    generateDts: generate,
  });
  try {
    const response = plugin.run(request);
    for (const file of response.file) {
      // Comments may have spaces that deno lint calls irregular.
      file.content = file.content.replaceAll(
        /[^\S\n\t ]|[\u0085\u180e\u200b]/g,
        " ",
      );
    }
    return response;
  } catch (error) {
    if (!(error instanceof ProtoError)) throw error;
    return create(CodeGeneratorResponseSchema, { error: error.message });
  }
}

function parseOptions(
  options: readonly { readonly key: string; readonly value: string }[],
): Options {
  let library = "@grpclib/grpclib";
  for (const { key, value } of options) {
    if (key !== "library") throw new Error(`unknown option "${key}"`);
    if (value === "") throw new Error(`"library" needs a value`);
    library = value.replace(/\/$/, "");
  }
  return { library };
}

/** Checks that methods do not get the same name, as they may in a .proto file. */
function checkNames(service: DescService): void {
  const methods = new Map<string, DescMethod>();
  for (const method of service.methods) {
    const other = methods.get(method.localName);
    if (other !== undefined) {
      throw new ProtoError(
        `${service.file.proto.name}: Cannot generate ${service.typeName}: rpcs ${other.name} and ${method.name} would both be named ${method.localName}`,
      );
    }
    methods.set(method.localName, method);
  }
}
