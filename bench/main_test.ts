import { assertEquals, assertMatch } from "@std/assert";

async function bench(...args: string[]): Promise<[number, string]> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", "bench/main.ts", ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return [code, decoder.decode(stdout) + decoder.decode(stderr)];
}

Deno.test("main() measures contenders, and another checkout", async () => {
  const [code, output] = await bench(
    ...["--only", "unary-one", "--contenders", "bare,ours-node"],
    ...["--against", ".", "--rounds", "1", "--turn-ms", "20"],
  );
  assertEquals(code, 0, output);
  for (const name of ["bare", "ours-node:before", "ours-node"]) {
    const rows = output.matchAll(new RegExp(`^ +${name} +[\\d .]+ `, "gm"));
    assertEquals([...rows].length, 3, output);
  }
  assertMatch(output, /ours-node, calls\/s: × \S+ of the other checkout/);
  assertMatch(output, /ours-node, CPU: × \S+ of the other checkout/);
});

Deno.test("main() measures streams, and imports", async () => {
  const [code, output] = await bench(
    ...["--only", "streaming-one,imports", "--contenders", "ours-node"],
    ...["--rounds", "1", "--turn-ms", "20"],
  );
  assertEquals(code, 0, output);
  assertEquals(output.includes("left out"), false, output);
  const rows = output.matchAll(/^ +ours-node +[\d .]+ /gm);
  assertEquals([...rows].length, 3, output);
  assertMatch(output, /^ +@grpclib\/grpclib\/client +[\d .]+ /m);
});

Deno.test("main() measures servers that share a port", async () => {
  const [code, output] = await bench(
    ...["--only", "processes", "--contenders", "ours-native"],
    ...["--rounds", "1", "--turn-ms", "20"],
  );
  assertEquals(code, 0, output);
  assertEquals(output.includes("left out"), false, output);
  for (const name of ["ours-native", "ours-native\\+second process"]) {
    const rows = output.matchAll(new RegExp(`^ +${name} +[\\d .]+ `, "gm"));
    assertEquals([...rows].length, 1, output);
  }
});

Deno.test("main() refuses names that there are not", async () => {
  const [code, output] = await bench("--only", "unary-three");
  assertEquals(code, 1);
  assertMatch(output, /there is no "unary-three"/);
});
