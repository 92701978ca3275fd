import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Configuration, type ConfigurationOptions } from "./config.ts";

type Name = keyof ConfigurationOptions;

/** What a configuration is made of, by name. */
type Fields = Record<Name, unknown>;

const MAX_INT = 2_147_483_647;

const DEFAULTS: Fields = {
  http2ConnectionWindowSize: 4_194_304,
  http2StreamWindowSize: 4_194_304,
  maxReceiveMessageSize: 4_194_304,
  maxSendMessageSize: 4_294_967_295,
  minCompressMessageSize: 1024,
  maxHeaderListSize: 65_536,
  connectTimeoutMs: 20_000,
  connectionAttemptDelayMs: 250,
  minResolutionIntervalMs: 30_000,
  resolutionRefreshMs: 60_000,
  initialReconnectBackoffMs: 1_000,
  maxReconnectBackoffMs: 120_000,
  keepaliveTimeMs: undefined,
  keepaliveTimeoutMs: 20_000,
  keepalivePermitWithoutCalls: false,
  http2MaxPingsWithoutData: 2,
  http2MinSentPingIntervalWithoutDataMs: 300_000,
  idleTimeoutMs: 1_800_000,
  tlsTargetNameOverride: undefined,
  http2MinRecvPingIntervalWithoutDataMs: 300_000,
  http2MaxPingStrikes: 2,
  maxConnectionAgeMs: Infinity,
  maxConnectionAgeGraceMs: Infinity,
  maxConnectionIdleMs: Infinity,
  maxConcurrentStreams: 1_000,
  maxConnections: 2000,
  maxConnectionsPerAddress: Infinity,
  maxResetStreamsPerSecond: 500,
  maxHeldBytes: 100_663_296,
  maxHeldBytesPerConnection: 25_165_824,
  maxDecompressionRatio: 1_100,
  maxRunningCalls: 4_000,
  maxRunningCallsPerMethod: Infinity,
  maxQueuedCalls: 1_000,
  maxQueueTimeMs: 10_000,
  requestTimeoutMs: 60_000,
  maxEventLoopDelayMs: 5_000,
  maxAttemptsLimit: 5,
  perCallRetryBufferSize: 1_048_576,
  retryBufferSize: 16_777_216,
};

const NAMES = Object.keys(DEFAULTS) as Name[];

/** Name, least, most, and whether Infinity is allowed beside them. */
const INTEGERS: [Name, number, number, boolean][] = [
  ["http2ConnectionWindowSize", 65_535, MAX_INT, false],
  ["http2StreamWindowSize", 65_535, MAX_INT, false],
  ["maxReceiveMessageSize", 0, 4_294_967_295, false],
  ["maxSendMessageSize", 0, 4_294_967_295, false],
  ["minCompressMessageSize", 0, 4_294_967_295, false],
  ["maxHeaderListSize", 1_024, MAX_INT, false],
  ["http2MaxPingsWithoutData", 0, MAX_INT, false],
  ["http2MaxPingStrikes", 0, MAX_INT, false],
  ["maxConcurrentStreams", 1, MAX_INT, false],
  ["maxConnections", 1, MAX_INT, true],
  ["maxConnectionsPerAddress", 1, MAX_INT, true],
  ["maxResetStreamsPerSecond", 1, MAX_INT, true],
  ["maxHeldBytes", 65_536, Number.MAX_SAFE_INTEGER, true],
  ["maxHeldBytesPerConnection", 65_536, Number.MAX_SAFE_INTEGER, true],
  ["maxDecompressionRatio", 1, MAX_INT, true],
  ["maxRunningCalls", 1, MAX_INT, true],
  ["maxRunningCallsPerMethod", 1, MAX_INT, true],
  ["maxQueuedCalls", 0, MAX_INT, true],
  ["maxAttemptsLimit", 2, MAX_INT, false],
  ["perCallRetryBufferSize", 0, MAX_INT, false],
  ["retryBufferSize", 0, MAX_INT, false],
];

/** Name, whether 0 is allowed, and whether Infinity is. */
const DELAYS: [Name, boolean, boolean][] = [
  ["connectTimeoutMs", false, false],
  ["connectionAttemptDelayMs", false, false],
  ["minResolutionIntervalMs", true, false],
  ["resolutionRefreshMs", false, true],
  ["initialReconnectBackoffMs", false, false],
  ["maxReconnectBackoffMs", false, false],
  ["keepaliveTimeMs", false, true],
  ["keepaliveTimeoutMs", false, false],
  ["http2MinSentPingIntervalWithoutDataMs", true, false],
  ["idleTimeoutMs", false, true],
  ["http2MinRecvPingIntervalWithoutDataMs", true, false],
  ["maxConnectionAgeMs", false, true],
  ["maxConnectionAgeGraceMs", true, true],
  ["maxConnectionIdleMs", false, true],
  ["maxQueueTimeMs", false, true],
  ["requestTimeoutMs", false, true],
  ["maxEventLoopDelayMs", false, true],
];

const NUMBERS = [...INTEGERS, ...DELAYS].map(([name]) => name);

/** A value that an option may have and that is not its default. */
function other(name: Name): unknown {
  if (name === "keepalivePermitWithoutCalls") return true;
  return name === "tlsTargetNameOverride" ? "example.com" : 100_000;
}

/** Makes a configuration of what the types would not let through. */
function make(options: Record<string, unknown>): Configuration {
  return new Configuration(options as ConfigurationOptions);
}

Deno.test("the cases of this test are about every option", () => {
  assertEquals(
    [...NUMBERS, "keepalivePermitWithoutCalls", "tlsTargetNameOverride"].sort(),
    [...NAMES].sort(),
  );
});

Deno.test("Configuration has the documented defaults", () => {
  assertEquals({ ...new Configuration() } as Fields, DEFAULTS);
  assertEquals({ ...new Configuration({}) } as Fields, DEFAULTS);
});

Deno.test("Configuration takes each option and leaves the others alone", () => {
  for (const name of NAMES) {
    const value = other(name);
    assertEquals(
      { ...make({ [name]: value }) } as Fields,
      { ...DEFAULTS, [name]: value },
    );
  }
});

Deno.test("Configuration takes undefined for an absent option", () => {
  for (const name of NAMES) {
    assertEquals({ ...make({ [name]: undefined }) } as Fields, DEFAULTS);
  }
});

Deno.test("Configuration takes the fields of another configuration", () => {
  const options = Object.fromEntries(NAMES.map((name) => [name, other(name)]));
  const config = make(options);
  assertEquals(make({ ...config }), config);
  assertEquals(make({ ...config, connectTimeoutMs: 5 }).connectTimeoutMs, 5);
});

Deno.test("Configuration includes the limits of its integers", () => {
  for (const [name, min, max, orInfinity] of INTEGERS) {
    const values = orInfinity ? [min, max, Infinity] : [min, max];
    for (const value of values) {
      assertEquals(make({ [name]: value })[name], value);
    }
  }
});

Deno.test("Configuration refuses integers beyond the limits, and fractions", () => {
  for (const [name, min, max, orInfinity] of INTEGERS) {
    const values = [min - 1, max + 1, min + 0.5, NaN, -Infinity];
    if (!orInfinity) values.push(Infinity);
    for (const value of values) {
      const { message } = assertThrows(
        () => make({ [name]: value }),
        RangeError,
      );
      assertEquals(
        message,
        `Cannot create configuration: ${name} must be an integer from ${min} to ${max}${
          orInfinity ? ", or Infinity" : ""
        }, received ${value}`,
      );
    }
  }
});

Deno.test("Configuration takes delays up to the longest, with a fraction", () => {
  for (const [name, orZero, orInfinity] of DELAYS) {
    const values = [0.5, 1, 1_000.25, MAX_INT];
    if (orZero) values.push(0);
    if (orInfinity) values.push(Infinity);
    for (const value of values) {
      assertEquals(make({ [name]: value })[name], value);
    }
  }
});

Deno.test("Configuration refuses delays that no timer keeps", () => {
  for (const [name, orZero, orInfinity] of DELAYS) {
    const values = [-1, MAX_INT + 1, NaN, -Infinity];
    if (!orZero) values.push(0);
    if (!orInfinity) values.push(Infinity);
    for (const value of values) {
      const { message } = assertThrows(
        () => make({ [name]: value }),
        RangeError,
      );
      assertEquals(
        message,
        `Cannot create configuration: ${name} must be ${
          orZero ? `from 0 to ${MAX_INT}` : `more than 0 and at most ${MAX_INT}`
        }${orInfinity ? ", or Infinity" : ""}, received ${value}`,
      );
    }
  }
});

Deno.test("Configuration refuses options of the wrong type", () => {
  const values: [unknown, string][] = [
    [100_000, "number"],
    ["100000", "string"],
    [true, "boolean"],
    [100_000n, "bigint"],
    [null, "null"],
    [{}, "Object"],
  ];
  for (const name of NAMES) {
    const wanted = typeof other(name);
    for (const [value, kind] of values) {
      if (kind === wanted) continue;
      const { message } = assertThrows(
        () => make({ [name]: value }),
        TypeError,
      );
      assertEquals(
        message,
        `Cannot create configuration: ${name} must be a ${wanted}, received ${kind}`,
      );
    }
  }
});

Deno.test("Configuration takes host names and addresses for tlsTargetNameOverride", () => {
  for (const name of ["example.com", "my_service", "127.0.0.1", "::1"]) {
    const config = new Configuration({ tlsTargetNameOverride: name });
    assertEquals(config.tlsTargetNameOverride, name);
  }
  for (const name of ["", "a b", "https://example.com", "a\n"]) {
    assertThrows(
      () => new Configuration({ tlsTargetNameOverride: name }),
      RangeError,
      `Cannot create configuration: tlsTargetNameOverride must be a host name or address, received "${name}"`,
    );
  }
});

Deno.test("Configuration refuses unknown options and names the nearest", () => {
  const cases: [string, Name][] = [
    ["http2StreamWindow", "http2StreamWindowSize"],
    ["maxRecieveMessageSize", "maxReceiveMessageSize"],
    ["keepaliveTime", "keepaliveTimeMs"],
    ["keepalive_timeout_ms", "keepaliveTimeoutMs"],
    ["grpc.max_concurrent_streams", "maxConcurrentStreams"],
  ];
  for (const [name, near] of cases) {
    const { message } = assertThrows(() => make({ [name]: 1 }), TypeError);
    assertEquals(
      message,
      `Cannot create configuration: there is no option "${name}", the nearest is "${near}"`,
    );
  }
});

Deno.test("Configuration takes no name of Object.prototype for an option", () => {
  for (const name of ["constructor", "toString", "__proto__"]) {
    assertThrows(
      () => make(JSON.parse(`{"${name}": 1}`)),
      TypeError,
      `there is no option "${name}"`,
    );
  }
});

Deno.test("Configuration refuses options that are no object", () => {
  for (const options of [null, 5, "fast", []]) {
    assertThrows(
      () => new Configuration(options as unknown as ConfigurationOptions),
      TypeError,
      "Cannot create configuration: options must be an object, received ",
    );
  }
});

Deno.test("Configuration is frozen, whatever side it is for", () => {
  const config = new Configuration();
  for (const one of [config, config.forClient(), config.forServer()]) {
    assert(Object.isFrozen(one));
    assertThrows(
      () => (one as { connectTimeoutMs: number }).connectTimeoutMs = 1,
      TypeError,
    );
  }
});

Deno.test("Configuration.from() keeps a configuration and makes one of the rest", () => {
  const config = new Configuration({ connectTimeoutMs: 5 });
  assertStrictEquals(Configuration.from(config), config);
  assertEquals({ ...Configuration.from(undefined) } as Fields, DEFAULTS);
  assertEquals(Configuration.from({ connectTimeoutMs: 5 }), config);
});

Deno.test("Configuration.forClient() settles the defaults of a client", () => {
  assertEquals(
    { ...new Configuration().forClient() } as Fields,
    { ...DEFAULTS, keepaliveTimeMs: Infinity },
  );
});

Deno.test("Configuration.forServer() settles the defaults of a server", () => {
  assertEquals(
    { ...new Configuration().forServer() } as Fields,
    { ...DEFAULTS, keepaliveTimeMs: 7_200_000 },
  );
});

Deno.test("Configuration.forClient() and forServer() keep what was set", () => {
  const options = Object.fromEntries(NAMES.map((name) => [name, other(name)]));
  const config = make(options);
  assertEquals(config.forClient(), config);
  assertEquals(config.forServer(), config);
  // Infinity is what a client has anyway: for a server it was set.
  const never = new Configuration({ keepaliveTimeMs: Infinity });
  assertEquals(never.forServer().keepaliveTimeMs, Infinity);
});

Deno.test("Configuration.forServer() leaves the configuration open", () => {
  const config = new Configuration();
  config.forServer();
  assertEquals(config.keepaliveTimeMs, undefined);
});
