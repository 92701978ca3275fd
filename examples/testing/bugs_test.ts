import { createService, createStub, Status } from "@grpclib/grpclib";
import { assertRejectsStatus, grpcTest } from "@grpclib/grpclib/testing";
import { Greeter } from "@example/greeter";
import { assertEquals, assertInstanceOf } from "@std/assert";

const buggy = createService(Greeter, {
  sayHello() {
    throw new TypeError("a bug");
  },
});

grpcTest("Greeter says nothing of its bugs", [buggy], async (context) => {
  const stub = createStub(Greeter, context.channel);
  const { message } = await assertRejectsStatus(
    stub.sayHello({}),
    Status.UNKNOWN,
  );
  assertEquals(message, "Internal Server Error");
  const [failure] = context.takeErrors();
  assertInstanceOf(failure?.error, TypeError);
});
