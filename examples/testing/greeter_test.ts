import { createService, createStub, GRPCError, Status } from "@grpclib/grpclib";
import { assertRejectsStatus, grpcTest } from "@grpclib/grpclib/testing";
import { Greeter } from "@example/greeter";
import { assertEquals } from "@std/assert";

// greeter.ts
const greeter = createService(Greeter, {
  sayHello({ name }) {
    if (name === "") throw new GRPCError(Status.INVALID_ARGUMENT, "Who?");
    return { message: `Hello, ${name}!` };
  },
});

// greeter_test.ts
grpcTest("Greeter greets by name", [greeter], async ({ channel }) => {
  const stub = createStub(Greeter, channel);
  const reply = await stub.sayHello({ name: "Dr. Strange" });
  assertEquals(reply.message, "Hello, Dr. Strange!");
});

grpcTest("Greeter does not greet nobody", [greeter], async ({ channel }) => {
  const stub = createStub(Greeter, channel);
  await assertRejectsStatus(
    stub.sayHello({ name: "" }),
    Status.INVALID_ARGUMENT,
    "Who?",
  );
});
