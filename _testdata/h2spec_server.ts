/**
 * A server of HTTP/2 for h2spec, on the library's own connections: it answers
 * every request with DATA, which no server of gRPC would.
 *
 *     deno run --allow-net=127.0.0.1 _testdata/h2spec_server.ts node|native
 *
 * Its first line is the port.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { anyBudget } from "./account.ts";
import { HeaderBlock } from "../_wire/headers.ts";
import { engineOf } from "../_engines.ts";
import type { HTTP2Engine } from "../_http2/engine.ts";
import { Acceptor } from "../_http2/server/acceptor.ts";
import { systemClock } from "../_http2/system_clock.ts";
import { Configuration } from "../core/config.ts";

/** How long a reply takes: the streams before it are open all that time. */
const ANSWER_MS = 50;

const HEAD = new HeaderBlock([":status", "200", "content-type", "text/plain"]);
const BODY = new TextEncoder().encode("hello, world");

const listener = new Acceptor({
  config: new Configuration({ maxConcurrentStreams: 50 }).forServer(),
  clock: systemClock,
  budget: anyBudget(),
  engine: engineOf("Cannot serve", Deno.args[0] as HTTP2Engine),
  onStream(stream) {
    const timer = setTimeout(() => {
      stream.sendHead(HEAD);
      stream.send(BODY, true);
    }, ANSWER_MS);
    return {
      onHead() {},
      onData() {},
      onStop() {},
      onEnd() {},
      onClose: () => clearTimeout(timer),
    };
  },
});
const address = await listener.listen({ host: "127.0.0.1", port: 0 });
console.log("port" in address ? address.port : 0);
