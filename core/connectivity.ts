/**
 * What a channel is doing.
 *
 * @see {@link https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md}
 * @module
 */

/**
 * The state of a channel, in gRPC's words: `"IDLE"` without a connection and
 * without need of one, `"CONNECTING"`, `"READY"` with a connection,
 * `"TRANSIENT_FAILURE"` while it waits after a failed attempt to connect,
 * `"SHUTDOWN"` when it was closed.
 */
export type ConnectivityState =
  | "IDLE"
  | "CONNECTING"
  | "READY"
  | "TRANSIENT_FAILURE"
  | "SHUTDOWN";

/** An endpoint of a channel: one server, of those that calls may go to. */
export interface Endpoint {
  /** Its address, such as `10.0.0.1:50051`; several with commas between them. */
  readonly address: string;
  /** What the channel is doing about it. */
  readonly state: ConnectivityState;
  /** How many connections to it take calls. */
  readonly connections: number;
  /** How many calls run on them. */
  readonly calls: number;
}
