/**
 * The types that tell a single message from a stream of them.
 *
 * @module
 */

/**
 * Marks a direction of a call that carries any number of messages, as the word
 * `stream` does in a .proto file: `rpc Record(stream Point) returns (Summary)`
 * is handled with a `ServerStream<Many<Point>, Summary>`.
 *
 * It exists in types only.
 *
 * @typeParam M The type of one message.
 */
export interface Many<M> {
  /** Never there: it keeps `Many<M>` apart from every message type. */
  readonly "~many": M;
}

/** The type of one message of a direction: `Point` of `Point` and of `Many<Point>`. */
export type MessageOf<T> = T extends Many<infer M> ? M : T;

/**
 * What `recvMessage()` gives for a direction: the message where there is
 * exactly one, a message or `null` at the end where there are many.
 */
export type Received<T> = T extends Many<infer M> ? M | null : T;
