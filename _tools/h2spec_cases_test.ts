import { assertEquals } from "@std/assert";
import { casesOf } from "./h2spec_cases.ts";

Deno.test("casesOf() reads what passed, failed and was skipped", () => {
  const xml = `<testsuites>
  <testsuite name="1. A" package="generic/1" id="1" tests="1">
    <testcase package="generic/1" classname="Sends &#34;a&#34;" time="0.1"></testcase>
  </testsuite>
  <testsuite name="2. B" package="http2/5.1" id="2" tests="2">
    <testcase package="http2/5.1" classname="b" time="0.1">
      <error>DATA frame
HEADERS Frame</error>
    </testcase>
    <testcase package="http2/5.1" classname="c" time="0.1"><skipped></skipped></testcase>
  </testsuite>
</testsuites>`;
  assertEquals(casesOf(xml), [
    { id: "generic/1 1", title: 'Sends "a"', passed: true, found: "" },
    {
      id: "http2/5.1 1",
      title: "b",
      passed: false,
      found: "DATA frame HEADERS Frame",
    },
    { id: "http2/5.1 2", title: "c", passed: false, found: "" },
  ]);
});

Deno.test("casesOf() finds no case in what is no report", () => {
  assertEquals(casesOf("<html></html>"), []);
});
