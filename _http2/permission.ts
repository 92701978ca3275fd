/**
 * What Deno says of a permission that is missing.
 *
 * @module
 */

/** What the permission is for. */
export type Place =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/**
 * Makes a missing permission to look up a name known as one, and says which
 * flag it takes: Deno tells of it as of a failure of the name service. The
 * errors of the other permissions name their flag.
 *
 * @param error The error of the runtime.
 * @param place What was to be connected to, or listened on.
 * @returns The same error, or one that says more.
 */
export function explainPermission(error: Error, place: Place): Error {
  const isDenied = /^getaddrinfo EPERM\b/.test(error.message);
  if (!isDenied || "path" in place) return error;
  const { hostname, port } = place;
  return new Error(
    `Requires net access to "${hostname}:${port}", run again with the --allow-net flag`,
    { cause: error },
  );
}
