/**
 * A client that does not close its channel:
 *
 *     deno run -A _testdata/exit_by_itself_program.ts case target [PEM]
 *
 * It writes a line before it has nothing left to do.
 *
 * @module
 */

import { Channel, createStub, GRPCError } from "../client.ts";
import { Echo } from "./gen/echo_pb.ts";

const [what = "", target = "", ca] = Deno.args;
const channel = new Channel(target, {
  keepProcessAlive: what === "kept",
  config: { keepaliveTimeMs: 60_000, keepalivePermitWithoutCalls: true },
  ...(ca === undefined ? {} : { tls: { ca, serverName: "localhost" } }),
});
const { unary, bidi } = createStub(Echo, channel);

async function main(): Promise<void> {
  switch (what) {
    case "one call":
    case "kept":
      await unary({});
      break;
    case "a running call":
      // Nothing but the call keeps the process alive.
      await unary({});
      await unary({ delayMs: 150 });
      break;
    case "a waiting call": {
      // The server allows no stream for a while.
      await unary({});
      break;
    }
    case "a connection": {
      channel.connect();
      await channel.waitForStateChange("IDLE");
      await channel.waitForStateChange("CONNECTING");
      break;
    }
    case "a failed connection":
      await unary({}).catch((error) => {
        if (!(error instanceof GRPCError)) throw error;
      });
      break;
    case "a call given up while it connects":
      await unary({}, { timeoutMs: 50 }).catch((error) => {
        if (!(error instanceof GRPCError)) throw error;
      });
      break;
    case "a call given up": {
      const stream = bidi.open();
      await stream.sendRequest();
      stream.cancel();
      await unary({}, { waitForReady: true, timeoutMs: 50 }).catch(() => {});
      break;
    }
  }
  Deno.stdout.writeSync(new TextEncoder().encode("done\n"));
}

// Not awaited: that would keep the process alive as well.
void main();
