import {
  assertEquals,
  assertNotStrictEquals,
  assertStrictEquals,
} from "@std/assert";
import { Metadata } from "../core/metadata.ts";
import {
  acceptsSubtype,
  contentSubtype,
  type HeaderBlock,
  HeadTemplate,
  parseReplyHead,
  parseRequestHead,
  type ReplyHead,
  replyHead,
  type RequestHead,
  requestHead,
} from "./headers.ts";

// --- requests in

const NOTHING: RequestHead = {
  method: "",
  path: "",
  scheme: "",
  authority: "",
  contentType: null,
  te: null,
  timeout: null,
  encoding: null,
  acceptEncoding: null,
  userAgent: null,
  previousAttempts: null,
  badBin: null,
  tooLarge: false,
};

Deno.test("parseRequestHead() reads every field of the call", () => {
  const raw = [
    ...[":method", "POST", ":scheme", "https", ":path", "/a.B/C"],
    ...[":authority", "example.com:443", "grpc-timeout", "1S"],
    ...["te", "trailers", "content-type", "application/grpc+proto"],
    ...["grpc-encoding", "gzip", "grpc-accept-encoding", "gzip,identity"],
    ...["user-agent", "grpc-go/1.0", "grpc-previous-rpc-attempts", "2"],
    ...["a", "1", "b-bin", "AQ"],
  ];
  assertEquals(parseRequestHead(raw), {
    method: "POST",
    path: "/a.B/C",
    scheme: "https",
    authority: "example.com:443",
    contentType: "application/grpc+proto",
    te: "trailers",
    timeout: "1S",
    encoding: "gzip",
    acceptEncoding: "gzip,identity",
    userAgent: "grpc-go/1.0",
    previousAttempts: "2",
    badBin: null,
    tooLarge: false,
  });
});

Deno.test("parseRequestHead() gives empty texts and null for what is absent", () => {
  assertEquals(parseRequestHead([]), NOTHING);
  assertEquals(parseRequestHead(["a", "1"]), NOTHING);
  assertEquals(parseRequestHead(["te"]), NOTHING); // a name without value
});

Deno.test("parseRequestHead() keeps an empty value apart from an absent one", () => {
  const { contentType, te, timeout } = parseRequestHead([
    ...["content-type", "", "te", "", "grpc-timeout", ""],
  ]);
  assertEquals([contentType, te, timeout], ["", "", ""]);
});

Deno.test("parseRequestHead() takes the first of a field that must not be repeated", () => {
  const raw = [
    ...[
      "content-type",
      "a",
      "te",
      "b",
      "grpc-encoding",
      "c",
      "user-agent",
      "d",
    ],
    ...[
      "content-type",
      "1",
      "te",
      "2",
      "grpc-encoding",
      "3",
      "user-agent",
      "4",
    ],
  ];
  const { contentType, te, encoding, userAgent } = parseRequestHead(raw);
  assertEquals([contentType, te, encoding, userAgent], ["a", "b", "c", "d"]);
});

Deno.test("parseRequestHead() takes host when there is no :authority", () => {
  const cases: [string[], string][] = [
    [["host", "a"], "a"],
    [[":authority", "b", "host", "a"], "b"],
    [["host", "a", ":authority", "b"], "b"],
  ];
  for (const [raw, authority] of cases) {
    assertEquals(parseRequestHead(raw).authority, authority);
  }
});

Deno.test("parseRequestHead() joins several lists of encodings", () => {
  const raw = ["grpc-accept-encoding", "gzip", "grpc-accept-encoding", "br,x"];
  assertEquals(parseRequestHead(raw).acceptEncoding, "gzip,br,x");
});

Deno.test("parseRequestHead() takes the shortest of several timeouts, or a malformed one", () => {
  const cases: [string[], string][] = [
    [["1S"], "1S"],
    [["bad"], "bad"],
    [["1S", "1m"], "1m"],
    [["1m", "1S"], "1m"],
    [["1S", "1000m"], "1S"],
    [["1H", "1n", "1M"], "1n"],
    [["1S", "bad"], "bad"],
    [["bad", "1S"], "bad"],
    [["1S", "bad", "1n"], "bad"],
    [["1S", ""], ""],
  ];
  for (const [values, timeout] of cases) {
    const raw = values.flatMap((value) => ["grpc-timeout", value]);
    assertEquals(parseRequestHead(raw).timeout, timeout, `${values}`);
  }
});

Deno.test("parseRequestHead() splits no list that makes more of the fields than they may be", () => {
  const list = ["a-bin", ",".repeat(10), "b-bin", "!"];
  // Ten fields more than the two there are.
  const bytes = 10 + 5 * 2 + 1 + 32 * 12 + 5 * 10;
  assertEquals(parseRequestHead(list, bytes).tooLarge, false);
  assertEquals(parseRequestHead(list, bytes).badBin, "b-bin");
  assertEquals(parseRequestHead(list, bytes - 1).tooLarge, true);
  const long = ["x-bin", ",".repeat(58_000)];
  assertEquals(parseRequestHead(long, 65_536).tooLarge, true);
  assertEquals(parseRequestHead(["x", long[1]!], 65_536).tooLarge, false);
});

Deno.test("parseRequestHead() names the first -bin field that is malformed", () => {
  const cases: [string[], string | null][] = [
    [["a-bin", "AQ"], null],
    [["a-bin", ""], null],
    [["a-bin", "AQ==, Ag,"], null],
    [["a-bin", "!"], "a-bin"],
    [["a-bin", "AQ,!"], "a-bin"],
    [["a-bin", "A"], "a-bin"],
    [["a-bin", "AQ", "b-bin", "A===", "c-bin", "!"], "b-bin"],
    [["-bin", "!"], "-bin"],
    [["a", "!", "a-binary", "!", "bin", "!"], null],
    [["grpc-trace-bin", "!"], null], // not metadata
  ];
  for (const [raw, badBin] of cases) {
    assertEquals(parseRequestHead(raw), { ...NOTHING, badBin });
  }
});

// --- responses in

Deno.test("parseReplyHead() reads every field of the call", () => {
  const cases: [string[], ReplyHead][] = [
    [[], {
      status: NaN,
      contentType: null,
      encoding: null,
      hasGrpcStatus: false,
    }],
    [
      [
        ...[":status", "200", "content-type", "application/grpc"],
        ...["grpc-encoding", "gzip", "a", "1"],
      ],
      {
        status: 200,
        contentType: "application/grpc",
        encoding: "gzip",
        hasGrpcStatus: false,
      },
    ],
    [[":status", "415", "grpc-status", "2"], {
      status: 415,
      contentType: null,
      encoding: null,
      hasGrpcStatus: true,
    }],
    [["grpc-status", "", "content-type", "a", "content-type", "b"], {
      status: NaN,
      contentType: "a",
      encoding: null,
      hasGrpcStatus: true,
    }],
  ];
  for (const [raw, head] of cases) {
    assertEquals(parseReplyHead(raw), head);
  }
});

Deno.test("parseReplyHead() gives NaN for a status that is malformed", () => {
  for (const status of ["", "20", "2000", "abc", "2e2", " 200", "-20", "020"]) {
    assertEquals(parseReplyHead([":status", status]).status, NaN, status);
  }
});

// --- heads out

const FIELDS = {
  scheme: "http",
  authority: "127.0.0.1:50051",
  path: "/helloworld.Greeter/SayHello",
  contentType: "application/grpc",
  userAgent: "grpc-deno-grpclib/0.1.0",
  encoding: null,
  acceptEncoding: null,
};

const PSEUDO: [string, string][] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/helloworld.Greeter/SayHello"],
  [":authority", "127.0.0.1:50051"],
];
const TIMEOUT: [string, string][] = [["grpc-timeout", "1S"]];
const REST: [string, string][] = [
  ["te", "trailers"],
  ["content-type", "application/grpc"],
  ["user-agent", "grpc-deno-grpclib/0.1.0"],
];
const PAIRS: [string, string][] = [["a", "1"], ["a", "2"], ["b", "3"]];
const METADATA = new Metadata(PAIRS);

/** The fields of a block, as a peer would receive them. */
const raw = (block: HeaderBlock): string[] => block.toList();

Deno.test("HeadTemplate keeps its fields", () => {
  assertEquals(new HeadTemplate(FIELDS).fields, FIELDS);
});

Deno.test("requestHead() names the encodings before the user agent", () => {
  const template = new HeadTemplate({
    ...FIELDS,
    encoding: "gzip",
    acceptEncoding: "identity,gzip",
  });
  const names = (block: HeaderBlock): string[] =>
    raw(block).filter((text, i) => i % 2 === 0 && !text.startsWith(":"));
  assertEquals(names(requestHead(template, "1S", null)), [
    ...["grpc-timeout", "te", "content-type"],
    ...["grpc-encoding", "grpc-accept-encoding", "user-agent"],
  ]);
  assertStrictEquals(
    requestHead(template, null, null, "gzip"),
    template.head,
  );
  const encodings = (block: HeaderBlock): (string | null)[] => [
    parseRequestHead(raw(block)).encoding,
    parseRequestHead(raw(template.head)).encoding,
  ];
  const other = requestHead(template, null, null, "deflate");
  assertEquals(encodings(other), ["deflate", "gzip"]);
  const none = requestHead(template, null, null, null);
  assertEquals(encodings(none), [null, "gzip"]);
});

Deno.test("requestHead() writes pseudo-headers, timeout, the call, and metadata in this order", () => {
  const template = new HeadTemplate(FIELDS);
  const cases: [HeaderBlock, [string, string][]][] = [
    [requestHead(template, null, null), [...PSEUDO, ...REST]],
    [requestHead(template, "1S", null), [...PSEUDO, ...TIMEOUT, ...REST]],
    [requestHead(template, null, METADATA), [...PSEUDO, ...REST, ...PAIRS]],
    [requestHead(template, "1S", METADATA), [
      ...PSEUDO,
      ...TIMEOUT,
      ...REST,
      ...PAIRS,
    ]],
  ];
  for (const [block, expected] of cases) {
    assertEquals(raw(block), expected.flat());
  }
});

Deno.test("requestHead() shares the template's head only when it has nothing to add", () => {
  const template = new HeadTemplate(FIELDS);
  const before = raw(template.head);
  assertStrictEquals(requestHead(template, null, null), template.head);
  for (const [timeout, metadata] of [["1S", null], [null, METADATA]] as const) {
    assertNotStrictEquals(
      requestHead(template, timeout, metadata),
      template.head,
    );
  }
  assertNotStrictEquals(
    requestHead(template, null, new Metadata()),
    template.head,
  );
  assertEquals(raw(template.head), before);
});

Deno.test("replyHead() writes status, content type and metadata in this order", () => {
  const bare = replyHead("application/grpc+proto", null);
  assertEquals(raw(bare), [
    ...[":status", "200", "content-type", "application/grpc+proto"],
  ]);
  assertStrictEquals(replyHead("application/grpc+proto", null), bare);
  assertEquals(raw(replyHead("application/grpc", METADATA, "gzip")), [
    ...[":status", "200", "content-type", "application/grpc"],
    ...["grpc-encoding", "gzip"],
    ...PAIRS.flat(),
  ]);
});

Deno.test("requestHead() shares the fields of calls with the same timeout in a row", () => {
  const template = new HeadTemplate(FIELDS);
  const expected = requestHead(template, "7000m", null).toList();
  const shared = new Set<unknown>();
  for (let i = 0; i < 100; i++) {
    const metadata = i % 2 === 0 ? null : new Metadata({ a: "1" });
    const block = requestHead(template, "7000m", metadata);
    assertEquals(
      block.toList(),
      metadata === null ? expected : [...expected, "a", "1"],
    );
    shared.add(block.shared);
  }
  assertEquals(shared.size, 2);
  const other = requestHead(template, "8S", null);
  assertStrictEquals(other.shared, template.reserved);
  assertEquals(other.toList().includes("8S"), true);
  // Deadlines that differ leave no list behind for each.
  for (let i = 0; i < 100; i++) {
    shared.add(requestHead(template, `${i % 3}m`, null).shared);
  }
  assertEquals(shared.size, 2);
});

Deno.test("parseRequestHead() reads what requestHead() writes", () => {
  const block = requestHead(new HeadTemplate(FIELDS), "1S", null);
  const head = parseRequestHead(raw(block));
  assertEquals(head, {
    ...NOTHING,
    ...FIELDS,
    method: "POST",
    te: "trailers",
    timeout: "1S",
  });
});

// --- content types

Deno.test("contentSubtype() reads the subtype", () => {
  const cases: [string, string | null][] = [
    ["application/grpc", ""],
    ["application/grpc+proto", "proto"],
    ["application/grpc+json", "json"],
    ["application/grpc+", ""],
    ["application/grpc+x.y-z", "x.y-z"],
    ["application/grpc+a+b", "a+b"],
    ["APPLICATION/GRPC", ""],
    ["Application/Grpc+Proto", "proto"],
    ["application/grpc; charset=utf-8", ""],
    ["application/grpc;charset=utf-8", ""],
    ["application/grpc ; a=b; c=d", ""],
    ["application/grpc+proto;x=1", "proto"],
    ["application/grpc+proto ;x=1", "proto"],
    ["application/grpc+proto;", "proto"],
    [" application/grpc ", ""],
    ["application/grpc-web", null],
    ["application/grpc-web+proto", null],
    ["application/grpcfoo", null],
    ["application/grpc/proto", null],
    ["application/json", null],
    ["text/html", null],
    ["", null],
    [";", null],
    ["application/grp", null],
    ["xapplication/grpc", null],
    ["text/html; application/grpc", null],
    ["application/grpc proto", null],
  ];
  for (const [contentType, subtype] of cases) {
    assertEquals(contentSubtype(contentType), subtype, contentType);
  }
});

Deno.test("acceptsSubtype() takes no subtype for proto", () => {
  const cases: [string, string, boolean][] = [
    ["", "proto", true],
    ["proto", "proto", true],
    ["json", "json", true],
    ["", "json", false],
    ["proto", "json", false],
    ["json", "proto", false],
    ["x-my", "X-My", true],
    ["", "", false],
  ];
  for (const [subtype, codecSubtype, expected] of cases) {
    assertEquals(
      acceptsSubtype(subtype, codecSubtype),
      expected,
      `${subtype} ${codecSubtype}`,
    );
  }
});
