/**
 * HTTP proxies: which one, and for which servers.
 *
 * @see {@link https://github.com/grpc/proposal/blob/master/A1-http-connect-proxy-support.md}
 * @module
 */

import { show } from "./_describe.ts";
import { checkOptions, type OptionNames, wrongType } from "./_options.ts";

/** An HTTP proxy that connections go through, by the method CONNECT. */
export interface ProxyOptions {
  /**
   * The proxy, such as `http://proxy.example:3128`; with a user and a password
   * where it asks for them, `http://user:password@proxy.example:3128`.
   */
  readonly url: string | URL;
  /**
   * The servers that are connected to without it: names, which stand for those
   * below them as well, `*.example.com` for those below alone, addresses, and
   * networks such as `10.0.0.0/8`; each with a port, or for any. `*` is all.
   *
   * @default {[]}
   */
  readonly noProxy?: readonly string[];
}

const OPTIONS: OptionNames<ProxyOptions> = { url: true, noProxy: true };

/** A proxy, checked. */
export interface ResolvedProxy {
  readonly hostname: string;
  readonly port: number;
  /** The value of `proxy-authorization`; null for none. */
  readonly authorization: string | null;
  /** Whether a server is connected to through it. */
  takes(hostname: string, port: number): boolean;
}

/** The variables that name a proxy, the first that is set counts. */
const PROXY_VARIABLES = [
  ...["grpc_proxy", "https_proxy", "HTTPS_PROXY", "http_proxy"],
];

/** The variables that name the exceptions. */
const NO_PROXY_VARIABLES = ["no_grpc_proxy", "no_proxy", "NO_PROXY"];

/** What no environment means a proxy to be used for. */
const LOCAL = ["localhost", "127.0.0.0/8", "[::1]"];

/**
 * Reads which proxy an environment asks for, as other clients do:
 * `grpc_proxy`, `https_proxy`, `HTTPS_PROXY` and `http_proxy`, and the exceptions
 * `no_grpc_proxy`, `no_proxy` and `NO_PROXY`. Servers on this machine are
 * exceptions too. An exception that cannot be read is none, as elsewhere. The
 * library reads no environment by itself.
 *
 * @param env The environment, such as `Deno.env.toObject()`.
 * @returns The proxy, or `null` if it names none.
 *
 * @example Usage
 * ```ts
 * import { Channel, proxyFromEnvironment } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const proxy = proxyFromEnvironment({
 *   https_proxy: "http://proxy.example:3128",
 *   no_proxy: "internal.example,10.0.0.0/8",
 * });
 * assertEquals(proxy?.url, "http://proxy.example:3128");
 *
 * await using channel = new Channel("api.example", 443, { proxy, tls: true });
 * ```
 */
export function proxyFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): ProxyOptions | null {
  const url = firstOf(env, PROXY_VARIABLES);
  if (url === "") return null;
  const exceptions = firstOf(env, NO_PROXY_VARIABLES).split(",");
  const noProxy = exceptions.map((it) => it.trim())
    .filter((it) => readRule(it) !== null);
  return { url, noProxy: [...LOCAL, ...noProxy] };
}

function firstOf(
  env: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): string {
  return names.map((name) => env[name]).find((value) => value) ?? "";
}

/**
 * Checks which proxy is to be used.
 *
 * @param action What was attempted, such as `Cannot create channel`.
 * @param proxy What the user gave.
 * @returns The proxy, or null for none.
 * @throws {TypeError} If it is none. The error does not say what it is, for there
 *   may be a password in it.
 */
export function resolveProxy(
  action: string,
  proxy: string | URL | ProxyOptions | null | undefined,
): ResolvedProxy | null {
  if (proxy === null || proxy === undefined) return null;
  const isUrl = typeof proxy === "string" || proxy instanceof URL;
  const options: ProxyOptions = isUrl ? { url: proxy } : proxy;
  checkOptions(action, options, OPTIONS, "proxy.");
  const { url: address, noProxy = [] } = options;
  const url = URL.parse(String(address));
  const authorization = url === null ? null : authorizationOf(url);
  const isBare = url !== null && url.protocol === "http:" &&
    url.hostname !== "" && url.port !== "0" &&
    /^\/?$/.test(url.pathname + url.search + url.hash);
  if (!isBare || authorization === undefined) {
    throw new TypeError(
      `${action}: proxy must be a URL such as "http://proxy.example:3128"`,
    );
  }
  if (
    !Array.isArray(noProxy) || noProxy.some((it) => typeof it !== "string")
  ) {
    throw wrongType(action, "proxy.noProxy", "a list of strings", noProxy);
  }
  const rules = noProxy.map((text) => {
    const rule = readRule(text);
    if (rule !== null) return rule;
    throw new TypeError(
      `${action}: proxy.noProxy has to name hosts, addresses or networks, received ${
        show(text)
      }`,
    );
  });
  const { hostname, port } = url;
  return {
    hostname: bare(hostname),
    port: port === "" ? 80 : Number(port),
    authorization,
    takes: (hostname, port) => !rules.some((rule) => rule(hostname, port)),
  };
}

/**
 * Gives what a proxy is told of the user; null for nothing, and undefined if it
 * cannot be read, as where a "%" stands for itself.
 *
 * @see {@link https://www.rfc-editor.org/rfc/rfc7617#section-2}
 */
function authorizationOf(
  { username, password }: URL,
): string | null | undefined {
  if (username === "" && password === "") return null;
  try {
    const text = `${decodeURIComponent(username)}:${
      decodeURIComponent(password)
    }`;
    const bytes = new TextEncoder().encode(text);
    return `Basic ${btoa(String.fromCharCode(...bytes))}`;
  } catch {
    return undefined;
  }
}

/** Tells whether a server is an exception. */
type Rule = (hostname: string, port: number) => boolean;

/** Reads an exception; null if it is none. */
function readRule(text: string): Rule | null {
  if (text === "*") return () => true;
  const [, place = "", port] =
    /^(\[[^\]]*\]|[^:]*)(?::([0-9]+))?$/.exec(text) ??
      [undefined, text];
  const isHere = readPlace(place.toLowerCase());
  if (isHere === undefined) return null;
  return (hostname, serverPort) =>
    (port === undefined || Number(port) === serverPort) &&
    isHere(bare(hostname).toLowerCase().replace(/\.$/, ""));
}

function readPlace(place: string): ((host: string) => boolean) | undefined {
  const [, address = place, bits] = /^(.*)\/([0-9]+)$/.exec(place) ?? [];
  const network = bytesOf(bare(address));
  if (network !== null) {
    const length = bits === undefined ? network.length * 8 : Number(bits);
    if (length > network.length * 8) return undefined;
    return (host) => isWithin(bytesOf(host), network, length);
  }
  const isName = /^(\*?\.)?[0-9a-z_-]+(\.[0-9a-z_-]+)*$/.test(place);
  if (!isName) return undefined;
  const name = place.replace(/^\*?\./, "");
  const isBelow = name !== place;
  return (host) => host.endsWith(`.${name}`) || (!isBelow && host === name);
}

function isWithin(
  address: readonly number[] | null,
  network: readonly number[],
  bits: number,
): boolean {
  if (address === null || address.length !== network.length) return false;
  return network.every((byte, i) => {
    const shift = 8 - Math.min(8, Math.max(0, bits - 8 * i));
    return byte >> shift === address[i]! >> shift;
  });
}

/** The bytes of an address; null for a name. */
function bytesOf(host: string): number[] | null {
  if (/^[0-9]+(\.[0-9]+){3}$/.test(host)) {
    const bytes = host.split(".").map(Number);
    return bytes.every((byte) => byte <= 255) ? bytes : null;
  }
  if (!host.includes(":")) return null;
  // The URL parser knows all ways to write an address, and writes it in one.
  const url = URL.parse(`http://[${host.replace(/%.*/, "")}]`);
  if (url === null) return null;
  const [head = "", tail] = bare(url.hostname).split("::");
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const [first, last] = [groups(head), groups(tail ?? "")];
  const zeros = Array(8 - first.length - last.length).fill(0);
  return [...first, ...zeros, ...last].flatMap((it) => [it >> 8, it & 255]);
}

/** A host without brackets. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}
