/**
 * One call of Watch: what its client was told, and what it has to be told next.
 *
 * @module
 */

import type { GRPCError } from "../core/errors.ts";
import type { Many } from "../_call/many.ts";
import type { ServerStream } from "../_call/server/stream.ts";
import type {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "./gen/grpc/health/v1/health_pb.ts";

/** The stream of such a call. */
export type WatchStream = ServerStream<
  HealthCheckRequest,
  Many<HealthCheckResponse>
>;

/** Tells a client each change, and only the newest if it is slow to read. */
export class Watcher {
  readonly #stream: WatchStream;
  readonly #done = Promise.withResolvers<void>();
  #next: ServingStatus | undefined;
  #told: ServingStatus | undefined;
  #isSending = false;
  #end: GRPCError | undefined;

  constructor(stream: WatchStream) {
    this.#stream = stream;
    const { signal } = stream;
    const onAbort = (): void => this.#done.reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort, { once: true });
  }

  /** When the call is over: rejects with what it ends with. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Tells the client a status, unless it knows it already. */
  tell(status: ServingStatus): void {
    if (this.#end !== undefined) return;
    this.#next = status;
    if (!this.#isSending) this.#send();
  }

  /** Ends the call, when the client has been told what there was to tell. */
  end(error: GRPCError): void {
    this.#end ??= error;
    if (!this.#isSending) this.#done.reject(error);
  }

  #send(): void {
    const status = this.#next;
    this.#next = undefined;
    if (status === undefined || status === this.#told) {
      this.#isSending = false;
      if (this.#end !== undefined) this.#done.reject(this.#end);
      return;
    }
    this.#told = status;
    this.#isSending = true;
    this.#stream.sendMessage({ status }).then(
      () => this.#send(),
      (error) => this.#done.reject(error),
    );
  }
}
