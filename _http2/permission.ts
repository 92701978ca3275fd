/**
 * What Deno says of a permission that is missing.
 *
 * @module
 */

/** What the permission is for. */
export type Place =
  | { readonly hostname: string; readonly port: number }
  | { readonly path: string };

/** The part of Deno that knows permissions; Node has none. */
interface Permissions {
  querySync(
    what: { name: "net"; host: string } | { name: "sys"; kind: "ca" },
  ): { state: string };
}

/**
 * Tells whether an address may be connected to, without asking the user for it.
 *
 * @param hostname The address.
 * @param port The port.
 */
export function isPermitted(hostname: string, port: number): boolean {
  const host = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  return isGranted({ name: "net", host });
}

/**
 * Tells whether the authorities that the runtime trusts may be looked at
 * (`--allow-sys=ca`), without asking the user for it.
 */
export function maySeeAuthorities(): boolean {
  return isGranted({ name: "sys", kind: "ca" });
}

/** Tells whether Deno permits something; Node permits all. */
function isGranted(what: Parameters<Permissions["querySync"]>[0]): boolean {
  const { permissions } =
    (globalThis as { Deno?: { permissions?: Permissions } }).Deno ?? {};
  return permissions === undefined ||
    permissions.querySync(what).state === "granted";
}

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
