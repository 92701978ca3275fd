/**
 * The client's side of a connection, on `_h2/`.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import type { ByteSink } from "../../_call/byte_stream.ts";
import type {
  H2ClientOptions,
  H2ClientOwner,
  H2ClientSession,
  H2Stream,
} from "../engine.ts";
import { headerLimits } from "./limits.ts";
import { NativeSession } from "./session.ts";
import { NativeStream } from "./stream.ts";

/** A client's session of `_h2/`. */
export class NativeClientSession extends NativeSession
  implements H2ClientSession {
  constructor(socket: Duplex, owner: H2ClientOwner, options: H2ClientOptions) {
    super(socket, owner, {
      role: "client",
      settings: {
        initialWindowSize: options.streamWindowSize,
        maxHeaderListSize: options.maxHeaderListSize,
      },
      connectionWindowSize: options.connectionWindowSize,
      limits: headerLimits(options),
    });
  }

  open(sink: ByteSink): H2Stream {
    const stream = new NativeStream(this, sink);
    this.add(stream);
    return stream;
  }
}
