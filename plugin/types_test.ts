/**
 * What the compiler has to say of the generated classes. A line below
 * `@ts-expect-error` has to be refused; and none of these methods is called.
 *
 * @module
 */

import type { ClientStream, Many } from "@grpclib/grpclib/client";
import { mapping, type ServerStream } from "@grpclib/grpclib/server";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import { assertEquals } from "@std/assert";
import { ClashesBase, type ClashesStub } from "./testdata/gen/clashes_grpc.ts";
import type * as clashes from "./testdata/gen/clashes_pb.ts";
import type { WellKnownStub } from "./testdata/gen/imports_grpc.ts";
import { LegacyBase } from "./testdata/gen/proto2_grpc.ts";
import type { Answer_Hit, Query } from "./testdata/gen/proto2_pb.ts";
import { TourBase, type TourStub } from "./testdata/gen/tour_grpc.ts";
import type { Area, Point, Sight, Summary } from "./testdata/gen/tour_pb.ts";

Deno.test("TourBase lets handlers receive and send what the .proto file says", () => {
  class Guide extends TourBase {
    async describe(stream: ServerStream<Point, Sight>) {
      // Where there is one message, it is not null.
      const point: Point = await stream.recvMessage();
      // @ts-expect-error: a point has no z
      const z = point.z;
      await stream.sendMessage({ name: `${z}`, point });
      await stream.sendMessage({ name: "Gate", point: { x: 1, y: 2 } });
      // @ts-expect-error: a sight has no title
      await stream.sendMessage({ title: "Gate" });
      // @ts-expect-error: its name is text
      await stream.sendMessage({ name: 1 });
      // @ts-expect-error: a point inside has no z either
      await stream.sendMessage({ point: { x: 1, z: 2 } });
      // @ts-expect-error: a point is no sight
      await stream.sendMessage(point);
    }

    async listSights(stream: ServerStream<Area, Many<Sight>>) {
      const { from, to }: Area = await stream.recvMessage();
      for (const point of [from, to]) {
        if (point !== undefined) await stream.sendMessage({ point });
      }
      // @ts-expect-error: a sight has no title
      await stream.sendMessage({ title: "Gate" });
    }

    async walk(stream: ServerStream<Many<Point>, Summary>) {
      const first: Point | null = await stream.recvMessage();
      // @ts-expect-error: there may be no more
      const second: Point = await stream.recvMessage();
      for await (const point of stream) {
        const x: number = point.x;
        // @ts-expect-error: a point has no z
        const z: number = point.z;
        await stream.sendMessage({ points: x + z });
      }
      await stream.sendMessage({ remark: `${first} ${second}` });
      // @ts-expect-error: how many points is a number
      await stream.sendMessage({ points: "3" });
    }

    async follow(stream: ServerStream<Many<Point>, Many<Sight>>) {
      for await (const point of stream) await stream.sendMessage({ point });
      // @ts-expect-error: sights are answered, not points
      await stream.sendMessage({ x: 1 });
    }
  }

  assertEquals(Object.keys(new Guide()[mapping]()), [
    "/tour.Tour/Describe",
    "/tour.Tour/ListSights",
    "/tour.Tour/Walk",
    "/tour.Tour/Follow",
  ]);
});

Deno.test("TourBase has to be implemented whole", () => {
  // @ts-expect-error: three handlers are missing
  class Lazy extends TourBase {
    async describe(_stream: ServerStream<Point, Sight>) {}
  }
  // @ts-expect-error: it is abstract
  void (() => new TourBase());
  assertEquals(Object.keys(new Lazy()[mapping]()).length, 4);
});

Deno.test("TourBase refuses handlers for other messages", () => {
  class Confused extends TourBase {
    // @ts-expect-error: a point is asked for
    async describe(_stream: ServerStream<Area, Sight>) {}
    // @ts-expect-error: sights are answered
    async listSights(_stream: ServerStream<Area, Many<Point>>) {}
    // @ts-expect-error: points come in
    async walk(_stream: ServerStream<Many<Area>, Summary>) {}
    // @ts-expect-error: sights are answered
    async follow(_stream: ServerStream<Many<Point>, Many<Area>>) {}
  }
  assertEquals(new Confused() instanceof TourBase, true);
});

Deno.test("TourBase refuses handlers for another kind of call", () => {
  class Confused extends TourBase {
    // @ts-expect-error: one point is asked for
    async describe(_stream: ServerStream<Many<Point>, Sight>) {}
    // @ts-expect-error: many sights are answered
    async listSights(_stream: ServerStream<Area, Sight>) {}
    // @ts-expect-error: many points come in
    async walk(_stream: ServerStream<Point, Summary>) {}
    // @ts-expect-error: many points come in
    async follow(_stream: ServerStream<Point, Many<Sight>>) {}
  }
  class Rude extends TourBase {
    // @ts-expect-error: a handler is to be waited for
    describe(_stream: ServerStream<Point, Sight>) {}
    async listSights(_stream: ServerStream<Area, Many<Sight>>) {}
    async walk(_stream: ServerStream<Many<Point>, Summary>) {}
    async follow(_stream: ServerStream<Many<Point>, Many<Sight>>) {}
  }
  assertEquals(new Confused() instanceof TourBase, true);
  assertEquals(new Rude() instanceof TourBase, true);
});

Deno.test("TourStub lets clients send and receive what the .proto file says", () => {
  async function* points() {
    yield { x: 1 };
  }
  async function* areas() {
    yield { from: { x: 1 } };
  }

  async function _unary(stub: TourStub) {
    const sight: Sight = await stub.describe({ x: 1 });
    // @ts-expect-error: a sight has no title
    console.log(sight.title);
    // @ts-expect-error: a point has no z
    await stub.describe({ z: 1 });
    // @ts-expect-error: x is a number
    await stub.describe({ x: "1" });
    // @ts-expect-error: there is one request
    await stub.describe([{ x: 1 }]);
    // @ts-expect-error: a request is needed
    await stub.describe();
    // @ts-expect-error: there is no such option
    await stub.describe({ x: 1 }, { timeout: 1 });
    // @ts-expect-error: there is no such method
    await stub.show({ x: 1 });
    // @ts-expect-error: methods stay as they are
    stub.describe = () => {};
  }

  async function _streams(stub: TourStub) {
    for await (const sight of stub.listSights({ from: { x: 1 } })) {
      const name: string = sight.name;
      // @ts-expect-error: a sight has no title
      console.log(name, sight.title);
    }
    // @ts-expect-error: many sights are answered
    const one: Sight = await stub.listSights({});

    const summary: Summary = await stub.walk([{ x: 1 }, { y: 2 }]);
    await stub.walk(points());
    // @ts-expect-error: points are to be sent
    await stub.walk(areas());
    // @ts-expect-error: many points are to be sent
    await stub.walk({ x: 1 });

    const sights: AsyncIterable<Sight> = stub.follow(points());
    // @ts-expect-error: points are to be sent
    stub.follow([{ name: "Gate" }]);
    console.log(one, summary.remark, sights);
  }

  async function _open(stub: TourStub) {
    const describe: ClientStream<Point, Sight> = stub.describe.open();
    const walk: ClientStream<Many<Point>, Summary> = stub.walk.open();
    // @ts-expect-error: many points are to be sent
    const wrong: ClientStream<Point, Summary> = stub.walk.open();
    await describe.sendMessage({ x: 1 });
    // @ts-expect-error: a point has no z
    await walk.sendMessage({ z: 1 });
    const sight: Sight = await describe.recvMessage();
    // @ts-expect-error: there may be no more
    const other: Sight = await stub.follow.open().recvMessage();
    console.log(wrong, sight, other);
  }

  async function _wellKnown(stub: WellKnownStub) {
    for await (const reply of stub.spell({ value: "a" })) {
      const spelled: StringValue = reply;
      // @ts-expect-error: it is text
      const value: number = spelled.value;
      console.log(value);
    }
    await stub.ping({});
    // @ts-expect-error: it is empty
    await stub.ping({ value: 1 });
  }
});

Deno.test("ClashesBase knows its messages by whatever name they have", () => {
  class Clashes extends ClashesBase {
    async one(stream: ServerStream<clashes.Promise, clashes.Record>) {
      const { text }: clashes.Promise = await stream.recvMessage();
      await stream.sendMessage({ text });
    }
    async two(stream: ServerStream<Many<clashes.Many>, Many<clashes.Many>>) {
      for await (const { text } of stream) await stream.sendMessage({ text });
    }
    async three(_stream: ServerStream<clashes.Channel, clashes.Handler>) {}
    async four(_stream: ServerStream<clashes.ServerStream, clashes.Service>) {}
    async five(_stream: ServerStream<clashes.Cardinality, clashes.mapping>) {}
    async six(
      _stream: ServerStream<clashes.ClashesBase, clashes.ClashesStub>,
    ) {}
    async seven(
      _stream: ServerStream<clashes.unaryUnary, clashes.UnaryUnaryMethod>,
    ) {}
    async eight(_stream: ServerStream<clashes.stream, clashes.channel>) {}
    async nine(_stream: ServerStream<clashes.Object$, clashes.string_>) {}
  }
  async function _call(stub: ClashesStub) {
    const { text }: clashes.Record = await stub.one({ text: "a" });
    // @ts-expect-error: it is text
    await stub.six({ text: text.length });
  }
  assertEquals(Object.keys(new Clashes()[mapping]()).length, 9);
});

Deno.test("LegacyBase has the messages of proto2, groups included", () => {
  class Legacy extends LegacyBase {
    async search(stream: Parameters<LegacyBase["search"]>[0]) {
      const { text, limit } = await stream.recvMessage();
      await stream.sendMessage({ hit: [{ title: text.repeat(limit) }] });
      // @ts-expect-error: a title is text
      await stream.sendMessage({ hit: [{ title: limit }] });
    }
    async extend(stream: ServerStream<Answer_Hit, Query>) {
      const { title } = await stream.recvMessage();
      await stream.sendMessage({ text: title });
    }
  }
  assertEquals(new Legacy() instanceof LegacyBase, true);
});
