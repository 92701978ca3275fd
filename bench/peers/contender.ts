/**
 * What a contender has to give: a server of `bench.proto`, and a client that
 * calls it.
 *
 * @module
 */

/** What the small messages say: 30 characters, 32 bytes in all. */
export const TEXT = "abcdefghijklmnopqrstuvwxyz0123";

/** How many messages of a chat wait for their answer. */
export const CHAT_WINDOW = 64;

/** The size of the messages of bulk transfers. */
export const CHUNK_BYTES = 64 * 1024;

/** What a call is given beside its request, in the scenario that asks for it. */
export const RICH: {
  readonly timeoutMs: number;
  readonly metadata: Readonly<Record<string, string>>;
} = {
  timeoutMs: 10_000,
  metadata: { "x-a": "1", "x-b": "two", "x-c": "three" },
};

/** How client and server are set up. */
export interface Settings {
  /** With TLS: the server's certificate and key, and whom the client trusts. */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca: string;
  };
  /** Messages are compressed with gzip. */
  readonly gzip?: boolean;
  /** One listener on each side that looks at every call. */
  readonly listener?: boolean;
  /** One observer on each side that follows every call, and looks at nothing. */
  readonly observer?: boolean;
  /** Spans on each side, of a hundredth of the traces. */
  readonly spans?: boolean;
  /** One middleware on each side that goes on at once. */
  readonly middleware?: boolean;
  /** The HTTP/2 engine; without it the one that comes by itself. */
  readonly http2?: string;
  /** No port: client and server are wired in memory. */
  readonly inMemory?: boolean;
  /**
   * A port that other processes may listen on as well; 0 for the first of them,
   * which chooses one.
   */
  readonly reusePort?: number;
  /** How many numbers the server looks at for each unary call: is it a prime? */
  readonly primes?: number;
}

/** A client, by what it can do. What is not there is left out of the tables. */
export interface BenchClient {
  /** Calls that are made again and again. */
  readonly calls: Readonly<Record<string, () => Promise<unknown>>>;
  /** Streams of so many messages; each tells how many arrived. */
  readonly streams: Readonly<
    Record<string, (count: number) => Promise<number>>
  >;
  /** Opens a call, has one message answered, and leaves it open. */
  readonly open?: () => Promise<unknown>;
  /** Makes a call that is never answered; the request has an empty text. */
  readonly wait?: () => void;
  /** Closes the connection. */
  readonly close: () => Promise<unknown> | void;
}

/** One library, on one runtime. */
export interface Contender {
  /** Starts a server on a free port of 127.0.0.1. */
  serve(settings: Settings): Promise<number>;
  /** Makes a client; it need not connect before the first call. */
  connect(port: number, settings: Settings): Promise<BenchClient>;
}

/** Thrown by a contender that cannot do what it is asked to, with the reason. */
export class Unsupported extends Error {
  override name = "Unsupported";
}

/** Checks an answer, so that nobody is fast by doing nothing. */
export function expectLength(length: number, expected: number): void {
  if (length !== expected) {
    throw new Error(`Bad answer: needs a length of ${expected}, has ${length}`);
  }
}

/** Bytes that are not all the same, and the same for all. */
export function payloadOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  // Some text that compresses about as well as text does.
  for (let i = 0, seed = 1; i < length; i++) {
    seed = (seed * 48271) % 2147483647;
    bytes[i] = 97 + seed % 16;
  }
  return bytes;
}
