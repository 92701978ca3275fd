/**
 * What a handler of the attacked server throws.
 *
 * @module
 */

/** What no client may see. */
export const SECRET = "the password is swordfish";
