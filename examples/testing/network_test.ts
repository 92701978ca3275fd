import { createService, createStub, Status } from "@grpclib/grpclib";
import { assertRejectsStatus, grpcTest } from "@grpclib/grpclib/testing";
import { Greeter } from "@example/greeter";
import { assertEquals } from "@std/assert";

const greeter = createService(Greeter, {
  sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
});

grpcTest("Calls survive a network", [greeter], async ({ channel, faults }) => {
  const stub = createStub(Greeter, channel);

  // The connection breaks before the message of the reply arrives.
  faults.cut({ atFrame: 2 });
  await assertRejectsStatus(stub.sayHello({}), Status.UNAVAILABLE);

  // The server refuses a call that it has not looked at: it is retried transparently.
  faults.reset({ code: 7, from: "client", atFrame: 1 });
  assertEquals((await stub.sayHello({ name: "A" })).message, "Hello, A!");

  // The server restarts: it sends GOAWAY, and is not there for a moment.
  faults.refuse({ times: 1 });
  faults.goaway();
  await assertRejectsStatus(
    stub.sayHello({}),
    Status.UNAVAILABLE,
    "ECONNREFUSED",
  );
});
