import { createService, createStub, Status } from "@grpclib/grpclib";
import { assertRejectsStatus, grpcTest } from "@grpclib/grpclib/testing";
import { Greeter } from "@example/greeter";

grpcTest({
  name: "Greeter is not swamped with long names",
  services: () => [
    createService(Greeter, { sayHello: ({ name }) => ({ message: name }) }),
  ],
  options: { config: { maxReceiveMessageSize: 1000 } },
  setUp: ({ channel }) => createStub(Greeter, channel),
  async fn(_context, stub) {
    const name = "x".repeat(2000);
    await assertRejectsStatus(
      stub.sayHello({ name }),
      Status.RESOURCE_EXHAUSTED,
    );
  },
});
