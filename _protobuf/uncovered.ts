/**
 * What the compiled codec says when it leaves a message to protobuf-es.
 *
 * @module
 */

/**
 * Thrown when a message, or its bytes, is not what the compiled functions are
 * made for. Whoever called them then has protobuf-es do the work from the
 * beginning: it takes the message after all, or says what is wrong with it.
 *
 * One object for all, because making an error is slow, and nobody sees it.
 */
export const UNCOVERED: Error = new Error("Left to protobuf-es");

/**
 * How often in a row a type is left to protobuf-es, and taken by it, until it
 * is left there for good: such messages would always be worked on twice.
 */
export const MAX_UNCOVERED = 16;
