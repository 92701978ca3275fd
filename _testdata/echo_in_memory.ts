/**
 * A server and a channel for the service of the tests, in memory: as users test
 * their own. What has to do with sockets is tested over TCP, with the pair of
 * `echo_service.ts`.
 *
 * @module
 */

import { createStub } from "../client.ts";
import { ChannelFor } from "../testing/mod.ts";
import {
  type EchoOptions,
  type EchoPair,
  echoWith,
  type HandlerFailure,
} from "./echo_service.ts";
import { Echo } from "./gen/echo_pb.ts";
import { soon } from "./waiting.ts";

/** Starts the service in memory; it has no port. */
export function startEcho(options: EchoOptions = {}): Omit<EchoPair, "port"> {
  let failures: HandlerFailure[] = [];
  const { handlers = {}, server = {}, channel: alone = {} } = options;
  const channel = new ChannelFor([echoWith(handlers)], {
    onError: (error, info) => failures.push({ error, info }),
    server,
    channel: alone,
  });
  return {
    server: channel.server,
    channel,
    stub: createStub(Echo, channel),
    takeFailures() {
      const taken = failures;
      failures = [];
      return taken;
    },
    async [Symbol.asyncDispose]() {
      await soon(channel.close(), "the channel and the server to close");
      if (failures.length > 0) throw failures[0]!.error;
    },
  };
}
