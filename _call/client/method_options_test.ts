import { assertEquals, assertThrows } from "@std/assert";
import {
  readAttempts,
  readChannelRetry,
  readMethods,
  readRetry,
} from "./method_options.ts";
import { Status } from "../../core/status.ts";

const READING = { action: "Cannot call", maxAttemptsLimit: 5 };

/** Options as a program without types may give them. */
const any = (options: unknown) => options as never;

const TRUE = {
  kind: "retry",
  maxAttempts: 4,
  initialBackoffMs: 100,
  maxBackoffMs: 1_000,
  backoffMultiplier: 2,
  retryable: new Set([Status.UNAVAILABLE]),
} as const;

Deno.test("readRetry() makes the policy of A6's example of true", () => {
  assertEquals(readRetry(true, READING), TRUE);
  assertEquals(readRetry({}, READING), TRUE);
});

Deno.test("readRetry() tells false from nothing", () => {
  assertEquals(readRetry(false, READING), null);
  assertEquals(readRetry(undefined, READING), undefined);
});

Deno.test("readRetry() takes statuses by their names and as they are", () => {
  const retryableStatusCodes = ["ABORTED", Status.UNAVAILABLE] as const;
  assertEquals(
    readRetry({ maxAttempts: 2, retryableStatusCodes }, READING),
    {
      ...TRUE,
      maxAttempts: 2,
      retryable: new Set([Status.ABORTED, Status.UNAVAILABLE]),
    },
  );
});

Deno.test("readRetry() makes no more attempts of true than there may be", () => {
  const policy = readRetry(true, { ...READING, maxAttemptsLimit: 3 });
  assertEquals(policy!.maxAttempts, 3);
});

Deno.test("readChannelRetry() has throttling unless it is to have none", () => {
  const DEFAULT = { maxTokens: 10, tokenRatio: 0.1 };
  for (const retry of [undefined, false, true, {}]) {
    assertEquals(readChannelRetry(retry, READING).throttling, DEFAULT);
  }
  const throttlingOf = (throttling: unknown) =>
    readChannelRetry(any({ throttling }), READING).throttling;
  assertEquals(throttlingOf(null), null);
  assertEquals(throttlingOf({ maxTokens: 2 }), { ...DEFAULT, maxTokens: 2 });
});

Deno.test("readAttempts() reads hedging", () => {
  assertEquals(readAttempts({ hedging: { maxAttempts: 2 } }, READING), {
    kind: "hedging",
    maxAttempts: 2,
    delayMs: 0,
    nonFatal: new Set<Status>(),
  });
  assertEquals(readAttempts({ retry: true }, READING), TRUE);
  assertEquals(readAttempts({ retry: false }, READING), null);
  assertEquals(readAttempts({}, READING), undefined);
});

Deno.test("readMethods() has methods and services by their paths", () => {
  const methods = readMethods({
    "a.B": { retry: true, timeoutMs: 5 },
    "a.B/C": { maxSendMessageSize: 1, maxReceiveMessageSize: 2 },
    "B/C": { waitForReady: true },
  }, READING);
  assertEquals([...methods], [
    ["/a.B/", { timeoutMs: 5, attempts: TRUE }],
    ["/a.B/C", { maxReceiveMessageSize: 2, maxSendMessageSize: 1 }],
    ["/B/C", { waitForReady: true }],
  ]);
});

type Refused = readonly [
  options: unknown,
  message: string,
  ErrorClass?: typeof TypeError,
];

const ATTEMPTS: readonly Refused[] = [
  [{ retry: 1 }, "retry must be true, false or RetryOptions, received number"],
  [{ retry: null }, "retry must be true, false or RetryOptions, received null"],
  [
    { retry: { maxAttemps: 2 } },
    'there is no option "retry.maxAttemps", the nearest is "retry.maxAttempts"',
  ],
  [{ retry: { throttling: null } }, 'there is no option "retry.throttling"'],
  [
    { retry: { maxAttempts: 1 } },
    "retry.maxAttempts must be an integer from 2 to 5, which is maxAttemptsLimit, received 1",
    RangeError,
  ],
  // Not 5 of them without a word, as grpc-js does it.
  [
    { retry: { maxAttempts: 50 } },
    "retry.maxAttempts must be an integer from 2 to 5, which is maxAttemptsLimit, received 50",
    RangeError,
  ],
  [
    { retry: { maxAttempts: "3" } },
    'from 2 to 5, which is maxAttemptsLimit, received "3"',
  ],
  [{ retry: { maxAttempts: 2.5 } }, "received 2.5", RangeError],
  [
    { retry: [] },
    "Cannot call: retry must be true, false or RetryOptions, received Array",
  ],
  [{ hedging: [] }, "Cannot call: hedging must be an object, received Array"],
  [
    { retry: { initialBackoffMs: 0 } },
    "retry.initialBackoffMs must be a finite number more than 0, received 0",
    RangeError,
  ],
  [{ retry: { initialBackoffMs: NaN } }, "received NaN", RangeError],
  [{ retry: { maxBackoffMs: Infinity } }, "retry.maxBackoffMs", RangeError],
  [{ retry: { maxBackoffMs: "1s" } }, "retry.maxBackoffMs must be"],
  [{ retry: { backoffMultiplier: -1 } }, "backoffMultiplier", RangeError],
  [
    { retry: { retryableStatusCodes: [] } },
    "retry.retryableStatusCodes must have at least one status, received none",
    RangeError,
  ],
  [
    { retry: { retryableStatusCodes: "UNAVAILABLE" } },
    "retry.retryableStatusCodes must be a list of statuses, received string",
  ],
  [
    { retry: { retryableStatusCodes: ["unavailable"] } },
    'retry.retryableStatusCodes[0] must be a status other than OK, received "unavailable"',
    RangeError,
  ],
  [{ retry: { retryableStatusCodes: [0] } }, "[0] must be", RangeError],
  [{ retry: { retryableStatusCodes: ["toString"] } }, "must be", RangeError],
  [{ hedging: true }, "hedging must be an object, received boolean"],
  [{ hedging: {} }, "hedging.maxAttempts must be an integer from 2 to 5"],
  [
    { hedging: { maxAttempts: 2, delayMs: -1 } },
    "hedging.delayMs must be a finite number of at least 0, received -1",
    RangeError,
  ],
  [
    { hedging: { maxAttempts: 2, nonFatalStatusCodes: [99] } },
    "hedging.nonFatalStatusCodes[0] must be a status",
    RangeError,
  ],
  [
    { hedging: { maxAttempts: 2 }, retry: true },
    "Cannot call: retry and hedging exclude each other, received both",
  ],
];

for (const [options, message, ErrorClass = TypeError] of ATTEMPTS) {
  Deno.test(`readAttempts() refuses ${JSON.stringify(options)}`, () => {
    assertThrows(
      () => readAttempts(any(options), READING),
      ErrorClass,
      message,
    );
  });
}

const METHODS: readonly Refused[] = [
  [null, "methods must be an object, received null"],
  [[], "methods must be an object, received Array"],
  [{ "a.B": [] }, 'methods["a.B"] must be an object, received Array'],
  [
    { "a.B": { retry: [] } },
    'methods["a.B"].retry must be true, false or RetryOptions, received Array',
  ],
  [
    { "/a.B/C": {} },
    'the names of methods must be "package.Service" or "package.Service/Method", received "/a.B/C"',
  ],
  [{ "a.B/": {} }, 'received "a.B/"'],
  [{ "": {} }, 'received ""'],
  [
    { "a.B": null },
    'methods["a.B"] must be an object, received null',
  ],
  [
    { "a.B": { timeout: 5 } },
    'there is no option "methods["a.B"].timeout", the nearest is "methods["a.B"].timeoutMs"',
  ],
  [
    { "a.B": { timeoutMs: 0 } },
    'methods["a.B"].timeoutMs must be a finite number more than 0, received 0',
    RangeError,
  ],
  [
    { "a.B": { waitForReady: 1 } },
    'methods["a.B"].waitForReady must be true or false, received number',
  ],
  [
    { "a.B": { maxSendMessageSize: -1 } },
    'methods["a.B"].maxSendMessageSize must be an integer',
    RangeError,
  ],
  [
    { "a.B": { retry: { maxAttempts: 9 } } },
    'methods["a.B"].retry.maxAttempts must be an integer from 2 to 5',
    RangeError,
  ],
];

for (const [methods, message, ErrorClass = TypeError] of METHODS) {
  Deno.test(`readMethods() refuses ${JSON.stringify(methods)}`, () => {
    assertThrows(() => readMethods(any(methods), READING), ErrorClass, message);
  });
}

const THROTTLING: readonly Refused[] = [
  [5, "retry.throttling must be an object, received number"],
  [[], "retry.throttling must be an object, received Array"],
  [
    { maxToken: 1 },
    'there is no option "retry.throttling.maxToken", the nearest is "retry.throttling.maxTokens"',
  ],
  [
    { maxTokens: 1_001 },
    "retry.throttling.maxTokens must be a finite number more than 0 and at most 1000, received 1001",
    RangeError,
  ],
  [{ maxTokens: 0 }, "retry.throttling.maxTokens must be", RangeError],
  [
    { tokenRatio: 0.0001 },
    "retry.throttling.tokenRatio must be a finite number of at least 0.001, received 0.0001",
    RangeError,
  ],
  [{ tokenRatio: "1" }, "retry.throttling.tokenRatio must be"],
];

for (const [throttling, message, ErrorClass = TypeError] of THROTTLING) {
  Deno.test(`readChannelRetry() refuses throttling ${JSON.stringify(throttling)}`, () => {
    assertThrows(
      () => readChannelRetry(any({ throttling }), READING),
      ErrorClass,
      message,
    );
  });
}
