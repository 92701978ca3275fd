import { assertEquals, assertMatch } from "@std/assert";
import {
  checkedTraceparent,
  hasOnlyW3CFields,
  idsOf,
  newTraceparent,
  unsampledParent,
} from "./trace_parent.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const UNSAMPLED = `00-${TRACE}-${SPAN}-00`;

Deno.test("newTraceparent() makes each with other ids, of a trace that is not sampled", () => {
  const seen = new Set<string>();
  for (let i = 0; i < 200; i++) {
    const made = newTraceparent();
    assertMatch(made, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assertEquals(unsampledParent(["traceparent", made]), made);
    const { traceId, spanId } = idsOf(made);
    assertEquals(made, `00-${traceId}-${spanId}-00`);
    seen.add(traceId).add(spanId);
  }
  assertEquals(seen.size, 400);
});

Deno.test("idsOf() tells the trace and the span", () => {
  assertEquals(idsOf(UNSAMPLED), { traceId: TRACE, spanId: SPAN });
});

for (
  const [headers, expected] of [
    [[], ""],
    [[":path", "/a/b", "te", "trailers"], ""],
    [["traceparent", UNSAMPLED], UNSAMPLED],
    [[":path", "/a/b", "traceparent", UNSAMPLED, "x-a", "1"], UNSAMPLED],
    [["traceparent", `00-${TRACE}-${SPAN}-01`], null],
    [["traceparent", `00-${TRACE}-${SPAN}-02`], null],
    [["traceparent", `01-${TRACE}-${SPAN}-00`], null],
    [["traceparent", `00-${TRACE}-${SPAN}-00\n`], null],
    [["traceparent", ` ${UNSAMPLED}`], null],
    [["traceparent", ""], null],
    [["traceparent", UNSAMPLED, "traceparent", UNSAMPLED], null],
    [["traceparent", UNSAMPLED, "tracestate", "a=b"], null],
    [["baggage", "a=b"], null],
    [["tracestate", "a=b"], null],
  ] as const
) {
  Deno.test(`unsampledParent() reads ${expected} in ${JSON.stringify(headers)}`, () => {
    assertEquals(unsampledParent(headers), expected);
  });
}

for (
  const [received, isKept] of [
    [UNSAMPLED, true],
    [UNSAMPLED.toUpperCase(), false],
    [UNSAMPLED.replaceAll("-", "a"), false],
    [UNSAMPLED.replace("a", "g"), false],
    [`00-${"0".repeat(32)}-${SPAN}-00`, false],
    [`00-${TRACE}-${"0".repeat(16)}-00`, false],
  ] as const
) {
  Deno.test(`checkedTraceparent() ${isKept ? "keeps" : "replaces"} ${received}`, () => {
    const checked = checkedTraceparent(received);
    assertEquals(checked === received, isKept);
    assertEquals(checkedTraceparent(checked), checked);
  });
}

for (
  const [fields, expected] of [
    [undefined, false],
    [[], false],
    [["baggage"], false],
    [["traceparent"], true],
    [["traceparent", "tracestate", "baggage"], true],
    [["traceparent", "b3"], false],
  ] as const
) {
  Deno.test(`hasOnlyW3CFields() is ${expected} for ${fields}`, () => {
    const propagator = {
      inject() {},
      extract: <C>(context: C) => context,
      ...(fields && { fields: () => [...fields] }),
    };
    assertEquals(hasOnlyW3CFields(propagator), expected);
  });
}
