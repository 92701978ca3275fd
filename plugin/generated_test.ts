/**
 * Calls by way of the generated classes, over a real connection.
 *
 * @module
 */

import { Channel, type Many } from "@grpclib/grpclib/client";
import {
  Cardinality,
  mapping,
  Server,
  type ServerStream,
  type Service,
} from "@grpclib/grpclib/server";
import { isFieldSet } from "@bufbuild/protobuf";
import type {
  Any,
  Duration,
  Empty,
  StringValue,
  Struct,
  Timestamp,
} from "@bufbuild/protobuf/wkt";
import { assertEquals } from "@std/assert";
import {
  ModernBase,
  ModernStub,
} from "./testdata/gen/editions/edition_2023_grpc.ts";
import {
  type Task,
  TaskSchema,
} from "./testdata/gen/editions/edition_2023_pb.ts";
import {
  ImportsBase,
  ImportsStub,
  WellKnownBase,
  WellKnownStub,
} from "./testdata/gen/imports_grpc.ts";
import type { Local, Local_Nested } from "./testdata/gen/imports_pb.ts";
import { PlainBase, PlainStub } from "./testdata/gen/no_package_grpc.ts";
import type { Thing } from "./testdata/gen/no_package_pb.ts";
import {
  BaseBase,
  BaseStub,
  ReservedBase,
  ReservedStub,
} from "./testdata/gen/reserved_grpc.ts";
import type { Word } from "./testdata/gen/reserved_pb.ts";
import * as services from "./testdata/gen/services_grpc.ts";
import type { Item } from "./testdata/gen/services_pb.ts";
import type { Treasure } from "./testdata/gen/shared/deep_pb.ts";
import type {
  Outer,
  Outer_Middle,
  Outer_Middle_Inner,
} from "./testdata/gen/shared/nested_pb.ts";
import { TourBase, TourStub } from "./testdata/gen/tour_grpc.ts";
import type { Area, Point, Sight, Summary } from "./testdata/gen/tour_pb.ts";
// @ts-types="./testdata/js/gen/script_grpc.d.ts"
import {
  ScriptBase,
  ScriptStub,
  SilenceBase,
  SilenceStub,
} from "./testdata/js/gen/script_grpc.js";
import type { Line } from "./testdata/js/gen/script_pb.ts";

/** Serves services on a free port while a function calls them. */
async function withServer(
  services: readonly Service[],
  run: (channel: Channel) => Promise<void>,
): Promise<void> {
  await using server = new Server(services);
  await server.start("127.0.0.1");
  await using channel = new Channel("127.0.0.1", server.port!);
  await run(channel);
}

class Guide extends TourBase {
  async describe(stream: ServerStream<Point, Sight>) {
    const point = await stream.recvMessage();
    await stream.sendMessage({ name: `${point.x}:${point.y}`, point });
  }

  async listSights(stream: ServerStream<Area, Many<Sight>>) {
    const { from, to } = await stream.recvMessage();
    for (let x = from?.x ?? 0; x <= (to?.x ?? 0); x++) {
      await stream.sendMessage({ name: `${x}` });
    }
  }

  async walk(stream: ServerStream<Many<Point>, Summary>) {
    let points = 0;
    for await (const _ of stream) points++;
    await stream.sendMessage({ points, remark: "" });
  }

  async follow(stream: ServerStream<Many<Point>, Many<Sight>>) {
    for await (const point of stream) await stream.sendMessage({ point });
  }
}

Deno.test("TourStub calls the handlers of TourBase, of all four kinds", async () => {
  await withServer([new Guide()], async (channel) => {
    const tour = new TourStub(channel);
    assertEquals((await tour.describe({ x: 1, y: 2 })).name, "1:2");

    const area = { from: { x: 3 }, to: { x: 5 } };
    const sights = await Array.fromAsync(tour.listSights(area));
    assertEquals(sights.map(({ name }) => name), ["3", "4", "5"]);

    const summary = await tour.walk([{ x: 1 }, { x: 2 }]);
    assertEquals([summary.points, summary.remark], [2, ""]);

    const followed = await Array.fromAsync(tour.follow([{ x: 1 }, { x: 2 }]));
    assertEquals(followed.map(({ point }) => point?.x), [1, 2]);
  });
});

Deno.test("TourStub opens streams", async () => {
  await withServer([new Guide()], async (channel) => {
    await using stream = new TourStub(channel).follow.open();
    await stream.sendMessage({ x: 7 });
    assertEquals((await stream.recvMessage())?.point?.x, 7);
    await stream.end();
    assertEquals(await stream.recvMessage(), null);
  });
});

Deno.test("TourStub tells the path and the kind of its methods", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  const tour = new TourStub(channel);
  const { describe, listSights, walk, follow } = tour;
  assertEquals(
    [describe, listSights, walk, follow].map((m) => [m.path, m.cardinality]),
    [
      ["/tour.Tour/Describe", Cardinality.UNARY_UNARY],
      ["/tour.Tour/ListSights", Cardinality.UNARY_STREAM],
      ["/tour.Tour/Walk", Cardinality.STREAM_UNARY],
      ["/tour.Tour/Follow", Cardinality.STREAM_STREAM],
    ],
  );
});

Deno.test("PlainStub calls a service without a package", async () => {
  class Plain extends PlainBase {
    async get(stream: ServerStream<Thing, Thing>) {
      const { name } = await stream.recvMessage();
      await stream.sendMessage({ name: `${stream.methodName} ${name}` });
    }
  }
  await withServer([new Plain()], async (channel) => {
    const { name } = await new PlainStub(channel).get({ name: "a" });
    assertEquals(name, "/Plain/Get a");
  });
});

Deno.test("ReservedStub calls methods that are named like something in JavaScript", async () => {
  const names = [
    ...["constructor$", "toString$", "toJSON$", "valueOf$", "delete", "new"],
    ...["class", "static", "abstract", "readonly", "async", "get", "set"],
    ...["accessor", "declare", "override", "private", "in", "yield", "await"],
    ...["this", "name", "length", "prototype", "arguments", "mapping"],
    ...["stream", "channel", "snake_case_name", "hTTPStatus", "a1", "_Hidden"],
  ];
  const reserved = Object.create(ReservedBase.prototype) as ReservedBase;
  for (const name of names) {
    Object.assign(reserved, {
      async [name](stream: ServerStream<Word, Word>) {
        await stream.recvMessage();
        await stream.sendMessage({ text: `${stream.methodName} is ${name}` });
      },
    });
  }
  await withServer([reserved], async (channel) => {
    const stub = new ReservedStub(channel);
    assertEquals(Object.keys(stub), names);
    for (const name of names as (keyof ReservedStub)[]) {
      const { text } = await stub[name]({});
      assertEquals(text, `${stub[name].path} is ${name}`);
    }
  });
});

Deno.test("ReservedStub keeps the paths of the .proto file", async () => {
  await using channel = new Channel("127.0.0.1", 1);
  const stub = new ReservedStub(channel);
  assertEquals(stub.constructor$.path, "/reserved.Reserved/Constructor");
  assertEquals(stub.toJSON$.path, "/reserved.Reserved/ToJSON");
  assertEquals(stub.snake_case_name.path, "/reserved.Reserved/snake_case_name");
  assertEquals(stub._Hidden.path, "/reserved.Reserved/_Hidden");
});

Deno.test("BaseBase and BaseStub are made of a service named Base", async () => {
  class Base extends BaseBase {
    async do(stream: ServerStream<Word, Word>) {
      await stream.sendMessage({ text: (await stream.recvMessage()).text });
    }
  }
  await withServer([new Base()], async (channel) => {
    const { text } = await new BaseStub(channel).do({ text: "done" });
    assertEquals(text, "done");
  });
});

Deno.test("ImportsStub calls methods with nested messages of other files", async () => {
  class Imports extends ImportsBase {
    async dig(stream: ServerStream<Outer, Treasure>) {
      const { middle } = await stream.recvMessage();
      await stream.sendMessage({ gold: middle?.inner?.text ?? "none" });
    }
    async unwrap(stream: ServerStream<Outer_Middle, Outer_Middle_Inner>) {
      const { inner } = await stream.recvMessage();
      if (inner !== undefined) await stream.sendMessage(inner);
    }
    async nest(stream: ServerStream<Local_Nested, Local>) {
      await stream.sendMessage({ nested: await stream.recvMessage() });
    }
  }
  await withServer([new Imports()], async (channel) => {
    const imports = new ImportsStub(channel);
    const middle = { inner: { text: "deep" } };
    assertEquals((await imports.dig({ middle })).gold, "deep");
    assertEquals((await imports.unwrap(middle)).text, "deep");
    assertEquals((await imports.nest({ text: "in" })).nested?.text, "in");
  });
});

Deno.test("WellKnownStub calls methods with well-known types", async () => {
  class WellKnown extends WellKnownBase {
    async ping(stream: ServerStream<Empty, Empty>) {
      await stream.recvMessage();
      await stream.sendMessage({});
    }
    async pack(stream: ServerStream<Struct, Any>) {
      const { fields } = await stream.recvMessage();
      const typeUrl = `example.com/${Object.keys(fields).join()}`;
      await stream.sendMessage({ typeUrl });
    }
    async add(stream: ServerStream<Many<Duration>, Timestamp>) {
      let seconds = 0n;
      for await (const duration of stream) seconds += duration.seconds;
      await stream.sendMessage({ seconds });
    }
    async spell(stream: ServerStream<StringValue, Many<StringValue>>) {
      const { value } = await stream.recvMessage();
      for (const letter of value) await stream.sendMessage({ value: letter });
    }
  }
  await withServer([new WellKnown()], async (channel) => {
    const stub = new WellKnownStub(channel);
    await stub.ping({});
    const kind = { case: "nullValue", value: 0 } as const;
    const { typeUrl } = await stub.pack({ fields: { a: { kind } } });
    assertEquals(typeUrl, "example.com/a");
    const sum = await stub.add([{ seconds: 1n }, { seconds: 2n }]);
    assertEquals(sum.seconds, 3n);
    const letters = await Array.fromAsync(stub.spell({ value: "abc" }));
    assertEquals(letters.map(({ value }) => value), ["a", "b", "c"]);
  });
});

Deno.test("ModernStub tells what is not set from what is empty, as editions do", async () => {
  const isSet = (task: Task) => isFieldSet(task, TaskSchema.field.priority);
  class Modern extends ModernBase {
    async do(stream: ServerStream<Task, Task>) {
      const task = await stream.recvMessage();
      const name = `${isSet(task)} ${task.part?.name}`;
      await stream.sendMessage(isSet(task) ? { name } : { name, priority: 0 });
    }
  }
  await withServer([new Modern()], async (channel) => {
    const modern = new ModernStub(channel);
    const one = await modern.do({ priority: 0, part: { name: "p" } });
    assertEquals([one.name, isSet(one)], ["true p", false]);
    const other = await modern.do({});
    assertEquals([other.name, isSet(other)], ["false undefined", true]);
  });
});

Deno.test("FirstBase and its neighbours are services of one file", async () => {
  class First extends services.FirstBase {
    async get(stream: ServerStream<Item, Item>) {
      await stream.sendMessage(await stream.recvMessage());
    }
  }
  class Second extends services.SecondBase {
    async get(stream: ServerStream<Item, Item>) {
      await stream.sendMessage({ name: (await stream.recvMessage()).name });
    }
    async put(stream: ServerStream<Item, Item>) {
      await stream.sendMessage(await stream.recvMessage());
    }
  }
  class Nothing extends services.EmptyBase {}
  assertEquals(new Nothing()[mapping](), {});
  const all = [new First(), new Nothing(), new Second()];
  await withServer(all, async (channel) => {
    const first = new services.FirstStub(channel);
    const second = new services.SecondStub(channel);
    assertEquals((await first.get({ name: "1" })).name, "1");
    assertEquals((await second.put({ name: "2" })).name, "2");
    assertEquals(Object.keys(new services.EmptyStub(channel)), []);
  });
});

Deno.test("ScriptStub calls the handlers of ScriptBase in JavaScript", async () => {
  class Script extends ScriptBase {
    async say(stream: ServerStream<Line, Line>) {
      await stream.sendMessage(await stream.recvMessage());
    }
    async split(stream: ServerStream<Line, Many<Line>>) {
      const { text } = await stream.recvMessage();
      for (const word of text.split(" ")) {
        await stream.sendMessage({ text: word });
      }
    }
    async join(stream: ServerStream<Many<Line>, Line>) {
      const lines = await Array.fromAsync(stream);
      await stream.sendMessage({ text: lines.map((l) => l.text).join(" ") });
    }
    async echo(stream: ServerStream<Many<Line>, Many<Line>>) {
      for await (const line of stream) await stream.sendMessage(line);
    }
  }
  class Silence extends SilenceBase {}
  await withServer([new Script(), new Silence()], async (channel) => {
    const script = new ScriptStub(channel);
    assertEquals((await script.say({ text: "a" })).text, "a");
    // @ts-expect-error: a line has no such field
    void (() => script.say({ txt: "a" }));
    const lines = await Array.fromAsync(script.split({ text: "a b" }));
    assertEquals(lines.map(({ text }) => text), ["a", "b"]);
    assertEquals((await script.join(lines)).text, "a b");
    const echoed = await Array.fromAsync(script.echo(lines));
    assertEquals(echoed.map(({ text }) => text), ["a", "b"]);
    assertEquals(Object.keys(new SilenceStub(channel)), []);
  });
});
