/**
 * A server and a client with as little as they are given:
 * `least_program.ts port [host] [without-deno]`. It writes how each of them fared.
 */

// deno-lint-ignore-file no-console

const [port, host = "127.0.0.1", without] = Deno.args;
if (without !== undefined) hideDeno();

const { Channel, createService, createStub, Server } = await import(
  "../mod.ts"
);
const { Echo } = await import("./gen/echo_pb.ts");

/** Takes the Deno global from the library, but not from the runtime's own code. */
function hideDeno(): void {
  const deno = Deno;
  const library = import.meta.resolve("../");
  Object.defineProperty(globalThis, "Deno", {
    get() {
      const caller = new Error().stack?.split("\n")[2] ?? "";
      if (caller.includes(library)) throw new Error(`Deno is used ${caller}`);
      return deno;
    },
  });
}

async function tell(what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    console.log(`${what}: ${await work()}`);
  } catch (error) {
    console.log(`${what}: ${error}`);
  }
}

await using server = new Server([
  createService(Echo, {
    unary: ({ text }) => ({ text }),
    serverStream: () => [],
    clientStream: () => ({}),
    bidi: () => [],
  }),
]);
await tell("server", async () => {
  await server.start(host, Number(port));
  return "listening";
});
await using channel = new Channel(host, Number(port));
await tell("client", async () => {
  const reply = await createStub(Echo, channel).unary({ text: "hello" });
  return reply.text;
});
