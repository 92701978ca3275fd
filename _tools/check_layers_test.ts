import { assertEquals, assertMatch } from "@std/assert";
import {
  checkLayers,
  findLong,
  type Import,
  readTree,
  ROOMS,
  type Tree,
} from "./check_layers.ts";

/** A tree of modules from lines such as `core/a.ts imports type core/b.ts`. */
function tree(
  lines: readonly string[],
  sources: Record<string, string> = {},
): Tree {
  const imports = lines.map((line, index): Import => {
    const [from, , ...rest] = line.split(" ") as [string, string, ...string[]];
    const to = rest.pop() as string;
    const specifier = to.endsWith(".ts") ? `./${to}` : to;
    const kind = (rest[0] ?? "value") as Import["kind"];
    return { from, to, specifier, line: index + 1, kind };
  });
  return { imports, sources: new Map(Object.entries(sources)) };
}

const allowed = [
  "_protobuf/mod.ts imports @bufbuild/protobuf",
  "core/codec.ts imports _protobuf/mod.ts",
  "_protobuf/testdata/a.ts imports core/codec.ts",
  "core/errors.ts imports core/status.ts",
  "core/codec.ts imports core/errors.ts",
  "core/errors.ts imports core/_describe.ts",
  "_wire/frame.ts imports core/codec.ts",
  "_wire/headers.ts imports _wire/frame.ts",
  "_wire/text.ts imports @std/encoding/base64",
  "_call/cancellation.ts imports _call/deadline_queue.ts",
  "_call/inbox.ts imports _call/cancellation.ts",
  "_call/server/serve.ts imports _call/server/stream.ts",
  "_http2/node/stream.ts imports _call/byte_stream.ts",
  "_http2/node/stream.ts imports node:http2",
  "_http2/native/stream.ts imports _h2/mod.ts",
  "_http2/node/early_headers.ts imports _h2/hpack/mod.ts",
  "_h2/stream.ts imports _h2/hpack/mod.ts",
  "_engines.ts imports _http2/native/engine.ts",
  "_call/peer.ts imports type node:tls",
  "_call/web.ts imports node:stream",
  "client.ts imports _http2/client/subchannel.ts",
  "health/check.ts imports server.ts",
  "health/mod.ts imports health/gen/grpc/health/v1/health_pb.ts",
  "mod.ts imports client.ts",
  "examples/a/client.ts imports @grpclib/grpclib/client",
  "examples/a/client.ts imports examples/b/gen/b_pb.ts",
  "bench/main.ts imports _testdata/certificates.ts",
  "bench/peers/bare.ts imports node:http2",
  "_wire/frame_test.ts imports mod.ts",
  "_tools/demo.ts imports examples/a/client.ts",
  "_testdata/grpc_js.ts imports @grpc/grpc-js",
];

for (const line of allowed) {
  Deno.test(`checkLayers() has nothing against ${line}`, () => {
    assertEquals(checkLayers(tree([line])), []);
  });
}

const refused: [line: string, reason: RegExp][] = [
  ["_protobuf/mod.ts imports core/_bytes.ts", /below/],
  [
    "_protobuf/mod.ts imports _protobuf/testdata/a.ts",
    /not part of the package/,
  ],
  ["_protobuf/mod.ts imports node:buffer", /_protobuf\/ is pure/],
  ["core/errors.ts imports core/codec.ts", /below "core\/errors.ts"/],
  ["core/errors.ts imports type core/codec.ts", /^imports types of .* below/],
  ["core/errors.ts imports dynamic core/codec.ts", /below/],
  ["core/status.ts imports _wire/text.ts", /below/],
  ["_wire/frame.ts imports _wire/headers.ts", /below/],
  ["_wire/frame.ts imports _call/half.ts", /below/],
  ["_call/half.ts imports _call/cancellation.ts", /below/],
  ["_call/server/stream.ts imports _call/server/serve.ts", /below/],
  [
    "_call/server/call.ts imports type _call/client/call.ts",
    /only _call\/client/,
  ],
  ["_call/inbox.ts imports _call/server/call.ts", /only _call\/server/],
  [
    "_http2/client/dial.ts imports type _http2/server/tls.ts",
    /only _http2\/server/,
  ],
  ["_call/client/stream.ts imports _http2/stream.ts", /below/],
  ["_http2/client/subchannel.ts imports client.ts", /below/],
  ["server.ts imports health/mod.ts", /below/],
  ["client.ts imports mod.ts", /below/],
  ["client.ts imports _tools/check_layers.ts", /not part of the package/],
  ["client.ts imports _wire/frame_test.ts", /nothing imports a test/],
  ["_http2/stream.ts imports _call/half.ts", /only by the seam/],
  ["_http2/session.ts imports type node:http2", /_http2\/node\/ alone/],
  ["_http2/native/stream.ts imports node:http2", /_http2\/node\/ alone/],
  ["_h2/stream.ts imports core/status.ts", /nothing but itself/],
  ["_h2/stream.ts imports type node:net", /nothing but itself/],
  ["_http2/node/stream.ts imports _h2/mod.ts", /_http2\/native\/ alone/],
  ["_http2/native/a.ts imports _http2/node/b.ts", /knows no other/],
  ["client.ts imports _http2/node/engine.ts", /knows no other/],
  ["core/peer.ts imports type node:tls", /core\/ is pure/],
  ["_wire/text.ts imports node:buffer", /_wire\/ is pure/],
  ["_call/server/serve.ts imports node:http2", /values of node:http2/],
  ["client.ts imports node:net", /values of node:net/],
  ["examples/a/client.ts imports client.ts", /public entry points/],
  ["examples/a/client.ts imports _wire/frame.ts", /public entry points/],
  ["interop/go_test.ts imports _call/half.ts", /public entry points/],
  ["server_test.ts imports @grpc/grpc-js", /types of its own/],
];

for (const [line, reason] of refused) {
  Deno.test(`checkLayers() refuses that ${line}`, () => {
    const [violation, ...others] = checkLayers(tree([line]));
    assertEquals(others, []);
    assertEquals(violation?.path, line.split(" ")[0]);
    assertMatch(violation?.message ?? "", reason);
  });
}

Deno.test("checkLayers() reports a cycle of values once, with its way", () => {
  const found = checkLayers(tree([
    "core/metadata.ts imports core/status.ts",
    "core/status.ts imports core/errors.ts",
    "core/errors.ts imports core/metadata.ts",
    "core/peer.ts imports core/errors.ts",
  ]));
  assertEquals(found.map(({ path, message }) => `${path} ${message}`), [
    'core/errors.ts imports itself by way of a cycle: "core/errors.ts" → "core/metadata.ts" → "core/status.ts" → "core/errors.ts"',
  ]);
});

Deno.test("checkLayers() reports a cycle that types close", () => {
  const found = checkLayers(tree([
    "core/errors.ts imports core/status.ts",
    "core/status.ts imports type core/errors.ts",
  ]));
  assertEquals(found.map(({ path, message }) => `${path} ${message}`), [
    'core/errors.ts imports itself by way of a cycle: "core/errors.ts" → "core/status.ts" → "core/errors.ts"',
  ]);
});

Deno.test("checkLayers() lets dynamic imports go in circles", () => {
  assertEquals(
    checkLayers(tree([
      "core/a.ts imports core/b.ts",
      "core/b.ts imports dynamic core/a.ts",
    ])),
    [],
  );
});

Deno.test("checkLayers() finds the Deno global, but not its name in a text", () => {
  const found = checkLayers(tree([], {
    "core/peer.ts": 'Symbol.for("Deno.customInspect"); // Deno.inspect\n',
    "core/config.ts": "/** Deno */\nconst pid = Deno.pid;\n",
    "_http2/session.ts": "const { pid } = globalThis.Deno ?? {};\n",
    "_wire/frame.ts": "options.Deno = myDeno;\n",
    "_wire/frame_test.ts": 'Deno.test("a", () => {});\n',
    "_tools/gen.ts": "Deno.exit();\n",
    "server.ts": "Deno.addSignalListener;\n",
    "_graceful_exit.ts": "Deno.addSignalListener;\n",
    "testing/mod.ts": "Deno.test;\n",
  }));
  assertEquals(found.map(({ path, line }) => `${path}:${line}`), [
    "_http2/session.ts:1",
    "core/config.ts:2",
    "server.ts:1",
  ]);
});

Deno.test("checkLayers() finds the console in the package alone", () => {
  const found = checkLayers(tree([], {
    "client.ts": "/** console.log(1) */\nconsole.log(2);\nthis.console;\n",
    "_server.ts": "console.error(error);\n",
    "server_test.ts": "console.log(1);\n",
    "examples/a/client.ts": "console.log(1);\n",
  }));
  assertEquals(found.map(({ path, line }) => `${path}:${line}`), [
    "client.ts:2",
  ]);
});

Deno.test("findLong() finds modules that are long, except tests and generated ones", () => {
  const [enough, tooLong] = ["\n".repeat(599), "a\n".repeat(601)];
  const found = findLong(tree([], {
    "_wire/frame.ts": `${enough}end\n`,
    "_wire/headers.ts": tooLong,
    "_wire/headers_test.ts": tooLong,
    "_testdata/gen/echo_pb.ts": tooLong,
  }));
  assertEquals(found, [
    "_wire/headers.ts has 601 lines: is it still one module?",
  ]);
});

Deno.test("readTree() reads this repository, which keeps to the layers", async () => {
  const tree = await readTree(new URL("../", import.meta.url));
  assertEquals(tree.sources.has("_tools/check_layers_test.ts"), true);
  const own = tree.imports.find(({ from, to }) =>
    from === "_tools/check_layers_test.ts" && to === "_tools/check_layers.ts"
  );
  assertEquals(own?.kind, "value");
  assertEquals(own?.specifier, "./check_layers.ts");
  assertEquals(checkLayers(tree), []);
});

Deno.test("docs/architecture.md has the table of rooms that is checked", async () => {
  const page = await Deno.readTextFile(
    new URL("../docs/architecture.md", import.meta.url),
  );
  const rows = [...page.matchAll(/^\| (\d+) +\| (.+) \|$/gm)];
  assertEquals(
    rows.map(([, number]) => Number(number)),
    ROOMS.map((_, i) => i + 1),
  );
  ROOMS.forEach((room, i) => {
    const row = rows[i]?.[2] ?? "";
    for (const pattern of room) {
      const name = pattern.endsWith("*")
        ? /^(.*?)\/?\*$/.exec(pattern)![1]!
        : pattern;
      const last = name.split("/").at(-1)!;
      if (last !== "") {
        assertMatch(row, new RegExp(last.replace(".", "\\.")), pattern);
      }
    }
  });
});

Deno.test("docs/architecture.md and CONTRIBUTING.md name files that are there", async () => {
  const root = new URL("../", import.meta.url);
  const missing: string[] = [];
  for (const page of ["docs/architecture.md", "CONTRIBUTING.md"]) {
    const text = await Deno.readTextFile(new URL(page, root));
    for (
      const [, path = ""] of text.matchAll(
        /`(_\w+\/[\w/]+\.ts|core\/\w+\.ts)`/g,
      )
    ) {
      try {
        await Deno.stat(new URL(path, root));
      } catch {
        missing.push(`${page}: ${path}`);
      }
    }
  }
  assertEquals(missing, []);
});
