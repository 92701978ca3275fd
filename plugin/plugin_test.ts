import { create, type DescFile } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { VERSION } from "../core/version.ts";
import { protocGenGrpclib } from "./plugin.ts";
import { file_imports } from "./testdata/gen/imports_pb.ts";
import { file_no_services } from "./testdata/gen/no_services_pb.ts";
import { file_shared_nested } from "./testdata/gen/shared/nested_pb.ts";
import { file_tour } from "./testdata/gen/tour_pb.ts";

/** Generates code for files; those that they import are there, too. */
function generate(
  parameter: string,
  ...files: readonly DescFile[]
): Record<string, string> {
  const protos = new Map<string, FileDescriptorProto>();
  const add = ({ proto, dependencies }: DescFile) => {
    dependencies.forEach(add);
    protos.set(proto.name, proto);
  };
  files.forEach(add);
  return run(parameter, files.map(({ proto }) => proto.name), [
    ...protos.values(),
  ]);
}

function run(
  parameter: string,
  fileToGenerate: string[],
  protoFile: FileDescriptorProto[],
): Record<string, string> {
  const response = protocGenGrpclib.run(
    create(CodeGeneratorRequestSchema, {
      parameter,
      fileToGenerate,
      protoFile,
    }),
  );
  if (response.error !== "") throw new Error(response.error);
  return Object.fromEntries(
    response.file.map(({ name, content }) => [name, content]),
  );
}

/** The modules that a file imports, each once, in the order of their names. */
function importsOf(source: string | undefined): string[] {
  const found = (source ?? "").matchAll(/^import .* from "(.*)";$/gm);
  return [...new Set(Array.from(found, ([, from]) => from!))].sort();
}

const targets: [target: string, names: string[]][] = [
  ["target=ts", ["tour_grpc.ts"]],
  ["target=js", ["tour_grpc.js"]],
  ["target=dts", ["tour_grpc.d.ts"]],
  ["target=js+dts", ["tour_grpc.js", "tour_grpc.d.ts"]],
  ["target=ts+js", ["tour_grpc.ts", "tour_grpc.js"]],
  ["", ["tour_grpc.js", "tour_grpc.d.ts"]],
];

for (const [target, names] of targets) {
  Deno.test(`protocGenGrpclib makes ${names.join(" and ")} with "${target}"`, () => {
    assertEquals(Object.keys(generate(target, file_tour)), names);
  });
}

Deno.test("protocGenGrpclib makes classes without types for JavaScript", () => {
  const { "tour_grpc.js": source } = generate("target=js", file_tour);
  assertMatch(source!, /^export class TourBase \{\n/m);
  assertMatch(source!, /^ {2}\[mapping\]\(\) \{\n/m);
  assertMatch(source!, /^ {2}describe;\n/m);
  assertMatch(source!, /^ {2}constructor\(channel\) \{\n/m);
  assertEquals(/Promise|Handler|import type/.test(source!), false);
});

Deno.test("protocGenGrpclib makes declarations of classes", () => {
  const { "tour_grpc.d.ts": source } = generate("target=dts", file_tour);
  assertMatch(
    source!,
    /^export declare abstract class TourBase implements Service \{\n/m,
  );
  assertMatch(source!, /^ {2}\[mapping\]\(\): Record<string, Handler>;\n/m);
  assertMatch(source!, /^export declare class TourStub \{\n/m);
  assertMatch(source!, /^ {2}constructor\(channel: Channel\);\n/m);
  assertEquals(
    /return|this/.test(source!.replaceAll(/\/\*.*?\*\//gs, "")),
    false,
  );
});

const extensions: [option: string, from: string][] = [
  ["", "./tour_pb"],
  ["import_extension=none", "./tour_pb"],
  ["import_extension=ts", "./tour_pb.ts"],
  ["import_extension=js", "./tour_pb.js"],
  ["import_extension=.ts", "./tour_pb.ts"],
];

for (const [option, from] of extensions) {
  Deno.test(`protocGenGrpclib imports ${from} with "${option}"`, () => {
    const files = generate(`target=ts${option && `,${option}`}`, file_tour);
    assertEquals(importsOf(files["tour_grpc.ts"])[0], from);
  });
}

const libraries: [option: string, client: string, server: string][] = [
  ["", "@grpclib/grpclib/client", "@grpclib/grpclib/server"],
  ["library=grpc", "grpc/client", "grpc/server"],
  ["library=grpc/", "grpc/client", "grpc/server"],
  [
    "library=jsr:@grpclib/grpclib@^0.1.0",
    "jsr:@grpclib/grpclib@^0.1.0/client",
    "jsr:@grpclib/grpclib@^0.1.0/server",
  ],
  ["library=../..", "../../client.ts", "../../server.ts"],
  ["library=./lib", "./lib/client.ts", "./lib/server.ts"],
  [
    "rewrite_imports=@grpclib/*/client:a,rewrite_imports=@grpclib/*/server:b",
    "a",
    "b",
  ],
];

for (const [option, client, server] of libraries) {
  Deno.test(`protocGenGrpclib imports the library from ${client} with "${option}"`, () => {
    const files = generate(
      `target=ts,import_extension=ts,${option}`.replace(/,$/, ""),
      file_tour,
    );
    assertEquals(
      importsOf(files["tour_grpc.ts"]),
      [client, server, "./tour_pb.ts"].sort(),
    );
  });
}

Deno.test("protocGenGrpclib imports messages from where they are defined", () => {
  const files = generate("target=ts,import_extension=ts", file_imports);
  assertEquals(importsOf(files["imports_grpc.ts"]), [
    "./imports_pb.ts",
    "./shared/deep_pb.ts",
    "./shared/nested_pb.ts",
    "@bufbuild/protobuf/wkt",
    "@grpclib/grpclib/client",
    "@grpclib/grpclib/server",
  ]);
});

Deno.test("protocGenGrpclib rewrites imports of messages", () => {
  const options = "target=ts,rewrite_imports=./shared/*_pb.js:@example/shared";
  const files = generate(options, file_imports);
  assertEquals(importsOf(files["imports_grpc.ts"]), [
    "./imports_pb",
    "@bufbuild/protobuf/wkt",
    "@example/shared/shared/deep_pb.js",
    "@example/shared/shared/nested_pb.js",
    "@grpclib/grpclib/client",
    "@grpclib/grpclib/server",
  ]);
});

Deno.test("protocGenGrpclib makes nothing of files without services", () => {
  assertEquals(generate("target=ts", file_no_services), {});
  const both = generate("target=ts", file_no_services, file_tour);
  assertEquals(Object.keys(both), ["tour_grpc.ts"]);
});

Deno.test("protocGenGrpclib makes what it is asked for, not what that imports", () => {
  const files = generate("target=ts", file_shared_nested, file_imports);
  assertEquals(Object.keys(files), ["imports_grpc.ts"]);
});

Deno.test("protocGenGrpclib tells its version and options in the first line", () => {
  const line = (options: string) =>
    generate(options, file_tour)["tour_grpc.ts"]!.split("\n")[0];
  assertEquals(
    line("target=ts"),
    `// @generated by protoc-gen-grpclib v${VERSION} with parameter "target=ts"`,
  );
  assertEquals(
    line("target=ts,elide_plugin_version=true"),
    `// @generated by protoc-gen-grpclib with parameter "target=ts,elide_plugin_version=true"`,
  );
});

Deno.test("protocGenGrpclib makes CommonJS with js_import_style=legacy_commonjs", () => {
  const options = "target=js,js_import_style=legacy_commonjs";
  const { "tour_grpc.js": source } = generate(options, file_tour);
  assertMatch(
    source!,
    /^const \{ .* \} = require\("@grpclib\/grpclib\/client"\);$/m,
  );
  assertMatch(source!, /^class TourBase \{$/m);
  assertMatch(
    source!,
    /\n\nexports.TourBase = TourBase;\nexports.TourStub = TourStub;\n$/,
  );
});

const faults: [option: string, message: string][] = [
  ["foo=1", 'invalid option "foo=1": unknown option "foo"'],
  ["library=x,foo", 'unknown option "foo"'],
  ["library=", 'invalid option "library=": "library" needs a value'],
  ["target=go", 'invalid option "target=go"'],
  ["import_extension=mjs", 'invalid option "import_extension=mjs"'],
  ["rewrite_imports=x", 'invalid option "rewrite_imports=x"'],
];

for (const [option, message] of faults) {
  Deno.test(`protocGenGrpclib refuses "${option}"`, () => {
    assertThrows(() => generate(option, file_tour), Error, message);
  });
}

Deno.test("protocGenGrpclib refuses rpcs of which the names become the same", () => {
  const proto = structuredClone(file_tour.proto);
  proto.service[0]!.method[1]!.name = "describe";
  assertThrows(
    () => run("target=ts", ["tour.proto"], [proto]),
    Error,
    "tour.proto: Cannot generate tour.Tour: rpcs Describe and describe would both be named describe",
  );
});
