import { assertEquals } from "@std/assert";
import { type CallPolicyOptions, MethodPolicies } from "./method_policies.ts";

const retryOf = (maxAttempts: number) => ({
  maxAttempts,
  initialBackoff: "1s",
  maxBackoff: "1s",
  backoffMultiplier: 1,
  retryableStatusCodes: ["UNAVAILABLE"],
});

/** What holds for `/a.B/C`: attempts, timeouts, and whether calls wait. */
function held(options: CallPolicyOptions) {
  const { attempts, timeoutMs, maxTimeoutMs, waitForReady } =
    new MethodPolicies(options).of("/a.B/C");
  return [attempts?.maxAttempts, timeoutMs, maxTimeoutMs, waitForReady];
}

const ALL = { name: [{}], timeout: "1s", retryPolicy: retryOf(2) };
const SERVICE = { name: [{ service: "a.B" }], timeout: "2s" };
const METHOD = {
  name: [{ service: "a.B", method: "C" }],
  retryPolicy: retryOf(3),
};

const CASES: readonly (readonly [
  name: string,
  options: CallPolicyOptions,
  held: ReturnType<typeof held>,
])[] = [
  ["nothing", {}, [undefined, undefined, undefined, false]],
  [
    "the channel",
    { retry: true, timeoutMs: 5, waitForReady: true },
    [4, 5, undefined, true],
  ],
  [
    "all methods of a service config",
    { serviceConfig: { methodConfig: [ALL] } },
    [2, undefined, 1_000, false],
  ],
  [
    "a service, of which nothing is merged with that of all",
    { serviceConfig: { methodConfig: [ALL, SERVICE] } },
    [undefined, undefined, 2_000, false],
  ],
  [
    "a method, of which nothing is merged either",
    { serviceConfig: { methodConfig: [METHOD, ALL, SERVICE] } },
    [3, undefined, undefined, false],
  ],
  [
    "the channel where the service config has no policy",
    { retry: true, serviceConfig: { methodConfig: [SERVICE] } },
    [4, undefined, 2_000, false],
  ],
  [
    "the service config before the channel",
    { retry: true, timeoutMs: 5, serviceConfig: { methodConfig: [METHOD] } },
    [3, 5, undefined, false],
  ],
  [
    "the methods before all",
    {
      retry: true,
      waitForReady: true,
      methods: {
        "a.B": { timeoutMs: 7, waitForReady: false },
        "a.B/C": { retry: { maxAttempts: 5 } },
        "a.B/D": { timeoutMs: 9 },
      },
      serviceConfig: { methodConfig: [ALL] },
    },
    [5, 7, 1_000, false],
  ],
  [
    "a method that is tried once",
    { retry: true, methods: { "a.B/C": { retry: false } } },
    [undefined, undefined, undefined, false],
  ],
];

for (const [name, options, expected] of CASES) {
  Deno.test(`MethodPolicies.of() gives what is said of ${name}`, () => {
    assertEquals(held(options), expected);
  });
}

Deno.test("MethodPolicies has the throttling of its service config, or else the channel's", () => {
  const own = { maxTokens: 10, tokenRatio: 0.1 };
  const other = { maxTokens: 5, tokenRatio: 0.5 };
  for (
    const [options, throttling] of [
      [{}, own],
      [{ retry: true }, own],
      [{ retry: { throttling: null } }, null],
      [{ retry: { throttling: other } }, other],
      [{ serviceConfig: {} }, null],
      [{ serviceConfig: { retryThrottling: other } }, other],
      [{ serviceConfig: { retryThrottling: other }, retry: true }, other],
      [{ serviceConfig: {}, retry: true }, own],
    ] as const
  ) {
    assertEquals(new MethodPolicies(options).throttling, throttling);
  }
});

Deno.test("MethodPolicies has another version for another service config alone", () => {
  const policies = new MethodPolicies();
  const read = () => policies.read({ methodConfig: [ALL] }, "Cannot read");
  assertEquals(policies.version, 0);
  policies.use(null);
  assertEquals(policies.version, 0);
  const config = read();
  policies.use(config);
  policies.use(config);
  assertEquals(policies.version, 1);
});

Deno.test("MethodPolicies has the option of a method before that of its service", () => {
  const policies = new MethodPolicies({
    methods: {
      "a.B/C": { timeoutMs: 1 },
      "a.B": { timeoutMs: 2, waitForReady: true },
    },
  });
  const { timeoutMs, waitForReady } = policies.of("/a.B/C");
  assertEquals([timeoutMs, waitForReady], [1, true]);
  assertEquals(policies.of("/a.B/D").timeoutMs, 2);
});
