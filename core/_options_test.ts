import { assertEquals, assertThrows } from "@std/assert";
import {
  checkBoolean,
  checkFunction,
  checkMethods,
  checkOptions,
  type OptionNames,
} from "./_options.ts";

interface Options {
  readonly timeoutMs?: number;
  readonly waitForReady?: boolean;
}

const NAMES: OptionNames<Options> = { timeoutMs: true, waitForReady: true };

Deno.test("checkOptions() takes what there is", () => {
  checkOptions("Cannot call", {}, NAMES);
  checkOptions("Cannot call", { timeoutMs: 1, waitForReady: true }, NAMES);
});

Deno.test("checkOptions() throws for an unknown name, and tells the nearest", () => {
  const cases: [string, string][] = [
    ["timeout", "timeoutMs"],
    ["wait_for_ready", "waitForReady"],
    ["toString", "timeoutMs"],
  ];
  for (const [name, found] of cases) {
    const error = assertThrows(
      () => checkOptions("Cannot call", { [name]: 1 } as Options, NAMES),
      TypeError,
    );
    assertEquals(
      error.message,
      `Cannot call: there is no option "${name}", the nearest is "${found}"`,
    );
  }
  assertThrows(
    () =>
      checkOptions("Cannot call", { timeout: 1 } as Options, NAMES, "retry."),
    TypeError,
    'there is no option "retry.timeout", the nearest is "retry.timeoutMs"',
  );
});

Deno.test("checkOptions() throws unless there is an object", () => {
  for (
    const [value, found] of [
      [null, "null"],
      [5, "number"],
      [[], "Array"],
      [new Map([["timeoutMs", 5]]), "Map"],
    ] as const
  ) {
    assertThrows(
      () => checkOptions("Cannot call", value as unknown as Options, NAMES),
      TypeError,
      `Cannot call: options must be an object, received ${found}`,
    );
  }
  assertThrows(
    () =>
      checkOptions("Cannot call", null as unknown as Options, NAMES, "tls."),
    TypeError,
    "Cannot call: tls must be an object, received null",
  );
});

Deno.test("checkBoolean(), checkFunction() and checkMethods() take what is absent, and nothing of another type", () => {
  const codec = { type: "a Codec", methods: ["encode"] };
  checkBoolean("Cannot call", "x", undefined);
  checkBoolean("Cannot call", "x", false);
  checkFunction("Cannot call", "x", undefined);
  checkFunction("Cannot call", "x", () => {});
  checkMethods("Cannot call", "x", undefined, codec);
  checkMethods("Cannot call", "x", { encode() {} }, codec);
  const cases: [() => void, string][] = [
    [
      () => checkBoolean("Cannot call", "x", null as unknown as boolean),
      "x must be true or false, received null",
    ],
    [
      () => checkFunction("Cannot call", "x", "y"),
      "x must be a function, received string",
    ],
    [
      () => checkMethods("Cannot call", "x", null, codec),
      "x must be a Codec, received null",
    ],
    [
      () => checkMethods("Cannot call", "x", { encode: 1 }, codec),
      "x must be a Codec, received Object",
    ],
  ];
  for (const [check, message] of cases) {
    assertThrows(check, TypeError, `Cannot call: ${message}`);
  }
});
