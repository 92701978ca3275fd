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

/** How often in a row a type may be uncovered before it is left to protobuf-es. */
const MAX_UNCOVERED = 16;

/** How often it is left there before another attempt. */
const ATTEMPTS_EVERY = 1024;

/**
 * Tells whether the compiled functions are worth an attempt.
 *
 * @param uncovered How often in a row a type was {@linkcode UNCOVERED}, or left
 *   to protobuf-es at once, and protobuf-es took it.
 */
export function isWorthIt(uncovered: number): boolean {
  return uncovered < MAX_UNCOVERED || uncovered % ATTEMPTS_EVERY === 0;
}
