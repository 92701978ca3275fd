import { assertEquals, assertStrictEquals } from "@std/assert";
import { HeaderBlock } from "../../_wire/header_block.ts";
import { headerObject } from "./header_object.ts";

Deno.test("headerObject() makes an array of the values of a repeated name", () => {
  const block = new HeaderBlock(["a", "1"], ["b", "2", "a", "3", "a", "4"]);
  assertEquals(Object.entries(headerObject(block)), [
    ["a", ["1", "3", "4"]],
    ["b", "2"],
  ]);
});

Deno.test("headerObject() keeps what it made of shared fields, and does not change it", () => {
  const shared = ["a", "1"];
  const bare = headerObject(new HeaderBlock(shared));
  assertStrictEquals(headerObject(new HeaderBlock(shared)), bare);
  assertEquals(headerObject(new HeaderBlock(shared, ["a", "2", "b", "3"])), {
    a: ["1", "2"],
    b: "3",
  });
  assertEquals(bare, { a: "1" });
});

Deno.test("headerObject() does not change shared fields that are repeated", () => {
  const shared = ["a", "1", "a", "2"];
  const next = new HeaderBlock(["c", "4"], ["a", "5"]);
  assertEquals(headerObject(new HeaderBlock(shared, ["a", "3"], next)), {
    a: ["1", "2", "3", "5"],
    c: "4",
  });
  assertEquals(headerObject(new HeaderBlock(shared)), { a: ["1", "2"] });
});

Deno.test("headerObject() joins values where node:http2 takes only one", () => {
  const names = [
    "authorization",
    "date",
    "etag",
    "referer",
    "proxy-authorization",
  ];
  for (const name of names) {
    const block = new HeaderBlock([], [name, "1", name, "2", name, "3"]);
    assertEquals(headerObject(block), { [name]: "1,2,3" });
  }
});

/** Runs a function while `__proto__` is an accessor, as in Node; Deno took it away. */
function withProtoAccessor(run: () => void): void {
  Object.defineProperty(Object.prototype, "__proto__", {
    configurable: true,
    get() {
      return Object.getPrototypeOf(this);
    },
    set(prototype) {
      if (typeof prototype === "object") Object.setPrototypeOf(this, prototype);
    },
  });
  try {
    run();
  } finally {
    delete (Object.prototype as { __proto__?: unknown }).__proto__;
  }
}

Deno.test("headerObject() writes names that objects have of themselves", () => {
  const names = ["constructor", "__proto__", "valueof", "tostring"];
  for (const name of names) {
    for (const values of [["1"], ["1", "2"], ["1", "2", "3"]]) {
      const list = values.flatMap((value) => [name, value]);
      const expected = { [name]: values.length === 1 ? "1" : values };
      assertEquals<unknown>(headerObject(new HeaderBlock([], list)), expected);
      let made = {};
      withProtoAccessor(() => made = headerObject(new HeaderBlock([], list)));
      assertEquals<unknown>(made, expected);
      assertStrictEquals(Object.getPrototypeOf(made), Object.prototype);
    }
  }
});
