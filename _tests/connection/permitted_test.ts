/**
 * Runs the tests of `_testdata/permitted/`, each file in a process of its own, with the
 * permissions that they need and `deno task test` does not have.
 */

import { assert } from "@std/assert";

/** What a file of tests may do, and what it is told. */
interface Permitted {
  readonly file: string;
  readonly permissions: readonly string[];
  readonly args?: readonly string[];
}

/** Runs a file of tests, and fails with all that it wrote. */
async function run({ file, permissions, args = [] }: Permitted): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--no-prompt",
      "--no-check",
      ...permissions,
      import.meta.resolve(`../../_testdata/permitted/${file}`),
      "--",
      ...args,
    ],
  }).output();
  const decoder = new TextDecoder();
  assert(success, `${decoder.decode(stdout)}\n${decoder.decode(stderr)}`);
}

Deno.test("Server and Channel use IPv6, names and shared ports", async () => {
  await run({
    file: "addresses.ts",
    permissions: ["--allow-net", "--allow-run"],
  });
});

Deno.test({
  name: "Server and Channel use unix sockets",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = `/tmp/grpclib-${crypto.randomUUID()}`;
    const paths = ["x.sock", "x.sock2", "none/x.sock", "precious"]
      .map((name) => `unix:${folder}/${name}`);
    await run({
      file: "unix_sockets.ts",
      permissions: [
        `--allow-net=${paths}`,
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
        // For the server that is killed.
        "--allow-run",
      ],
      args: [folder],
    });
  },
});

Deno.test({
  name: "Channel finds servers by name and by path",
  ignore: Deno.build.os === "windows",
  async fn() {
    const folder = `/tmp/grpclib-${crypto.randomUUID()}`;
    await run({
      file: "client_targets.ts",
      permissions: [
        "--allow-net",
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
      ],
      args: [folder],
    });
  },
});
