/**
 * Installs a protoc for the tests of `plugin/`, where there is none.
 *
 *     deno task plugin:tools
 *
 * It takes the one in the Python package grpcio-tools, into `.protoc/`, or else
 * Debian's, where it may install that. Where neither can be had it says so and
 * passes; the tests that need one are then skipped.
 *
 * @module
 */

import { findProtoc, outputOf, PYTHON_PACKAGES } from "./compile.ts";

/** A version with editions 2023 and 2024. */
const GRPCIO_TOOLS = "grpcio-tools>=1.76";

/** The ways to install one, the best first. */
const WAYS: Readonly<Record<string, readonly string[]>> = {
  "python3": [
    ...["-m", "pip", "install", "--quiet", "--target"],
    ...[PYTHON_PACKAGES.pathname, GRPCIO_TOOLS],
  ],
  "apt-get": [
    ...["install", "--yes", "protobuf-compiler", "libprotobuf-dev"],
  ],
};

async function install(): Promise<string> {
  let protoc = await findProtoc();
  if (protoc !== undefined) return `protoc ${protoc.version} is there`;
  for (const [command, args] of Object.entries(WAYS)) {
    await outputOf(command, args);
    protoc = await findProtoc();
    if (protoc !== undefined) {
      return `protoc ${protoc.version} is installed by ${command}`;
    }
  }
  return "No protoc can be had: the tests that need one will be skipped";
}

if (import.meta.main) console.log(await install());
