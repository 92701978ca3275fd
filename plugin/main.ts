/**
 * The program `protoc-gen-grpclib`: a plugin for buf and protoc that generates
 * stubs and bases for the services of .proto files.
 *
 * For each `x.proto` with services it makes an `x_grpc.ts`, to stand beside the
 * `x_pb.ts` of protoc-gen-es. A `buf.gen.yaml` that makes both:
 *
 * ```yaml
 * version: v2
 * plugins:
 *   - local: [deno, run, -A, "npm:@bufbuild/protoc-gen-es"]
 *     out: gen
 *     opt: [target=ts, import_extension=ts]
 *   - local: [deno, run, "jsr:@grpclib/grpclib/protoc-gen-grpclib"]
 *     out: gen
 *     opt: [target=ts, import_extension=ts]
 * ```
 *
 * The program reads a `CodeGeneratorRequest` from its standard input and writes
 * a `CodeGeneratorResponse` to its standard output. It needs no permission.
 *
 * @module
 */

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type CodeGeneratorRequest,
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
} from "@bufbuild/protobuf/wkt";
import { protocGenGrpclib } from "./plugin.ts";

const { name, version } = protocGenGrpclib;

/** Answers the request on the standard input, or says why it cannot. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes("--version")) {
    await write(Deno.stdout, new TextEncoder().encode(`${name} ${version}\n`));
    return 0;
  }
  try {
    if (args.length > 0) throw new Error(`unknown argument "${args[0]}"`);
    if (Deno.stdin.isTerminal()) {
      throw new Error("this is a plugin for buf or protoc to run");
    }
    const bytes = await new Response(Deno.stdin.readable).bytes();
    const response = protocGenGrpclib.run(read(bytes));
    await write(Deno.stdout, toBinary(CodeGeneratorResponseSchema, response));
    return 0;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const line = `${name}: ${text.replaceAll(/\s+/g, " ").trim()}\n`;
    await write(Deno.stderr, new TextEncoder().encode(line));
    return 1;
  }
}

function read(bytes: Uint8Array): CodeGeneratorRequest {
  let fault = "it names no files to generate";
  try {
    const request = fromBinary(CodeGeneratorRequestSchema, bytes);
    if (request.fileToGenerate.length > 0) return request;
  } catch (error) {
    fault = error instanceof Error ? error.message : String(error);
  }
  throw new Error(`Cannot read CodeGeneratorRequest: ${fault}`);
}

async function write(
  { writable }: { readonly writable: WritableStream<Uint8Array> },
  bytes: Uint8Array,
): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(bytes);
  writer.releaseLock();
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
