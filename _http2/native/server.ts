/**
 * The server's side of a connection, on `_h2/`.
 *
 * @module
 */

import type { Duplex } from "node:stream";
import { ResetCode } from "../../_call/byte_stream.ts";
import type { Http2Stream } from "../../_h2/mod.ts";
import type { HeaderList } from "../../_wire/headers.ts";
import type {
  H2ServerOptions,
  H2ServerOwner,
  H2ServerSession,
} from "../engine.ts";
import { serverLimits } from "./limits.ts";
import { NativeSession } from "./session.ts";
import { NativeStream } from "./stream.ts";

/** A server's session of `_h2/`. */
export class NativeServerSession extends NativeSession
  implements H2ServerSession {
  readonly #owner: H2ServerOwner;

  constructor(socket: Duplex, owner: H2ServerOwner, options: H2ServerOptions) {
    super(socket, owner, {
      role: "server",
      settings: {
        maxConcurrentStreams: options.maxConcurrentStreams,
        initialWindowSize: options.streamWindowSize,
        maxHeaderListSize: options.maxHeaderListSize,
      },
      connectionWindowSize: options.connectionWindowSize,
      limits: serverLimits(options),
    });
    this.#owner = owner;
  }

  sendShutdownNotice(): void {
    this.h2.shutdownNotice();
  }

  abort(code: number, debugData: string): void {
    this.abortWith(code, debugData);
  }

  override onStream(h2: Http2Stream, fields: HeaderList, end: boolean): void {
    const stream = new NativeStream(this, h2);
    this.add(stream);
    const sink = this.#owner.onStream(stream, fields);
    if (sink === null) stream.reset(ResetCode.REFUSED_STREAM);
    else stream.start(sink, end);
  }

  override onPing(): void {
    this.#owner.onPing();
  }

  /** The policy counts those that are too early; the others are no offence. */
  override onPeerReset(): void {
    this.h2.excuseReset();
  }

  protected override onFrameWritten(): void {
    this.#owner.onFrameWritten();
  }
}
