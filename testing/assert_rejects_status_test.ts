/** The assertion for calls that fail. */

import {
  assertEquals,
  AssertionError,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { GRPCError, Status } from "@grpclib/grpclib";
import { assertRejectsStatus, type Call } from "./mod.ts";

const MISSING = new GRPCError(Status.NOT_FOUND, "there is no Ada");

const failing = () => Promise.reject(MISSING);

async function* failingReplies() {
  yield 1;
  await Promise.resolve();
  throw MISSING;
}

const CALLS: Readonly<Record<string, () => Call>> = {
  "a promise": failing,
  "replies": failingReplies,
  "a function that gives a promise": () => failing,
  "a function that gives replies": () => failingReplies,
  "a function that throws": () => () => {
    throw MISSING;
  },
};

for (const [what, make] of Object.entries(CALLS)) {
  Deno.test(`assertRejectsStatus() gives the error when ${what} fails as it should`, async () => {
    for (const message of [undefined, "no Ada", /^there .* Ada$/, ""]) {
      const error = await assertRejectsStatus(
        make(),
        Status.NOT_FOUND,
        message,
      );
      assertStrictEquals(error, MISSING);
    }
  });
}

const FAILURES: readonly (readonly [
  what: string,
  call: () => Call,
  expected: readonly [status: Status, message?: string | RegExp],
  words: string,
])[] = [
  [
    "the call goes well",
    () => Promise.resolve(1),
    [Status.NOT_FOUND],
    "Expected call to end with NOT_FOUND, but it went well",
  ],
  [
    "replies end well",
    () => (async function* () {})(),
    [Status.NOT_FOUND],
    "Expected call to end with NOT_FOUND, but it went well",
  ],
  [
    "the status is another",
    failing,
    [Status.ABORTED],
    'Expected call to end with ABORTED, but it ended with NOT_FOUND "there is no Ada"',
  ],
  [
    "the message does not contain the text",
    failing,
    [Status.NOT_FOUND, "Bob"],
    'Expected call to end with NOT_FOUND and a message that contains "Bob", but it ended with NOT_FOUND "there is no Ada"',
  ],
  [
    "the message does not match",
    failing,
    [Status.NOT_FOUND, /^Bob$/],
    'Expected call to end with NOT_FOUND and a message that matches /^Bob$/, but it ended with NOT_FOUND "there is no Ada"',
  ],
  [
    "the error is another",
    () => Promise.reject(new TypeError("oh")),
    [Status.NOT_FOUND],
    "Expected call to end with NOT_FOUND, but it threw TypeError: oh",
  ],
];

for (const [what, call, [status, message], words] of FAILURES) {
  Deno.test(`assertRejectsStatus() fails when ${what}`, async () => {
    const error = await assertRejects(
      () => assertRejectsStatus(call(), status, message),
      AssertionError,
    );
    assertEquals(error.message, words);
  });
}
