import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Configuration, type ConfigurationOptions } from "./config.ts";

type Name = keyof ConfigurationOptions;

const DEFAULTS: Required<ConfigurationOptions> = {
  http2ConnectionWindowSize: 4_194_304,
  http2StreamWindowSize: 4_194_304,
  maxReceiveMessageSize: 4_194_304,
  maxSendMessageSize: 4_294_967_295,
  connectTimeoutMs: 20_000,
};

const INTEGERS: [Name, number, number][] = [
  ["http2ConnectionWindowSize", 65_535, 2_147_483_647],
  ["http2StreamWindowSize", 65_535, 2_147_483_647],
  ["maxReceiveMessageSize", 0, 4_294_967_295],
  ["maxSendMessageSize", 0, 4_294_967_295],
];

Deno.test("Configuration has the documented defaults", () => {
  assertEquals({ ...new Configuration() }, DEFAULTS);
  assertEquals({ ...new Configuration({}) }, DEFAULTS);
});

Deno.test("Configuration takes each option and leaves the others alone", () => {
  for (const name of Object.keys(DEFAULTS) as Name[]) {
    assertEquals(
      { ...new Configuration({ [name]: 100_000 }) },
      { ...DEFAULTS, [name]: 100_000 },
    );
  }
});

Deno.test("Configuration takes undefined for an absent option", () => {
  for (const name of Object.keys(DEFAULTS) as Name[]) {
    const options = { [name]: undefined } as unknown as ConfigurationOptions;
    assertEquals({ ...new Configuration(options) }, DEFAULTS);
  }
});

Deno.test("Configuration includes the limits of its integers", () => {
  for (const [name, min, max] of INTEGERS) {
    assertEquals(new Configuration({ [name]: min })[name], min);
    assertEquals(new Configuration({ [name]: max })[name], max);
  }
});

Deno.test("Configuration refuses integers beyond the limits, and fractions", () => {
  for (const [name, min, max] of INTEGERS) {
    const cases = [min - 1, max + 1, min + 0.5, NaN, Infinity, -Infinity];
    for (const value of cases) {
      assertThrows(
        () => new Configuration({ [name]: value }),
        RangeError,
        `Cannot create configuration: ${name} must be an integer from ${min} to ${max}, received ${value}`,
      );
    }
  }
});

Deno.test("Configuration takes a connectTimeoutMs up to the longest delay, with a fraction", () => {
  for (const connectTimeoutMs of [0.5, 1, 1_000.25, 2_147_483_647]) {
    const config = new Configuration({ connectTimeoutMs });
    assertEquals(config.connectTimeoutMs, connectTimeoutMs);
  }
});

Deno.test("Configuration refuses a connectTimeoutMs that is no delay", () => {
  for (const connectTimeoutMs of [0, -1, 2_147_483_648, NaN, Infinity]) {
    assertThrows(
      () => new Configuration({ connectTimeoutMs }),
      RangeError,
      `Cannot create configuration: connectTimeoutMs must be more than 0 and at most 2147483647, received ${connectTimeoutMs}`,
    );
  }
});

Deno.test("Configuration refuses options of the wrong type", () => {
  const cases: [unknown, string][] = [
    ["100000", "string"],
    [100_000n, "bigint"],
    [null, "null"],
    [true, "boolean"],
    [{}, "Object"],
  ];
  for (const name of Object.keys(DEFAULTS)) {
    for (const [value, kind] of cases) {
      assertThrows(
        () => new Configuration({ [name]: value } as ConfigurationOptions),
        TypeError,
        `Cannot create configuration: ${name} must be a number, received ${kind}`,
      );
    }
  }
});

Deno.test("Configuration refuses unknown options and names the known ones", () => {
  for (const name of ["http2StreamWindow", "constructor", "toString"]) {
    const error = assertThrows(
      () => new Configuration({ [name]: 1 } as ConfigurationOptions),
      TypeError,
      `Cannot create configuration: there is no option "${name}", only `,
    );
    for (const known of Object.keys(DEFAULTS)) {
      assert(error.message.includes(known));
    }
  }
});

Deno.test("Configuration refuses options that are no object", () => {
  for (const options of [null, 5, "fast"]) {
    assertThrows(
      () => new Configuration(options as unknown as ConfigurationOptions),
      TypeError,
      "Cannot create configuration: options must be an object, received ",
    );
  }
});

Deno.test("Configuration is frozen", () => {
  const config = new Configuration() as { connectTimeoutMs: number };
  assert(Object.isFrozen(config));
  assertThrows(() => config.connectTimeoutMs = 1, TypeError);
});

Deno.test("Configuration.from() keeps a configuration and makes one of the rest", () => {
  const config = new Configuration({ connectTimeoutMs: 5 });
  assertStrictEquals(Configuration.from(config), config);
  assertEquals({ ...Configuration.from(undefined) }, DEFAULTS);
  assertEquals(Configuration.from({ connectTimeoutMs: 5 }), config);
});
