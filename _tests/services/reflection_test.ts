/**
 * Reflection as foreign tools see it: grpcurl and grpcio-reflection's client
 * with `examples/reflection`, and our client with servers in Python.
 */

import { EmptySchema } from "@bufbuild/protobuf/wkt";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  Cardinality,
  Channel,
  createStub,
  mapping,
  Server,
  type ServerStream,
  type Service,
} from "../../mod.ts";
import { reflect, ServerReflection } from "../../reflection/mod.ts";
import { ChildProcess } from "../../_testdata/child_process.ts";
import {
  type EchoReply,
  EchoReplySchema,
  type EchoRequest,
  EchoRequestSchema,
} from "../../_testdata/gen/echo_pb.ts";
import {
  named,
  python as findPython,
  runTool,
  talkTo,
  tool,
} from "../../_testdata/tools.ts";
import { soon } from "../../_testdata/waiting.ts";

const grpcurl = tool("grpcurl");
const python = findPython();

function testdata(name: string): string {
  return new URL(`../../_testdata/${name}`, import.meta.url).pathname;
}

/** Runs a program of the example. */
function runExample(name: string, port: string): ChildProcess {
  return new ChildProcess([
    "--allow-net=127.0.0.1",
    import.meta.resolve(`../../examples/reflection/${name}.ts`),
    port,
  ]);
}

/** The server of the example, until the scope is left. */
async function startExample() {
  const child = runExample("server", "0");
  const line = await soon(child.line());
  assertMatch(line ?? "", /^Serving on 127\.0\.0\.1:\d+$/);
  return {
    address: line!.replace("Serving on ", ""),
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      assertEquals((await soon(child.leave())).code, 0);
    },
  };
}

/** Runs grpcurl, which has to be content, and gives what it says. */
async function curl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runTool(grpcurl!, [
    "-plaintext",
    ...args,
  ]);
  assertEquals(code, 0, stderr);
  return stdout.trim();
}

/** The JSON values of a text, one behind the other. */
function valuesOf(text: string): unknown[] {
  return text.split(/(?<=^})\n/m).map((json) => JSON.parse(json));
}

Deno.test("examples/reflection calls a service that its client knows by name alone", async () => {
  await using server = await startExample();
  await using client = runExample("client", server.address.split(":")[1]!);
  const said: string[] = [];
  for (let line; (line = await soon(client.line())) !== null;) said.push(line);
  assertEquals((await soon(client.leave())).code, 0);
  assertEquals(said, [
    "service inventory.v1.Inventory",
    "  FindItem: inventory.v1.FindItemRequest → inventory.v1.Item, unary",
    "  CountItems: inventory.v1.Scan → inventory.v1.Item, bidi_streaming",
    '{"sku":"A-1","shelf":{"aisle":"A","level":1},"count":42,"countedAt":"2023-11-14T22:13:20Z"}',
    "1 × B-2",
    "1 × C-3",
    "2 × B-2",
  ]);
});

/** What grpcurl describes, by what it is asked for. */
const DESCRIBED = {
  "inventory.v1.Inventory": `inventory.v1.Inventory is a service:
service Inventory {
  rpc CountItems ( stream .inventory.v1.Scan ) returns ( stream .inventory.v1.Item );
  rpc FindItem ( .inventory.v1.FindItemRequest ) returns ( .inventory.v1.Item );
}`,
  "inventory.v1.Inventory.FindItem":
    `inventory.v1.Inventory.FindItem is a method:
rpc FindItem ( .inventory.v1.FindItemRequest ) returns ( .inventory.v1.Item );`,
  // From a file that the service's file imports.
  "inventory.v1.Item": `inventory.v1.Item is a message:
message Item {
  string sku = 1;
  .inventory.v1.Item.Shelf shelf = 2;
  int32 count = 3;
  .google.protobuf.Timestamp counted_at = 4;
  message Shelf {
    string aisle = 1;
    int32 level = 2;
  }
}`,
  "inventory.v1.Item.Shelf": `inventory.v1.Item.Shelf is a message:
message Shelf {
  string aisle = 1;
  int32 level = 2;
}`,
  "inventory.v1.Item.sku": `inventory.v1.Item.sku is a field:
string sku = 1;`,
  // From a file that this one imports.
  "google.protobuf.Timestamp": `google.protobuf.Timestamp is a message:
message Timestamp {
  int64 seconds = 1;
  int32 nanos = 2;
}`,
};

Deno.test({
  name: named("ServerReflection answers grpcurl", { grpcurl }),
  ignore: grpcurl === null,
  async fn(t) {
    await using server = await startExample();
    const { address } = server;

    await t.step("which lists services and methods", async () => {
      assertEquals(await curl(address, "list"), "inventory.v1.Inventory");
      assertEquals(
        await curl(address, "list", "inventory.v1.Inventory"),
        "inventory.v1.Inventory.CountItems\ninventory.v1.Inventory.FindItem",
      );
    });

    for (const [symbol, text] of Object.entries(DESCRIBED)) {
      await t.step(`which describes ${symbol}`, async () => {
        assertEquals(await curl(address, "describe", symbol), text);
      });
    }

    await t.step("which is told what there is not", async () => {
      const { code, stderr } = await runTool(grpcurl!, [
        ...["-plaintext", address, "describe", "inventory.v1.None"],
      ]);
      assertEquals(code, 1);
      assertStringIncludes(stderr, "Symbol not found: inventory.v1.None");
    });

    await t.step("which calls a method with one request", async () => {
      const method = "inventory.v1.Inventory/FindItem";
      const text = await curl("-d", '{"sku":"A-1"}', address, method);
      assertEquals(valuesOf(text), [{
        sku: "A-1",
        shelf: { aisle: "A", level: 1 },
        count: 42,
        countedAt: "2023-11-14T22:13:20Z",
      }]);
    });

    await t.step("which calls a method with many requests", async () => {
      const method = "inventory.v1.Inventory/CountItems";
      const scans = '{"sku":"B-2"}{"sku":"C-3"}{"sku":"B-2"}';
      const text = await curl("-d", scans, address, method);
      assertEquals(valuesOf(text), [
        { sku: "B-2", count: 1 },
        { sku: "C-3", count: 1 },
        { sku: "B-2", count: 2 },
      ]);
    });

    await t.step("which sees the status of a failed call", async () => {
      const { stderr } = await runTool(grpcurl!, [
        ...["-plaintext", "-d", '{"sku":"x"}', address],
        "inventory.v1.Inventory/FindItem",
      ]);
      assertStringIncludes(
        stderr,
        'ERROR:\n  Code: NotFound\n  Message: No item "x"\n',
      );
    });
  },
});

/** A service that no .proto file knows of. */
const shouter: Service = {
  [mapping]: () => ({
    "/hand.written.Shouter/Shout": {
      async handle(stream: ServerStream<EchoRequest, EchoReply>) {
        const { text } = await stream.recvMessage();
        await stream.sendMessage({ text: text.toUpperCase() });
      },
      cardinality: Cardinality.UNARY_UNARY,
      requestType: EchoRequestSchema,
      replyType: EchoReplySchema,
    },
    "/hand.written.Shouter/Wait": {
      handle: () => {},
      cardinality: Cardinality.UNARY_STREAM,
      requestType: EmptySchema,
      replyType: EmptySchema,
    },
  }),
};

Deno.test({
  name: named(
    "ServerReflection describes services written by hand to grpcurl",
    {
      grpcurl,
    },
  ),
  ignore: grpcurl === null,
  async fn() {
    await using server = new Server(ServerReflection.extend([shouter]));
    await server.start("127.0.0.1");
    const address = server.address!;
    assertEquals(
      await curl(address, "describe"),
      `hand.written.Shouter is a service:
service Shouter {
  rpc Shout ( .grpclib.test.EchoRequest ) returns ( .grpclib.test.EchoReply );
  rpc Wait ( .google.protobuf.Empty ) returns ( stream .google.protobuf.Empty );
}`,
    );
    const method = "hand.written.Shouter/Shout";
    const text = await curl("-d", '{"text":"hello"}', address, method);
    assertEquals(valuesOf(text), [{ text: "HELLO" }]);
  },
});

Deno.test({
  name: named("ServerReflection answers grpcio-reflection's client", {
    python,
  }),
  ignore: python === null,
  async fn() {
    await using server = await startExample();
    const { code, stdout, stderr } = await runTool(python!, [
      testdata("reflection_client.py"),
      server.address,
    ]);
    assertEquals(code, 0, stderr);
    assertEquals(JSON.parse(stdout), {
      services: ["inventory.v1.Inventory"],
      methods: ["FindItem", "CountItems"],
      file: "inventory/v1/inventory.proto",
      imports: ["inventory/v1/item.proto"],
      symbol: "inventory/v1/item.proto",
      missing: true,
      extensions: [],
      item: {
        sku: "A-1",
        shelf: { aisle: "A", level: 1 },
        count: 42,
        countedAt: "2023-11-14T22:13:20Z",
      },
    });
  },
});

/** The services that each library lists. */
const LISTED = {
  // This one has v1alpha alone, and lists itself.
  grpcio: [
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
  ],
  // This one sends one file at a time.
  grpclib: ["grpc.health.v1.Health"],
};

for (const [library, listed] of Object.entries(LISTED)) {
  Deno.test({
    name: named(`reflect() understands the reflection of Python's ${library}`, {
      python,
    }),
    ignore: python === null,
    async fn() {
      await using server = talkTo(
        ...[python!, testdata("reflection_server.py"), library] as const,
      );
      const port = Number(await soon(server.line()));
      await using channel = new Channel("127.0.0.1", port);
      const { serviceNames, services, getService } = await soon(
        reflect(channel),
      );
      assertEquals(serviceNames, listed);
      assertEquals(services.map(({ typeName }) => typeName), listed);
      const health = createStub(getService("grpc.health.v1.Health"), channel);
      // SERVING is 1.
      assertEquals((await soon(health.check!({}))).status, 1);
      for await (const { status } of health.watch!({ service: "none" })) {
        // SERVICE_UNKNOWN is 3.
        assertEquals(status, 3);
        break;
      }
    },
  });
}
