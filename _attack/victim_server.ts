/**
 * A server that is attacked, in a process of its own. It tells its port, and
 * answers each line of its input with a sample; when its input ends it leaves
 * in good order.
 *
 * What a handler does is for the caller to say, in the metadata `x-do`; without
 * it, it echoes.
 *
 * @module
 */

import {
  GRPCError,
  listen,
  type Many,
  RecvMessage,
  RecvRequest,
  SendMessage,
  Server,
  type ServerStream,
  Status,
} from "../server.ts";
import { Authority } from "../_testdata/certificates.ts";
import { type EchoHandlers, echoWith } from "../_testdata/echo_service.ts";
import type { EchoReply, EchoRequest } from "../_testdata/gen/echo_pb.ts";
import { after, whenAborted } from "../_testdata/waiting.ts";
import type { VictimArgs } from "./attack.ts";
import { DONE, SECRET } from "./words.ts";
import { answerSamples, LoopWatch, tell } from "./victim.ts";

/** How long a handler goes on that does not look at its signal. */
const STUBBORN_MS = 20_000;

/** How long a reply is that is asked for. */
const BIG_BYTES = 1024 * 1024;

type AnyStream = ServerStream<Many<EchoRequest>, Many<EchoReply>>;

let running = 0;
let mostRunning = 0;

/** Does what the metadata says, or else the same as the echo service. */
async function handle(stream: AnyStream): Promise<void> {
  mostRunning = Math.max(mostRunning, ++running);
  try {
    switch (stream.metadata.get("x-do")) {
      case "hang":
        await whenAborted(stream.signal);
        return;
      case "stubborn":
        await after(STUBBORN_MS);
        return;
      case "read":
        for await (const { text } of stream) {
          if (text === DONE) await stream.sendMessage({ text });
        }
        return;
      case "big":
        await stream.recvMessage();
        await stream.sendMessage({ payload: new Uint8Array(BIG_BYTES) });
        return;
      case "name": {
        const request = await stream.recvMessage();
        throw new GRPCError(Status.NOT_FOUND, `Nobody is "${request?.text}"`);
      }
      case "fail":
        throw new Error(SECRET);
      default:
        for await (const { text, payload } of stream) {
          await stream.sendMessage({ text, payload });
        }
    }
  } finally {
    running--;
  }
}

/** Listens to all that happens; what is given back ends that. */
function hear(server: Server): Disposable {
  const all = new DisposableStack();
  all.use(listen(server, RecvRequest, async () => {}));
  all.use(listen(server, RecvMessage, async () => {}));
  all.use(listen(server, SendMessage, async () => {}));
  return all;
}

/** Runs the server to the end of its input. */
async function serve(args: VictimArgs): Promise<void> {
  const all = handle as (stream: unknown) => Promise<void>;
  const handlers: EchoHandlers = {
    unary: all,
    serverStream: all,
    clientStream: all,
    bidi: all,
  };
  const server = new Server([echoWith(handlers)], {
    http2: args.engine,
    config: args.config ?? {},
    onError: () => {},
  });
  if (args.listens) hear(server);
  const authority = new Authority();
  const tls = args.tls
    ? authority.issue({ commonName: "localhost", hosts: ["127.0.0.1"] })
    : undefined;
  await server.start("127.0.0.1", 0, tls === undefined ? {} : { tls });
  const watch = new LoopWatch();
  tell({ port: server.port, ca: tls && authority.cert });
  let heard: Disposable | null = null;
  await answerSamples(() => ({
    mostHandlers: mostRunning,
    late: watch.takeLate(),
    waits: [],
    failures: [],
  }), () => {
    if (!args.takesTurns) return;
    heard?.[Symbol.dispose]();
    heard = heard === null ? hear(server) : null;
  });
  server.close();
  await server.waitClosed();
}

if (import.meta.main) {
  await serve(JSON.parse(Deno.args[0]!) as VictimArgs);
  Deno.exit(0);
}
