/**
 * Shows a server and a client at work: starts the weather station of
 * `examples/streaming` on a free port, runs its client in a second process,
 * and closes the server with a signal. Fails when anything that either of them
 * says is not as expected.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

const EXPECTED: readonly (readonly [kind: string, says: string])[] = [
  ["unary-unary", "18.5 °C in the hut"],
  ["metadata", '"Hello, Ada", 7 °C, readings: 1'],
  ["error", 'NOT_FOUND: No thermometer at "moon"'],
  ["deadline", "DEADLINE_EXCEEDED: Deadline exceeded"],
  ["unary-stream", "18.5, 19, 19.5 °C, then cancelled"],
  ["stream-unary", "3 readings, -12 to 18 °C, mean 4 °C"],
  ["stream-stream", "frost at the summit, heat at the oven, then null"],
];

const KINDS = ["unary-unary", "unary-stream", "stream-unary", "stream-stream"];

/** Nothing here may take longer. */
const TIMEOUT_MS = 50_000;

function run(file: string, ...args: string[]): Deno.ChildProcess {
  const { pathname } = new URL(
    `../examples/streaming/${file}`,
    import.meta.url,
  );
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net=127.0.0.1", pathname, ...args],
    stdout: "piped",
  }).spawn();
}

async function* linesOf(child: Deno.ChildProcess): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of child.stdout.pipeThrough(new TextDecoderStream())
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

const server = run("server.ts", "0");
const timer = setTimeout(() => {
  console.log(`Not done within ${TIMEOUT_MS} ms`);
  Deno.exit(1);
}, TIMEOUT_MS);

const serverLines = linesOf(server);
const { value: serving = "" } = await serverLines.next();
console.log(`server: ${serving}`);
const port = /:([0-9]+)$/.exec(serving)?.[1] ?? "0";

const client = run("client.ts", port);
const said = new Map<string, string>();
for await (const line of linesOf(client)) {
  console.log(`client: ${line}`);
  const [kind = "", ...rest] = line.split(": ");
  said.set(kind, rest.join(": "));
}
const { code: clientCode } = await client.status;

server.kill("SIGTERM");
const last: string[] = [];
for await (const line of serverLines) {
  console.log(`server: ${line}`);
  last.push(line);
}
const { code: serverCode } = await server.status;
clearTimeout(timer);

const faults = EXPECTED
  .filter(([kind, says]) => said.get(kind) !== says)
  .map(([kind, says]) => `${kind} should say: ${says}`);
if (clientCode !== 0) faults.push(`the client ended with code ${clientCode}`);
if (serverCode !== 0) faults.push(`the server ended with code ${serverCode}`);
if (!last.includes("Stopped watching the hut")) {
  faults.push("the server did not learn of the cancel");
}
if (last.at(-1) !== "Closed") faults.push("the server did not close");
for (const fault of faults) console.log(`Differs: ${fault}`);

const answered = KINDS.filter((kind) =>
  EXPECTED.some(([k, says]) => k === kind && said.get(k) === says)
);
console.log(`${answered.length} of ${KINDS.length} call kinds answered`);
if (faults.length > 0) Deno.exit(1);
