import { assertEquals, assertThrows } from "@std/assert";
import { asConsumer } from "./consumer_check.ts";
import { withStandIns } from "./publish_check.ts";
import { withoutLinks } from "./without_links.ts";

const config = {
  name: "@a/b",
  links: ["./_std/assert"],
  tasks: { test: { command: "deno test --doc" }, ok: { command: "deno lint" } },
  publish: { exclude: ["docs/", "_std/"] },
};

Deno.test("withoutLinks() drops links and lock, and tests with that", () => {
  assertEquals(withoutLinks(config, "other.json"), {
    name: "@a/b",
    lock: false,
    tasks: { test: { command: "deno test --config=other.json --doc" } },
    publish: { exclude: ["docs/", "_std/"] },
  });
});

Deno.test("withoutLinks() refuses a task that it does not know to change", () => {
  const other = { ...config, tasks: { test: { command: "make test" } } };
  assertThrows(() => withoutLinks(other, "a.json"), Error, '"make test"');
});

Deno.test("withStandIns() publishes the stand-ins", () => {
  assertEquals(withStandIns(config), {
    ...config,
    publish: { exclude: ["docs/"] },
  });
});

Deno.test("asConsumer() leaves the compiler to its own options", () => {
  const strict = { exactOptionalPropertyTypes: true };
  const exports = { ".": "./mod.ts" };
  assertEquals(asConsumer({ ...config, exports, compilerOptions: strict }), {
    ...config,
    exports,
    lock: { path: "./deno.lock", frozen: true },
  });
});
