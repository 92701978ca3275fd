/**
 * A server's calls with middleware around their handlers.
 *
 * @module
 */

import {
  type Middleware,
  onlyOnce,
  runThrough,
} from "../../core/_middleware.ts";
import { ProtocolError } from "../../core/errors.ts";
import type { Handler } from "./handler.ts";
import { callOf, type ServerStream } from "./stream.ts";

// Of all methods at once.
// deno-lint-ignore no-explicit-any
type AnyStream = ServerStream<any, any>;

/** Gives a handler with all that goes around it. */
export function within(
  chain: readonly Middleware<AnyStream>[],
  handler: Handler,
): Handler {
  return { ...handler, handle: (stream) => handle(chain, handler, stream) };
}

async function handle(
  chain: readonly Middleware<AnyStream>[],
  handler: Handler,
  stream: AnyStream,
): Promise<void> {
  const once = onlyOnce("a call is handled only once");
  let isHandled = false;
  await runThrough(chain, stream, () => {
    once();
    isHandled = true;
    return handler.handle(stream);
  });
  // An answer without replies might be taken for one that the handler gave.
  if (!isHandled && callOf(stream).reply.phase === "idle") {
    throw new ProtocolError(
      `Call of ${stream.methodName} has no answer: middleware has to call next(), or to send one`,
    );
  }
}
