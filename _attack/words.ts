/**
 * What the attacked server and its attackers know of each other.
 *
 * @module
 */

/** What a handler throws, and no client may see. */
export const SECRET = "the password is swordfish";

/** The text of a request that a handler answers which only reads others. */
export const DONE = "done";
