import { create, type DescMessage, toBinary, toJson } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertThrows,
} from "@std/assert";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { seededRandom } from "../_testdata/seeded_random.ts";
import { all, extensions, type FileInit, protoOf } from "../_testdata/files.ts";
import { file_echo } from "../_testdata/gen/echo_pb.ts";
import { FileSet, type Limits } from "./_file_set.ts";

const LIMITS: Limits = { maxFiles: 100, maxBytes: 100_000 };

function encode(...files: FileDescriptorProto[]): Uint8Array[] {
  return files.map((file) => toBinary(FileDescriptorProtoSchema, file));
}

/** A set of files that are made of this. */
function setOf(...files: FileInit[]): FileSet {
  const set = new FileSet(LIMITS);
  set.add(encode(...files.map(protoOf)));
  return set;
}

function assertFaulty(fn: () => unknown, reason: string): GRPCError {
  const error = assertThrows(
    fn,
    GRPCError,
    `Cannot reflect: the descriptors that the server sent are faulty: ${reason}`,
  );
  assertEquals(error.status, Status.INTERNAL);
  return error;
}

Deno.test("FileSet.toRegistry() takes files in any order", () => {
  const files = [all.proto, extensions.proto, file_echo.proto];
  for (const order of [files, files.toReversed()]) {
    const set = new FileSet(LIMITS);
    set.add(encode(...order));
    assertEquals([...set.missing()], []);
    assert(set.declares("grpclib.test.Echo"));
    assert(!set.declares("grpclib.test.EchoRequest"));
    const registry = set.toRegistry();
    assertEquals(
      registry.getService("grpclib.test.Echo")?.methods.length,
      4,
    );
    const outer = registry.getMessage("test.all.Outer")!;
    assertEquals(registry.getExtensionFor(outer, 102)?.name, "second");
  }
});

Deno.test("FileSet.toRegistry() fills in the JSON names that a server leaves out", () => {
  const field = {
    type: FieldDescriptorProto_Type.STRING,
    label: FieldDescriptorProto_Label.OPTIONAL,
  };
  const nested = {
    name: "Inner",
    field: [{ name: "deep_down", number: 1, ...field }],
  };
  const set = setOf({
    name: "a.proto",
    syntax: "proto3",
    messageType: [{
      name: "M",
      field: [
        { name: "left_out", number: 1, ...field },
        { name: "said", number: 2, jsonName: "other", ...field },
      ],
      nestedType: [nested],
    }],
  });
  const registry = set.toRegistry();
  const json = (name: string, fields: Record<string, string>) => {
    const type: DescMessage = registry.getMessage(name)!;
    return toJson(type, create(type, fields));
  };
  assertEquals(json("M", { leftOut: "1", said: "2" }), {
    leftOut: "1",
    other: "2",
  });
  assertEquals(json("M.Inner", { deepDown: "3" }), { deepDown: "3" });
});

Deno.test("FileSet.missing() tells of imports, also of files that are added meanwhile, once each", () => {
  const set = setOf({ name: "a.proto", dependency: ["b.proto", "c.proto"] });
  const asked: string[] = [];
  for (const name of set.missing()) {
    asked.push(name);
    if (name === "b.proto") {
      const dependency = ["a.proto", "d.proto", "c.proto"];
      set.add(encode(protoOf({ name, dependency })));
    }
  }
  assertEquals(asked, ["b.proto", "c.proto", "d.proto"]);
});

Deno.test("FileSet.addWellKnown() knows files that everybody has", () => {
  const set = setOf({
    name: "a.proto",
    dependency: ["google/protobuf/type.proto", "none.proto"],
  });
  for (const name of set.missing()) set.addWellKnown(name);
  const registry = set.toRegistry();
  assertEquals(registry.getFile("a.proto")?.dependencies.length, 1);
  // It is in a file that one of these imports.
  assertEquals(registry.getMessage("google.protobuf.Any")?.name, "Any");
});

Deno.test("FileSet.toRegistry() does without imports that nothing is needed from", () => {
  const set = setOf(
    {
      name: "a.proto",
      dependency: ["none.proto", "b.proto"],
      publicDependency: [1],
      service: [{
        name: "S",
        method: [{ name: "Call", inputType: ".B", outputType: "B" }],
      }],
    },
    { name: "b.proto", messageType: [{ name: "B" }] },
  );
  const service = set.toRegistry().getService("S")!;
  assertEquals(service.methods[0]?.input.typeName, "B");
});

Deno.test("FileSet.toRegistry() throws INTERNAL when files do not fit together", () => {
  const service = (inputType: string): FileInit => ({
    name: "a.proto",
    service: [{ name: "S", method: [{ name: "Call", inputType }] }],
  });
  const { cause } = assertFaulty(
    () => setOf(service(".None")).toRegistry(),
    "invalid MethodDescriptorProto: input_type .None not found",
  );
  assertInstanceOf(cause, Error);
  assertFaulty(
    () => setOf({ name: "a.proto", syntax: "proto9" }).toRegistry(),
    'a.proto: unsupported syntax "proto9"',
  );
  assertFaulty(
    () =>
      setOf({ name: "a.proto", messageType: [{ name: "a b" }] }).toRegistry(),
    'a.proto: invalid message name "a b"',
  );
});

Deno.test("FileSet.toRegistry() throws INTERNAL when files import one another", () => {
  assertFaulty(
    () => setOf({ name: "a.proto", dependency: ["a.proto"] }).toRegistry(),
    '"a.proto" imports itself',
  );
  assertFaulty(
    () =>
      setOf(
        { name: "top.proto", dependency: ["a.proto"] },
        { name: "a.proto", dependency: ["b.proto"] },
        { name: "b.proto", dependency: ["c.proto"] },
        { name: "c.proto", dependency: ["a.proto"] },
      ).toRegistry(),
    '"a.proto" imports itself',
  );
});

Deno.test("FileSet.toRegistry() copes with a long chain of imports", () => {
  const count = 20_000;
  const set = new FileSet({ maxFiles: count, maxBytes: 100_000_000 });
  for (let i = 0; i < count; i++) {
    const dependency = i + 1 < count ? [`${i + 1}.proto`] : [];
    set.add(encode(protoOf({ name: `${i}.proto`, dependency })));
  }
  assertEquals([...set.toRegistry().files].length, count);
});

Deno.test("FileSet.add() throws RESOURCE_EXHAUSTED when there is too much", () => {
  const exhausted = (fn: () => unknown, what: string) => {
    const error = assertThrows(
      fn,
      GRPCError,
      `Cannot reflect: the server has more than ${what}`,
    );
    assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
  };
  const names = Array.from({ length: 101 }, (_, i) => `${i}.proto`);
  exhausted(() => setOf(...names.map((name) => ({ name }))), "100 files");
  exhausted(() => setOf({ name: "a", dependency: names }), "100 files");
  // The same again and again is also too much.
  const file = encode(file_echo.proto)[0]!;
  const set = new FileSet({ maxFiles: 100, maxBytes: file.length * 3 });
  set.add([file, file, file]);
  exhausted(() => set.add([file]), `${file.length * 3} bytes of descriptors`);
});

Deno.test("FileSet.add() throws INTERNAL for what is no descriptor", () => {
  assertFaulty(() => setOf({}), "a file has no name");
  const set = new FileSet(LIMITS);
  const { cause } = assertFaulty(() => set.add([Uint8Array.of(0xff)]), "");
  assertInstanceOf(cause, Error);
});

Deno.test("FileSet.add() throws INTERNAL for messages that are nested too deeply", () => {
  // A message is field 4 of its file, and 3 of the message that it is in. It
  // is written from the inside out, hence backwards.
  const backwards: number[] = [];
  const wrap = (field: number) => {
    const length: number[] = [];
    for (let rest = backwards.length;; rest >>= 7) {
      length.push(rest > 127 ? rest & 127 | 128 : rest);
      if (rest <= 127) break;
    }
    backwards.push(...length.reverse(), field << 3 | 2);
  };
  for (let i = 0; i < 20_000; i++) wrap(3);
  wrap(4);
  const name = [0x0a, 1, 97];
  const file = Uint8Array.from([...name, ...backwards.reverse()]);
  const set = new FileSet({ maxFiles: 100, maxBytes: 1_000_000 });
  assertFaulty(() => {
    set.add([file]);
    set.toRegistry();
  }, "");
});

Deno.test("FileSet takes spoilt descriptors, or throws INTERNAL", () => {
  const random = seededRandom(7);
  const next = (below: number) => Math.floor(random() * below);
  let faulty = 0;
  for (let round = 0; round < 2_000; round++) {
    const files = encode(all.proto, extensions.proto, file_echo.proto);
    for (let i = next(4); i >= 0; i--) {
      const file = files[next(files.length)]!;
      file[next(file.length)] = next(256);
    }
    const set = new FileSet(LIMITS);
    try {
      set.add(files);
      set.toRegistry();
    } catch (error) {
      assertInstanceOf(error, GRPCError);
      assertEquals(error.status, Status.INTERNAL);
      faulty++;
    }
  }
  assert(faulty > 500 && faulty < 2_000, `${faulty} were faulty`);
});
