import { assertEquals, assertStrictEquals } from "@std/assert";
import { all, extensions, fileOf } from "../_testdata/files.ts";
import { FileIndex, withDependencies } from "./_file_index.ts";

const index = new FileIndex([extensions]);

Deno.test("FileIndex.getFile() finds files, and those that they import", () => {
  assertStrictEquals(index.getFile("test/extensions.proto"), extensions);
  assertStrictEquals(index.getFile("test/all.proto"), all);
  assertEquals(index.getFile("test/all"), undefined);
  assertEquals(index.getFile(""), undefined);
});

const SYMBOLS = {
  "test/all.proto": [
    "test.all.Outer",
    "test.all.Outer.a_field",
    "test.all.Outer.choice",
    "test.all.Outer.Inner",
    "test.all.Outer.Inner.deep",
    "test.all.Outer.Colour",
    "test.all.Outer.RED",
    "test.all.Size",
    "test.all.SMALL",
    "test.all.Service",
    "test.all.Service.Call",
  ],
  "test/extensions.proto": [
    "test.extensions.first",
    "test.extensions.second",
    "test.extensions.Scope",
    "test.extensions.Scope.third",
  ],
};

Deno.test("FileIndex.getFileOf() finds the file of every kind of symbol", () => {
  for (const [name, symbols] of Object.entries(SYMBOLS)) {
    for (const symbol of symbols) {
      assertEquals(index.getFileOf(symbol)?.proto.name, name, symbol);
    }
  }
});

Deno.test("FileIndex.getFileOf() finds nothing where there is nothing", () => {
  const none = ["", "test", "test.all", ".test.all.Outer", "test.all.Outer.x"];
  for (const symbol of [...none, "Outer", "toString", "__proto__"]) {
    assertEquals(index.getFileOf(symbol), undefined, symbol);
  }
});

Deno.test("FileIndex.getFileOfExtension() finds extensions by number", () => {
  for (const number of [101, 102, 103]) {
    const file = index.getFileOfExtension("test.all.Outer", number);
    assertStrictEquals(file, extensions);
  }
  assertEquals(index.getFileOfExtension("test.all.Outer", 104), undefined);
  assertEquals(index.getFileOfExtension("test.all.None", 101), undefined);
});

Deno.test("FileIndex.getExtensionNumbers() sorts them, and tells none from no message", () => {
  const numbers = (name: string) => index.getExtensionNumbers(name);
  assertEquals(numbers("test.all.Outer"), [101, 102, 103]);
  assertEquals(numbers("test.all.Outer.Inner"), []);
  assertEquals(numbers("test.all.Service"), undefined);
  assertEquals(numbers("test.all.None"), undefined);
});

Deno.test("FileIndex keeps the first of two files with one name, and the first declaration of a symbol", () => {
  const other = fileOf({
    name: "test/all.proto",
    messageType: [{ name: "Other" }],
  });
  const copy = fileOf({
    name: "test/copy.proto",
    package: "test.all",
    messageType: [{ name: "Outer" }],
  });
  const index = new FileIndex([all, other, copy]);
  assertStrictEquals(index.getFile("test/all.proto"), all);
  assertEquals(index.getFileOf("Other"), undefined);
  assertStrictEquals(index.getFileOf("test.all.Outer"), all);
});

Deno.test("FileIndex finds symbols of files without a package", () => {
  const file = fileOf({ name: "bare.proto", messageType: [{ name: "Bare" }] });
  assertStrictEquals(new FileIndex([file]).getFileOf("Bare"), file);
});

Deno.test("withDependencies() tells each file once", () => {
  const left = fileOf({ name: "left.proto" }, all);
  const right = fileOf({ name: "right.proto" }, all);
  const top = fileOf({ name: "top.proto" }, left, right);
  assertEquals([...withDependencies([top])], [top, left, right, all]);
});
