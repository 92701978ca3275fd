/**
 * Files that no compiler has seen: descriptors for the tests of reflection.
 *
 * @module
 */

import {
  create,
  createFileRegistry,
  type DescFile,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** What a file is made of. */
export type FileInit = Exclude<
  MessageInitShape<typeof FileDescriptorProtoSchema>,
  FileDescriptorProto
>;

/** Makes the descriptor of a file. */
export function protoOf(
  init: FileInit | FileDescriptorProto,
): FileDescriptorProto {
  return create(FileDescriptorProtoSchema, init);
}

/** Makes a file that imports others. */
export function fileOf(init: FileInit, ...imported: DescFile[]): DescFile {
  const proto = protoOf({
    ...init,
    dependency: imported.map(({ proto }) => proto.name),
  });
  const find = (name: string) =>
    imported.find(({ proto }) => proto.name === name);
  return createFileRegistry(proto, find).getFile(proto.name)!;
}

const optional = {
  label: FieldDescriptorProto_Label.OPTIONAL,
  type: FieldDescriptorProto_Type.STRING,
};

/** Things of all sorts, in `test.all`. */
export const all: DescFile = fileOf({
  name: "test/all.proto",
  package: "test.all",
  syntax: "proto2",
  messageType: [{
    name: "Outer",
    field: [{ name: "a_field", number: 1, ...optional }],
    oneofDecl: [{ name: "choice" }],
    extensionRange: [{ start: 100, end: 200 }],
    nestedType: [{
      name: "Inner",
      field: [{ name: "deep", number: 1, ...optional }],
    }],
    enumType: [{
      name: "Colour",
      value: [{ name: "RED", number: 0 }],
    }],
  }],
  enumType: [{ name: "Size", value: [{ name: "SMALL", number: 0 }] }],
  service: [{
    name: "Service",
    method: [{
      name: "Call",
      inputType: ".test.all.Outer",
      outputType: ".test.all.Outer.Inner",
    }],
  }],
});

/** Extensions of what is in {@linkcode all}. */
export const extensions: DescFile = fileOf({
  name: "test/extensions.proto",
  package: "test.extensions",
  syntax: "proto2",
  extension: [
    { name: "second", number: 102, extendee: ".test.all.Outer", ...optional },
    { name: "first", number: 101, extendee: ".test.all.Outer", ...optional },
  ],
  messageType: [{
    name: "Scope",
    extension: [
      { name: "third", number: 103, extendee: ".test.all.Outer", ...optional },
    ],
  }],
}, all);
