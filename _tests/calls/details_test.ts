/** Details of errors, over real calls. */

import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import { create, createRegistry } from "@bufbuild/protobuf";
import { type StringValue, StringValueSchema } from "@bufbuild/protobuf/wkt";
import {
  findDetail,
  GRPCError,
  listen,
  ProtoStatusDetailsCodec,
  RecvTrailingMetadata,
  SendTrailingMetadata,
  Status,
  type StatusDetailsCodec,
  UnknownDetail,
} from "../../mod.ts";
import { BadRequestSchema } from "../../error_details.ts";
import { startEcho } from "../../_testdata/echo_in_memory.ts";

const BAD = create(BadRequestSchema, {
  fieldViolations: [{ field: "text", description: "is empty" }],
});
const TYPES = createRegistry(StringValueSchema);
const TEXT = create(StringValueSchema, { value: "too late" });

/** A service whose calls all end with these details. */
const failing = (details: readonly unknown[]) => ({
  unary(): never {
    throw new GRPCError(Status.INVALID_ARGUMENT, "Bad text", { details });
  },
});

async function errorOf(call: Promise<unknown>): Promise<GRPCError> {
  const error = await assertRejects(() => call, GRPCError);
  assertEquals(error.status, Status.INVALID_ARGUMENT);
  assertEquals(error.message, "Bad text");
  return error;
}

Deno.test("GRPCError.details reach the caller when a handler throws them", async () => {
  await using echo = await startEcho({ handlers: failing([BAD]) });
  const error = await errorOf(echo.stub.unary({}));
  assertEquals(error.details, [BAD]);
  assertEquals(
    findDetail(error, BadRequestSchema)?.fieldViolations[0]?.field,
    "text",
  );
  assertEquals([...error.metadata], []);
});

Deno.test("sendTrailingMetadata() sends details", async () => {
  await using echo = await startEcho({
    handlers: {
      async serverStream(stream) {
        await stream.sendMessage({});
        await stream.sendTrailingMetadata({
          status: Status.INVALID_ARGUMENT,
          statusMessage: "Bad text",
          statusDetails: [BAD],
        });
      },
    },
  });
  const replies = echo.stub.serverStream({});
  const error = await errorOf(Array.fromAsync(replies));
  assertEquals(error.details, [BAD]);
});

Deno.test("details of the user's own types are known where they are told", async () => {
  const statusDetailsCodec = new ProtoStatusDetailsCodec({ registry: TYPES });
  const server = { statusDetailsCodec };
  const handlers = failing([TEXT, BAD]);
  {
    await using echo = await startEcho({ handlers, server, channel: server });
    const error = await errorOf(echo.stub.unary({}));
    assertEquals(error.details, [TEXT, BAD]);
    const text: StringValue | undefined = findDetail(error, StringValueSchema);
    assertEquals(text?.value, "too late");
  }
  await using echo = await startEcho({ handlers, server });
  const [detail, other] = (await errorOf(echo.stub.unary({}))).details;
  assertInstanceOf(detail, UnknownDetail);
  assertEquals(detail.typeName, "google.protobuf.StringValue");
  assertEquals(other, BAD);
});

Deno.test("details that cannot be encoded do not hide the status", async () => {
  for (const details of [[TEXT], ["text"], [BAD, null]]) {
    await using echo = await startEcho({ handlers: failing(details) });
    const error = await errorOf(echo.stub.unary({}));
    assertEquals(error.details, []);
    const [failure] = echo.takeFailures();
    assertInstanceOf(failure?.error, TypeError);
  }
});

Deno.test("sendTrailingMetadata() throws when details cannot be encoded, and another can be sent", async () => {
  await using echo = await startEcho({
    handlers: {
      async unary(stream) {
        const options = {
          status: Status.INVALID_ARGUMENT,
          statusMessage: "Bad text",
        };
        await assertRejects(
          () =>
            stream.sendTrailingMetadata({ ...options, statusDetails: [TEXT] }),
          TypeError,
          "must be in the registry",
        );
        await stream.sendTrailingMetadata(options);
      },
    },
  });
  await errorOf(echo.stub.unary({}));
});

Deno.test("details that are too large do not hide the status", async () => {
  const details = [create(BadRequestSchema, {
    fieldViolations: [{ field: "x".repeat(80_000) }],
  })];
  await using echo = await startEcho({ handlers: failing(details) });
  assertEquals((await errorOf(echo.stub.unary({}))).details, []);
});

Deno.test("a StatusDetailsCodec can be one's own, or none", async () => {
  const codec: StatusDetailsCodec = {
    encode: (status, message, details) =>
      new TextEncoder().encode(JSON.stringify([status, message, details])),
    decode: (_status, _message, bytes) =>
      JSON.parse(new TextDecoder().decode(bytes)),
  };
  const handlers = failing([{ reason: "none" }]);
  const server = { statusDetailsCodec: codec };
  {
    await using echo = await startEcho({ handlers, server, channel: server });
    const { details } = await errorOf(echo.stub.unary({}));
    assertEquals(details, [3, "Bad text", [{ reason: "none" }]]);
  }
  {
    // Not what the other side speaks.
    await using echo = await startEcho({ handlers, server });
    assertEquals((await errorOf(echo.stub.unary({}))).details, []);
  }
  {
    const channel = { statusDetailsCodec: null };
    await using echo = await startEcho({ handlers, server, channel });
    assertEquals((await errorOf(echo.stub.unary({}))).details, []);
  }
  await using echo = await startEcho({
    handlers,
    server: { statusDetailsCodec: null },
  });
  assertEquals((await errorOf(echo.stub.unary({}))).details, []);
});

Deno.test("events have the details", async () => {
  await using echo = await startEcho({ handlers: failing([BAD]) });
  const heard: (readonly unknown[])[] = [];
  using _send = listen(echo.server, SendTrailingMetadata, (event) => {
    heard.push(event.statusDetails);
  });
  using _recv = listen(echo.channel, RecvTrailingMetadata, (event) => {
    heard.push(event.statusDetails);
    const { statusDetails } = event;
    assertStrictEquals(event.statusDetails, statusDetails);
  });
  await errorOf(echo.stub.unary({}));
  assertEquals(heard, [[BAD], [BAD]]);
});

Deno.test("an error of another server is passed on with its details", async () => {
  await using back = await startEcho({
    handlers: failing([TEXT, BAD]),
    server: {
      statusDetailsCodec: new ProtoStatusDetailsCodec({ registry: TYPES }),
    },
  });
  await using front = await startEcho({
    handlers: {
      async unary(stream) {
        await stream.sendMessage(await back.stub.unary({}));
      },
    },
    channel: {
      statusDetailsCodec: new ProtoStatusDetailsCodec({ registry: TYPES }),
    },
  });
  // The server in the middle does not know the type, and yet it arrives.
  const error = await errorOf(front.stub.unary({}));
  assertEquals(error.details, [TEXT, BAD]);
});
