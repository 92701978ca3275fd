/**
 * Service configs: what is taken, and what is refused, with the path of the
 * field. The rows are those of grpc-js' test-retry-config.ts and grpc-go's
 * service_config_test.go, and some more.
 */

import { assertEquals, assertThrows } from "@std/assert";
import { parseServiceConfig } from "./service_config.ts";
import type { ServiceConfig } from "../../core/service_config.ts";
import { Status } from "../../core/status.ts";

const READING = { action: "Cannot create channel", maxAttemptsLimit: 5 };

const parse = (config: unknown) =>
  parseServiceConfig(config as ServiceConfig, READING);

const NAME = [{ service: "a.B", method: "C" }];

const RETRY = {
  maxAttempts: 2,
  initialBackoff: "1s",
  maxBackoff: "1s",
  backoffMultiplier: 1,
  retryableStatusCodes: [14],
};

const HEDGING = { maxAttempts: 2 };

/** A config with one method. */
const method = (fields: object) => ({
  methodConfig: [{ name: NAME, ...fields }],
});

/** What is said of that method. */
const policyOf = (fields: object) =>
  parse(method(fields)).methods.get("/a.B/C")!;

Deno.test("parseServiceConfig() reads a text as it reads an object", () => {
  const config = method({ timeout: "1.5s", waitForReady: true });
  const parsed = parse(JSON.stringify(config));
  assertEquals(parsed, parse(config));
  assertEquals(parsed.methods.get("/a.B/C"), {
    timeoutMs: 1_500,
    waitForReady: true,
  });
});

Deno.test("parseServiceConfig() takes nothing, null and what it does not know", () => {
  const nothing = {
    methods: new Map(),
    throttling: null,
    balancing: null,
  };
  assertEquals(parse({}), nothing);
  assertEquals(parse("{}"), nothing);
  assertEquals(
    parse({
      methodConfig: null,
      retryThrottling: null,
      loadBalancingConfig: null,
      loadBalancingPolicy: null,
      healthCheckConfig: null,
      somethingNew: 1,
    }),
    nothing,
  );
  assertEquals(policyOf({ timeout: null, retryPolicy: null, new: {} }), {});
});

Deno.test("parseServiceConfig() has names for methods, services and all", () => {
  const { methods } = parse({
    methodConfig: [
      { name: [{}], timeout: "1s" },
      { name: [{ service: "a.B" }, { service: "c.D", method: null }] },
      { name: [{ service: "a.B", method: "C" }] },
      { name: [], timeout: "3s" },
      { timeout: "4s" },
    ],
  });
  assertEquals([...methods.keys()], ["", "/a.B/", "/c.D/", "/a.B/C"]);
  assertEquals(methods.get(""), { timeoutMs: 1_000 });
});

for (
  const name of [
    {},
    { service: "" },
    { service: null },
    { method: "" },
    { service: "", method: null },
  ]
) {
  Deno.test(`parseServiceConfig() takes ${JSON.stringify(name)} for all methods`, () => {
    const { methods } = parse({ methodConfig: [{ name: [name] }] });
    assertEquals([...methods.keys()], [""]);
  });
}

Deno.test("parseServiceConfig() reads a retry policy", () => {
  assertEquals(
    policyOf({
      retryPolicy: {
        maxAttempts: 4,
        initialBackoff: "0.1s",
        maxBackoff: "1.000000001s",
        backoffMultiplier: 1.5,
        retryableStatusCodes: ["unavailable", "ABORTED", 8, "Data_Loss"],
      },
    }).attempts,
    {
      kind: "retry",
      maxAttempts: 4,
      initialBackoffMs: 100,
      maxBackoffMs: 1_000.000001,
      backoffMultiplier: 1.5,
      retryable: new Set([
        Status.UNAVAILABLE,
        Status.ABORTED,
        Status.RESOURCE_EXHAUSTED,
        Status.DATA_LOSS,
      ]),
    },
  );
});

Deno.test("parseServiceConfig() reads a hedging policy", () => {
  assertEquals(policyOf({ hedgingPolicy: { maxAttempts: 3 } }).attempts, {
    kind: "hedging",
    maxAttempts: 3,
    delayMs: 0,
    nonFatal: new Set<Status>(),
  });
  assertEquals(
    policyOf({
      hedgingPolicy: {
        maxAttempts: 3,
        hedgingDelay: "0.5s",
        nonFatalStatusCodes: ["UNAVAILABLE"],
      },
    }).attempts,
    {
      kind: "hedging",
      maxAttempts: 3,
      delayMs: 500,
      nonFatal: new Set([Status.UNAVAILABLE]),
    },
  );
});

for (
  const [policy, limit, most] of [
    [9, 4, 4],
    [9, 7, 7],
    [3, 10, 3],
    [8, 5, 5],
  ] as const
) {
  Deno.test(`parseServiceConfig() makes ${most} of ${policy} attempts where there may be ${limit}`, () => {
    for (const field of ["retryPolicy", "hedgingPolicy"]) {
      const { methods } = parseServiceConfig(
        method({ [field]: { ...RETRY, maxAttempts: policy } }),
        { ...READING, maxAttemptsLimit: limit },
      );
      assertEquals(methods.get("/a.B/C")!.attempts!.maxAttempts, most);
    }
  });
}

Deno.test("parseServiceConfig() reads sizes, as numbers or as texts", () => {
  const policy = { maxSendMessageSize: 2_048, maxReceiveMessageSize: 0 };
  assertEquals(
    policyOf({ maxRequestMessageBytes: 2_048, maxResponseMessageBytes: 0 }),
    policy,
  );
  assertEquals(
    policyOf({ maxRequestMessageBytes: "2048", maxResponseMessageBytes: "0" }),
    policy,
  );
});

Deno.test("parseServiceConfig() reads throttling and the service of health checks", () => {
  const { throttling } = parse({
    retryThrottling: { maxTokens: 1_000, tokenRatio: 0.1 },
  });
  assertEquals(throttling, { maxTokens: 1_000, tokenRatio: 0.1 });
  const health = (policy: string, healthCheckConfig: unknown) =>
    parse({
      healthCheckConfig,
      loadBalancingConfig: [{ [policy]: {} }],
    }).balancing?.healthCheck;
  assertEquals(health("round_robin", { serviceName: "a.B" }), "a.B");
  assertEquals(health("round_robin", {}), "");
  assertEquals(health("round_robin", null), undefined);
  assertEquals(health("pick_first", { serviceName: "a.B" }), undefined);
});

for (
  const [config, policy] of [
    [
      { loadBalancingConfig: [{ new: {} }, { round_robin: {} }] },
      { policy: "round_robin" },
    ],
    [
      { loadBalancingConfig: [{ pick_first: {} }, { round_robin: {} }] },
      { policy: "pick_first" },
    ],
    [
      { loadBalancingConfig: [{ pick_first: { shuffleAddressList: true } }] },
      { policy: "pick_first", shuffleAddressList: true },
    ],
    [
      { loadBalancingConfig: [{ least_request_experimental: {} }] },
      { policy: "least_request" },
    ],
    [
      {
        loadBalancingConfig: [
          { least_request_experimental: { choiceCount: 11 } },
        ],
      },
      { policy: "least_request", choiceCount: 10 },
    ],
    [{ loadBalancingPolicy: "ROUND_ROBIN" }, { policy: "round_robin" }],
    [
      {
        loadBalancingPolicy: "round_robin",
        loadBalancingConfig: [{ pick_first: {} }],
      },
      { policy: "pick_first" },
    ],
  ] as const
) {
  Deno.test(`parseServiceConfig() reads ${JSON.stringify(config)}`, () => {
    assertEquals(parse(config).balancing, policy);
  });
}

type Refused = readonly [
  config: unknown,
  path: string,
  ErrorClass?: typeof TypeError,
];

const without = (name: keyof typeof RETRY) => {
  const { [name]: _, ...rest } = RETRY;
  return method({ retryPolicy: rest });
};
const retry = (fields: object) =>
  method({ retryPolicy: { ...RETRY, ...fields } });
const hedging = (fields: object) =>
  method({ hedgingPolicy: { ...HEDGING, ...fields } });
const throttling = (fields: object) => ({
  retryThrottling: { maxTokens: 10, tokenRatio: 0.5, ...fields },
});
const names = (...list: unknown[]) => ({ methodConfig: [{ name: list }] });

const M = "methodConfig[0]";
const R = `${M}.retryPolicy`;
const H = `${M}.hedgingPolicy`;

const REFUSED: readonly Refused[] = [
  ["{", " must be an object or JSON"],
  [5, " must be an object, received number"],
  [null, " must be an object, received null"],
  [[], " must be an object, received Array"],
  ["[]", " must be an object, received Array"],
  [{ methodConfig: {} }, ".methodConfig must be a list, received Object"],
  [{ methodConfig: [1] }, `.${M} must be an object, received number`],
  [names({ method: "C" }), `.${M}.name[0] has a method and no service`],
  [names({ service: 1 }), `.${M}.name[0].service must be a text`],
  [names({}, {}), `.${M}.name[1] is there more than once`],
  [
    names({ service: "a" }, { service: "a", method: "" }),
    `.${M}.name[1] is there more than once`,
  ],
  [
    { methodConfig: [{ name: NAME }, { name: NAME }] },
    ".methodConfig[1].name[0] is there more than once",
  ],
  [
    method({ timeout: "3c" }),
    `.${M}.timeout must be a duration such as "1.5s", received "3c"`,
    RangeError,
  ],
  [method({ timeout: 3 }), `.${M}.timeout must be a duration`],
  [method({ timeout: "-1s" }), `.${M}.timeout must be a duration`, RangeError],
  [method({ waitForReady: "true" }), `.${M}.waitForReady must be true or`],
  [
    method({ maxRequestMessageBytes: -1 }),
    `.${M}.maxRequestMessageBytes must be an integer from 0 to 4294967295, received -1`,
    RangeError,
  ],
  [
    method({ maxResponseMessageBytes: 2 ** 32 }),
    `.${M}.maxResponseMessageBytes must be`,
    RangeError,
  ],
  [method({ maxResponseMessageBytes: 1.5 }), `Bytes must be`, RangeError],
  [method({ maxResponseMessageBytes: "1k" }), `Bytes must be`],
  [method({ maxResponseMessageBytes: true }), `Bytes must be`],
  [without("maxAttempts"), `.${R}.maxAttempts is missing`],
  [without("initialBackoff"), `.${R}.initialBackoff is missing`],
  [without("maxBackoff"), `.${R}.maxBackoff is missing`],
  [without("backoffMultiplier"), `.${R}.backoffMultiplier is missing`],
  [without("retryableStatusCodes"), `.${R}.retryableStatusCodes is missing`],
  [
    retry({ maxAttempts: 1 }),
    `.${R}.maxAttempts must be an integer of at least 2, received 1`,
    RangeError,
  ],
  [retry({ maxAttempts: "two" }), `.${R}.maxAttempts must be`],
  [retry({ maxAttempts: 2.5 }), `.${R}.maxAttempts must be`, RangeError],
  [retry({ initialBackoff: "1" }), `.${R}.initialBackoff must be`, RangeError],
  [
    retry({ initialBackoff: "0s" }),
    `.${R}.initialBackoff must be a duration of more than "0s", received "0s"`,
    RangeError,
  ],
  [retry({ maxBackoff: "100ms" }), `.${R}.maxBackoff must be`, RangeError],
  [retry({ maxBackoff: "0s" }), `.${R}.maxBackoff must be`, RangeError],
  [
    retry({ backoffMultiplier: 0 }),
    `.${R}.backoffMultiplier must be a number more than 0, received 0`,
    RangeError,
  ],
  [retry({ backoffMultiplier: "2" }), `.${R}.backoffMultiplier must be`],
  [retry({ retryableStatusCodes: [] }), `.${R}.retryableStatusCodes is empty`],
  [
    retry({ retryableStatusCodes: ["UNAVAILABLE", "NOPE"] }),
    `.${R}.retryableStatusCodes[1] must be a status other than OK, such as UNAVAILABLE or 14, received "NOPE"`,
    RangeError,
  ],
  [retry({ retryableStatusCodes: [17] }), "Codes[0] must be", RangeError],
  [retry({ retryableStatusCodes: [300] }), "Codes[0] must be", RangeError],
  [retry({ retryableStatusCodes: [0] }), "Codes[0] must be", RangeError],
  [retry({ retryableStatusCodes: ["ok"] }), "Codes[0] must be", RangeError],
  [retry({ retryableStatusCodes: [null] }), "Codes[0] must be"],
  [retry({ retryableStatusCodes: ["toString"] }), "must be", RangeError],
  [hedging({ maxAttempts: 1 }), `.${H}.maxAttempts must be`, RangeError],
  [hedging({ maxAttempts: null }), `.${H}.maxAttempts must be`],
  [hedging({ hedgingDelay: "1" }), `.${H}.hedgingDelay must be`, RangeError],
  [
    hedging({ nonFatalStatusCodes: ["NOPE"] }),
    `.${H}.nonFatalStatusCodes[0] must be`,
    RangeError,
  ],
  [
    method({ retryPolicy: RETRY, hedgingPolicy: HEDGING }),
    `.${H} is there beside a retryPolicy`,
  ],
  [throttling({ maxTokens: undefined }), ".retryThrottling.maxTokens is miss"],
  [
    throttling({ maxTokens: 0 }),
    ".retryThrottling.maxTokens must be a number more than 0 and at most 1000, received 0",
    RangeError,
  ],
  [throttling({ maxTokens: 1_001 }), "maxTokens must be", RangeError],
  [throttling({ tokenRatio: 0 }), "tokenRatio must be", RangeError],
  [throttling({ tokenRatio: 0.0009 }), "tokenRatio must be", RangeError],
  [throttling({ tokenRatio: "1" }), "tokenRatio must be"],
  [
    { loadBalancingConfig: [{ new: {} }] },
    ".loadBalancingConfig has none of the known policies: pick_first, round_robin, least_request_experimental",
  ],
  [{ loadBalancingConfig: [] }, ".loadBalancingConfig has none of the known"],
  [
    { loadBalancingConfig: [{ round_robin: {}, pick_first: {} }] },
    ".loadBalancingConfig[0] must have one field, the name of a policy",
  ],
  [{ loadBalancingConfig: [{}] }, ".loadBalancingConfig[0] must have one"],
  [
    { loadBalancingConfig: [{ round_robin: 1 }] },
    ".loadBalancingConfig[0].round_robin must be an object",
  ],
  [
    { loadBalancingConfig: [{ pick_first: { shuffleAddressList: 1 } }] },
    "shuffleAddressList must be true or false",
  ],
  [
    {
      loadBalancingConfig: [{ least_request_experimental: { choiceCount: 1 } }],
    },
    "choiceCount must be an integer of at least 2, received 1",
    RangeError,
  ],
  [
    { loadBalancingPolicy: "grpclb" },
    '.loadBalancingPolicy must be pick_first or round_robin, received "grpclb"',
    RangeError,
  ],
  [{ healthCheckConfig: "a" }, ".healthCheckConfig must be an object"],
  [
    { healthCheckConfig: { serviceName: 1 } },
    ".healthCheckConfig.serviceName must be a text",
  ],
];

for (const [config, message, ErrorClass = TypeError] of REFUSED) {
  Deno.test(`parseServiceConfig() refuses ${JSON.stringify(config)}`, () => {
    const error = assertThrows(() => parse(config), ErrorClass, message);
    assertEquals(
      error.message.startsWith("Cannot create channel: serviceConfig"),
      true,
    );
  });
}
