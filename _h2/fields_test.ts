import { assertEquals, assertStrictEquals } from "@std/assert";
import { checkFields, FieldChecker, type Section } from "./fields.ts";

const REQUEST = [":method", "POST", ":scheme", "http", ":path", "/a"];

/** Fields in a line: `name=value`, with `;` between them. */
function list(line: string): string[] {
  return line === "" ? [] : line.split(";").flatMap((field) => {
    const at = field.indexOf("=");
    return [field.slice(0, at), field.slice(at + 1)];
  });
}

const CASES: readonly [section: Section, line: string, fault: string | null][] =
  [
    // 8.3.1: requests
    ["request", ":method=GET;:scheme=https;:path=/", null],
    ["request", ":path=/;:scheme=x;:authority=a:1;:method=GET;host=A:1", null],
    ["request", ":method=OPTIONS;:scheme=http;:path=*", null],
    ["request", ":method=GET;:scheme=ftp;:path=", null],
    ["request", ":method=CONNECT;:authority=a:1", null],
    ["request", ":method=GET;:scheme=http;:path=/;te=trailers;cookie=", null],
    ["request", "", '":method" is missing'],
    ["request", ":method=;:scheme=http;:path=/", '":method" is missing'],
    ["request", ":method=GET;:path=/", '":scheme" is missing'],
    ["request", ":method=GET;:scheme=http", '":path" is missing'],
    ["request", ":method=GET;:scheme=http;:path=", BAD_PATH()],
    ["request", ":method=GET;:scheme=https;:path=a", BAD_PATH()],
    ["request", ":method=GET;:scheme=https;:path=*", BAD_PATH()],
    [
      "request",
      ":method=GET;:scheme=http;:path=/;:path=/",
      '":path" comes twice',
    ],
    [
      "request",
      ":method=GET;:scheme=http;a=b;:path=/",
      '":path" is behind other fields',
    ],
    ["request", ":method=GET;:status=200", '":status" is not for a request'],
    ["request", ":method=GET;:protocol=x", '":protocol" is not for a request'],
    ["request", ":=x", '":" is not for a request'],
    [
      "request",
      ":method=GET;:scheme=http;:path=/;:authority=u@a",
      '":authority" has user information',
    ],
    [
      "request",
      ":method=GET;:scheme=http;:path=/;:authority=a;host=b",
      '"host" differs from ":authority"',
    ],
    [
      "request",
      ":method=GET;:scheme=http;:path=/;host=a;host=b",
      '"host" comes twice',
    ],
    // 8.5: CONNECT
    ["request", ":method=CONNECT", CONNECT()],
    ["request", ":method=CONNECT;:authority=a;:path=/", CONNECT()],
    ["request", ":method=CONNECT;:authority=a;:scheme=http", CONNECT()],
    // 8.3.2: responses
    ["response", ":status=200;a=b", null],
    ["response", ":status=103", null],
    ["response", "a=b", '":status" is missing or not valid'],
    ["response", ":status=", '":status" is missing or not valid'],
    ["response", ":status=20", '":status" is missing or not valid'],
    ["response", ":status=2000", '":status" is missing or not valid'],
    ["response", ":status=099", '":status" is missing or not valid'],
    ["response", ":status=200;:status=200", '":status" comes twice'],
    ["response", ":method=GET;:status=200", '":method" is not for a response'],
    // 8.1: trailers
    ["trailer", "grpc-status=0;x-bin=", null],
    ["trailer", "", null],
    ["trailer", ":status=200", '":status" is not for a trailer'],
    // 8.2.2: connection-specific fields
    ...["connection", "proxy-connection", "keep-alive", "transfer-encoding"]
      .concat("upgrade")
      .map((name): [Section, string, string] => [
        "trailer",
        `${name}=x`,
        `"${name}" is for HTTP/1.1`,
      ]),
    ["trailer", "te=gzip", '"te" is not "trailers"'],
    ["trailer", "te=trailers, gzip", '"te" is not "trailers"'],
    // 8.1.1: content-length
    ["trailer", "content-length=0;content-length=0", null],
    ["trailer", "content-length=1;content-length=2", LENGTH()],
    ["trailer", "content-length=", LENGTH()],
    ["trailer", "content-length=-1", LENGTH()],
    ["trailer", "content-length=1e3", LENGTH()],
    ["trailer", "content-length=1234567890123456", LENGTH()],
  ];

function BAD_PATH(): string {
  return '":path" does not begin with "/"';
}

function CONNECT(): string {
  return 'CONNECT is not with ":authority" alone';
}

function LENGTH(): string {
  return '"content-length" is not valid';
}

for (const [section, line, fault] of CASES) {
  Deno.test(`checkFields() finds ${fault ?? "nothing"} when a ${section} is "${line}"`, () => {
    assertEquals(checkFields(list(line), section).fault, fault);
  });
}

Deno.test("checkFields() knows which characters a name may have", () => {
  // https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1
  for (let code = 0; code < 256; code++) {
    const forbidden = code <= 0x20 || (code >= 0x41 && code <= 0x5a) ||
      code >= 0x7f || code === 0x3a;
    const { fault } = checkFields(
      [`a${String.fromCharCode(code)}`, "x"],
      "trailer",
    );
    assertEquals(fault !== null, forbidden, `character ${code}`);
  }
  assertEquals(checkFields(["", "x"], "trailer").fault, "a name is not valid");
});

Deno.test("checkFields() knows which characters a value may have", () => {
  // https://www.rfc-editor.org/rfc/rfc9113#section-8.2.1
  for (let code = 0; code < 256; code++) {
    const character = String.fromCharCode(code);
    const isBlank = code === 0x20 || code === 0x09;
    const forbidden = code === 0 || code === 0x0a || code === 0x0d;
    for (
      const [value, expected] of [
        [`a${character}b`, forbidden],
        [`${character}b`, forbidden || isBlank],
        [`a${character}`, forbidden || isBlank],
        [character, forbidden || isBlank],
      ] as const
    ) {
      const { fault } = checkFields(["a", value], "trailer");
      assertEquals(fault !== null, expected, `character ${code}`);
    }
  }
});

Deno.test("checkFields() says the status and the content-length", () => {
  const line = ":status=204;content-length=12";
  assertEquals(checkFields(list(line), "response"), {
    fault: null,
    status: 204,
    contentLength: 12,
  });
  assertEquals(checkFields(REQUEST, "request").contentLength, -1);
});

Deno.test("FieldChecker.check() gives the same result when the list is the same", () => {
  const checker = new FieldChecker("request");
  const bad = list(":method=GET");
  const first = checker.check(REQUEST);
  for (let i = 0; i < 3; i++) {
    assertStrictEquals(checker.check(REQUEST), first);
    assertEquals(checker.check(bad).fault, '":scheme" is missing');
  }
  for (let i = 0; i < 9; i++) checker.check([...REQUEST]);
  assertEquals(checker.check(REQUEST).fault, null);
});

Deno.test("FieldChecker.check() finds what is wrong in a list that differs from the last one in a value or a name", () => {
  const good = list(
    ":method=POST;:scheme=http;:path=/a;:authority=a;host=a;te=trailers;content-length=5;trace=1",
  );
  const checker = new FieldChecker("request");
  const seen = new Set<string | null>();
  for (let i = 0; i < good.length; i++) {
    for (const other of ["", "2", "a\nb", " a", "A", ":status", "upgrade"]) {
      assertEquals(checker.check([...good]).fault, null);
      const changed = good.with(i, other);
      const expected = checkFields(changed, "request");
      assertEquals(checker.check(changed), expected, `${changed}`);
      seen.add(expected.fault);
    }
  }
  assertEquals(seen.size > 10, true, `${[...seen]}`);
});
