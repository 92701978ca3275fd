/**
 * Looking into a program from outside: channelz, the service by which tools such
 * as grpcdebug list the channels, servers and connections of a program, with
 * their states and counts.
 *
 * ```ts
 * import { Channel, createStub, Server } from "@grpclib/grpclib";
 * import { Channelz, ChannelzService } from "@grpclib/grpclib/admin";
 * import { assertEquals } from "@std/assert";
 *
 * await using backend = new Channel("127.0.0.1", 50051);
 * await using server = new Server([new Channelz([backend])]);
 * await server.start("127.0.0.1");
 *
 * await using channel = new Channel("127.0.0.1", server.port!);
 * const stub = createStub(ChannelzService, channel);
 * const { channel: [seen] } = await stub.getTopChannels({});
 *
 * assertEquals(seen!.data!.target, "127.0.0.1:50051");
 * ```
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A14-channelz.md}
 * @module
 */

export { Channelz } from "./channelz.ts";
export { Channelz as ChannelzService } from "./gen/grpc/channelz/v1/channelz_pb.ts";
