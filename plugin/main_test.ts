import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import { assertEquals, assertMatch } from "@std/assert";
import { VERSION } from "../core/version.ts";
import { file_tour } from "./testdata/gen/tour_pb.ts";

/** What the program did. */
interface Outcome {
  readonly code: number;
  readonly stdout: Uint8Array<ArrayBuffer>;
  readonly stderr: string;
}

/** Runs the program, which may do nothing at all. */
async function run(
  input: Uint8Array,
  ...args: readonly string[]
): Promise<Outcome> {
  const main = new URL("main.ts", import.meta.url).pathname;
  await using child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", main, ...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = child.output();
  const writer = child.stdin.getWriter();
  try {
    await writer.write(input);
    await writer.close();
  } catch {
    // It may end without reading, when it does not like its arguments.
  }
  const { code, stdout, stderr } = await output;
  return { code, stdout, stderr: new TextDecoder().decode(stderr) };
}

function request(
  parameter: string,
  fileToGenerate: string[] = ["tour.proto"],
): Uint8Array {
  return toBinary(
    CodeGeneratorRequestSchema,
    create(CodeGeneratorRequestSchema, {
      parameter,
      fileToGenerate,
      protoFile: [file_tour.proto],
    }),
  );
}

Deno.test("protoc-gen-grpclib answers a request without any permission", async () => {
  const { code, stdout, stderr } = await run(request("target=ts"));
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const { file } = fromBinary(CodeGeneratorResponseSchema, stdout);
  assertEquals(file.map(({ name }) => name), ["tour_grpc.ts"]);
});

Deno.test("protoc-gen-grpclib prints JavaScript without any permission", async () => {
  const { code, stdout, stderr } = await run(request("target=js+dts"));
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const { file } = fromBinary(CodeGeneratorResponseSchema, stdout);
  assertEquals(file.map(({ name }) => name), [
    "tour_grpc.js",
    "tour_grpc.d.ts",
  ]);
});

Deno.test("protoc-gen-grpclib tells its version", async () => {
  const { code, stdout } = await run(new Uint8Array(), "--version");
  assertEquals(code, 0);
  assertEquals(
    new TextDecoder().decode(stdout),
    `protoc-gen-grpclib v${VERSION}\n`,
  );
});

Deno.test("protoc-gen-grpclib lets the compiler tell of a fault in a .proto file", async () => {
  const proto = structuredClone(file_tour.proto);
  proto.service[0]!.method[1]!.name = "describe";
  const { code, stdout, stderr } = await run(
    toBinary(
      CodeGeneratorRequestSchema,
      create(CodeGeneratorRequestSchema, {
        fileToGenerate: [proto.name],
        protoFile: [proto],
      }),
    ),
  );
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  const { error, file } = fromBinary(CodeGeneratorResponseSchema, stdout);
  assertMatch(error, /^tour\.proto: Cannot generate tour\.Tour: rpcs /);
  assertEquals(file, []);
});

const cut = request("target=ts").slice(0, -9);

const faults: [name: string, input: Uint8Array, message: RegExp][] = [
  ["text", new TextEncoder().encode("Hello!"), /^Cannot read CodeG/],
  ["a request that breaks off", cut, /^Cannot read CodeG/],
  ["all ones", new Uint8Array(64).fill(255), /^Cannot read CodeG/],
  ["all zeros", new Uint8Array(64), /^Cannot read CodeG/],
  ["nothing", new Uint8Array(), /^Cannot read CodeG.*: it names no files/],
  ["a file that is not there", request("", ["a.proto"]), /a\.proto$/],
  ["an unknown option", request("foo=1"), /^invalid option "foo=1"/],
];

for (const [name, input, message] of faults) {
  Deno.test(`protoc-gen-grpclib fails with one line on stderr for ${name}`, async () => {
    const { code, stdout, stderr } = await run(input);
    assertEquals({ code, written: stdout.length }, { code: 1, written: 0 });
    const [, line = ""] = /^protoc-gen-grpclib: (.+)\n$/.exec(stderr) ?? [];
    assertMatch(line, message);
  });
}

Deno.test("protoc-gen-grpclib refuses arguments", async () => {
  const { code, stderr } = await run(new Uint8Array(), "x.proto");
  assertEquals(code, 1);
  assertEquals(stderr, 'protoc-gen-grpclib: unknown argument "x.proto"\n');
});
