/**
 * Server reflection: a server that describes its services, and clients that
 * call them without generated code.
 *
 * ```ts
 * import { Channel, createService, createStub, Server } from "@grpclib/grpclib";
 * import { reflect, ServerReflection } from "@grpclib/grpclib/reflection";
 * import { Greeter } from "@example/greeter"; // made by protoc-gen-es
 * import { assertEquals } from "@std/assert";
 *
 * const greeter = createService(Greeter, {
 *   sayHello: ({ name }) => ({ message: `Hello, ${name}!` }),
 * });
 * await using server = new Server(ServerReflection.extend([greeter]));
 * await server.start("127.0.0.1");
 *
 * // Nothing is known of the service here but its name.
 * await using channel = new Channel("127.0.0.1", server.port!);
 * const { getService } = await reflect(channel);
 * const stub = createStub(getService("helloworld.Greeter"), channel);
 * const reply = await stub.sayHello!({ name: "Ada" });
 *
 * assertEquals(reply.message, "Hello, Ada!");
 * ```
 *
 * Tools such as grpcurl use the same protocol.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/server-reflection.md}
 *
 * @module
 */

export {
  ServerReflection,
  type ServerReflectionOptions,
} from "./server_reflection.ts";
export { reflect, type Reflection, type ReflectOptions } from "./reflect.ts";
