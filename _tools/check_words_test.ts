import { assertEquals } from "@std/assert";
import { checkWords } from "./check_words.ts";

const cases: [text: string, message: string | undefined][] = [
  ["The server says goodbye.", '"goodbye": say GOAWAY'],
  ["A call is sent anew.", '"sent anew": say transparent retry, or retry'],
  [
    "Channel sends the call anew",
    '"sends the call anew": say transparent retry, or retry',
  ],
  ["It begins anew.", '"anew": say again'],
  ["a trailers-only answer", '"trailers-only answer": say Trailers-Only reply'],
  ["The server sends a GOAWAY, and the call is retried.", undefined],
  ["It answers the questions of newcomers.", undefined],
];

for (const [text, message] of cases) {
  Deno.test(`checkWords() says ${message ?? "nothing"} of ${JSON.stringify(text)}`, () => {
    const [finding, ...others] = checkWords("_call/half.ts", `\n${text}\n`);
    assertEquals(others, []);
    assertEquals(
      finding,
      message === undefined
        ? undefined
        : { path: "_call/half.ts", line: 2, message },
    );
  });
}

Deno.test("checkWords() leaves the history and generated code alone", () => {
  const text = "Calls are sent anew.";
  assertEquals(checkWords("CHANGELOG.md", text), []);
  assertEquals(checkWords("core/gen/google/rpc/status_pb.ts", text), []);
});
