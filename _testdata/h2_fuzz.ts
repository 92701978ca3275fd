/**
 * Mutated frames for both sides of the HTTP/2 engine.
 *
 *     deno task fuzz:h2 [inputs] [seed]
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { ErrorCode } from "../_h2/mod.ts";
import { concat, EngineEnd, FrameLog, Random } from "./engine_end.ts";
import {
  anyFrame,
  CLIENT_HELLO,
  cutHeaders,
  data,
  goaway,
  headers,
  ping,
  REQUEST,
  RESPONSE,
  rst,
  SERVER_HELLO,
  settings,
  TRAILERS,
  windowUpdate,
} from "./frame_words.ts";
import type { Field } from "./hpack.ts";

/** What came of the inputs. */
export interface FuzzResult {
  /** How many connections there were. */
  connections: number;
  /** How many of them the engine ended. */
  ended: number;
  /** How many streams were told of. */
  streams: number;
  /** How many of these were complete. */
  complete: number;
  /** How many stream errors there were. */
  streamErrors: number;
}

/** The most that may be kept for a peer that reads. */
const MAX_OUTPUT_BYTES = 600_000;

/** How much of a connection's input may wait for an application. */
const MAX_HELD_BYTES = 300_000;

/**
 * Gives mutated frames to engines, in chunks of any size, while their owners do
 * anything that owners do. Whatever is wrong is thrown.
 *
 * @param options Which side, how many inputs, and the seed of it all.
 */
export function fuzzEngine(
  options: {
    readonly role: "client" | "server";
    readonly inputs: number;
    readonly seed: number;
  },
): FuzzResult {
  const random = new Random(options.seed);
  const result: FuzzResult = {
    connections: 0,
    ended: 0,
    streams: 0,
    complete: 0,
    streamErrors: 0,
  };
  for (let inputs = 0; inputs < options.inputs;) {
    result.connections++;
    inputs += fuzzConnection(options.role, random, result);
  }
  return result;
}

function fuzzConnection(
  role: "client" | "server",
  random: Random,
  result: FuzzResult,
): number {
  const end = new EngineEnd({
    role,
    settings: {
      initialWindowSize: random.pick([0, 1_000, 65_535, 200_000]),
      maxConcurrentStreams: random.pick([2, 50]),
      maxHeaderListSize: 4_000,
    },
    limits: {
      maxHeldBytes: MAX_HELD_BYTES,
      maxQueuedReplies: random.pick([5, 1_000]),
      resets: { burst: random.pick([3, 100]), perSecond: 1 },
    },
  });
  end.consumes = random.below(2) === 0;
  const reads = random.below(6) > 0;
  for (const event of ["request", "data", "headers", "end", "drain", "close"]) {
    end.on[event] = () => {
      if (random.below(3) === 0) act(end, random);
    };
  }
  const log = random.below(8) === 0 ? new FrameLog() : null;
  end.receive(...role === "server" ? CLIENT_HELLO : SERVER_HELLO);
  const peer = new Peer(role, random);
  for (let i = 0; i < 60 && !end.connection.isOver; i++) {
    if (role === "client" && end.connection.streamCount < 3) {
      openOne(end);
    }
    for (const id of end.streams.keys()) {
      peer.latest = Math.max(peer.latest, id);
    }
    end.now += random.below(20);
    const bytes = peer.input();
    const most = random.pick([1, 10, 100, 100_000]);
    for (let at = 0; at < bytes.length;) {
      const size = 1 + random.below(most);
      const chunk = bytes.subarray(at, at + size);
      end.receive(chunk);
      // Nothing of it is needed any more.
      chunk.fill(0xee);
      at += size;
    }
    act(end, random);
    check(end);
    // It is well-formed, or this throws.
    const output = reads ? end.take() : null;
    if (output !== null) log?.read(output);
  }
  if (end.connection.isOver) result.ended++;
  end.connection.lose("over");
  checkOver(end);
  for (const event of end.told()) {
    if (/^(request|headers) /.test(event)) result.streams++;
    else if (/^close \d+ complete/.test(event)) result.complete++;
    else if (/^(violation \d|close \d+ violation)/.test(event)) {
      result.streamErrors++;
    }
  }
  return peer.mutated;
}

/** What must be so at any time. */
function check(end: EngineEnd): void {
  const { connection } = end;
  const { outputBytes, queuedBytes, heldBytes, streamCount } = connection;
  if (outputBytes > MAX_OUTPUT_BYTES) {
    throw new Error(`${outputBytes} bytes of output`);
  }
  if (heldBytes < 0 || heldBytes > MAX_HELD_BYTES) {
    throw new Error(`${heldBytes} bytes held`);
  }
  if (queuedBytes < 0) throw new Error(`${queuedBytes} bytes queued`);
  if (streamCount < 0 || streamCount > 100) {
    throw new Error(`${streamCount} streams`);
  }
}

/** What must be so in the end. */
function checkOver({ connection, streams }: EngineEnd): void {
  for (const stream of streams.values()) stream.consume(1 << 30);
  const { queuedBytes, heldBytes, streamCount } = connection;
  if (queuedBytes + heldBytes + streamCount !== 0) {
    throw new Error(
      `${queuedBytes} bytes queued, ${heldBytes} held, ${streamCount} streams`,
    );
  }
}

/** Something that an owner does. */
function act(end: EngineEnd, random: Random): void {
  const { connection, streams } = end;
  const stream = streams.get(1 + 2 * random.below(12));
  switch (random.below(10)) {
    case 0:
      openOne(end);
      break;
    case 1:
      connection.ping(new Uint8Array(8));
      break;
    case 2:
      if (random.below(10) > 0) break;
      connection.changeSettings({
        initialWindowSize: random.pick([0, 5_000, 200_000]),
      });
      break;
    case 3:
      stream?.reset(random.pick([ErrorCode.CANCEL, ErrorCode.NO_ERROR]));
      break;
    case 4:
      stream?.consume(random.below(20_000));
      break;
    case 5:
      if (random.below(40) > 0) break;
      if (random.below(2) === 0) connection.shutdownNotice();
      else connection.goaway(0, "bye");
      break;
    default:
      if (stream !== undefined) send(stream, random);
  }
}

function openOne(end: EngineEnd): void {
  const { connection } = end;
  if (connection.canOpen && connection.streamCount < 60) {
    end.request(REQUEST_LIST);
  }
}

const REQUEST_LIST: readonly string[] = REQUEST.flat();

function send(
  stream: { isEnding: boolean } & {
    sendHeaders(shared: string[], own: string[], end: boolean): void;
    sendData(bytes: Uint8Array, end: boolean): boolean;
    sendTrailers(shared: string[], own: string[]): void;
  },
  random: Random,
): void {
  try {
    switch (random.below(3)) {
      case 0:
        return stream.sendHeaders(RESPONSE.flat(), [], random.below(4) === 0);
      case 1:
        stream.sendData(
          new Uint8Array(random.pick([0, 10, 5_000, 100_000])),
          random.below(4) === 0,
        );
        return;
      default:
        return stream.sendTrailers(TRAILERS.flat(), []);
    }
  } catch (error) {
    // Out of order, which is this owner's fault.
    if (!String(error).includes("Cannot send on stream")) throw error;
  }
}

const LISTS: readonly (readonly Field[])[] = [
  REQUEST,
  REQUEST,
  RESPONSE,
  RESPONSE,
  TRAILERS,
  [[":status", "100"]],
  [...REQUEST, ["content-length", "3"]],
  [...RESPONSE, ["content-length", "10"]],
  [...REQUEST, ["connection", "close"]],
  [...REQUEST, ["x", "y".repeat(4_500)]],
  [["A", "b"]],
];

const INTERIM: readonly Field[] = [[":status", "103"]];

/** Makes the frames of one peer. */
class Peer {
  readonly #role: "client" | "server";
  readonly #random: Random;
  /** The largest stream that is not idle, as far as one knows. */
  latest = -1;
  readonly #begun = new Set<number>();
  readonly #ended = new Set<number>();
  /** How many inputs were mutated. */
  mutated = 0;

  /** @param role The side that gets the frames. */
  constructor(role: "client" | "server", random: Random) {
    this.#role = role;
    this.#random = random;
  }

  /** A few frames, some of them mutated. */
  input(): Uint8Array {
    const random = this.#random;
    const frames: Uint8Array[] = [];
    for (let i = 1 + random.below(5); i > 0; i--) frames.push(...this.#some());
    const bytes = concat(frames);
    if (random.below(4) > 0) return bytes;
    this.mutated++;
    return mutate(bytes, random);
  }

  /** One frame, or a few, which mostly may come now. */
  #some(): readonly Uint8Array[] {
    const random = this.#random;
    const rarely = random.below(40) === 0;
    const isServer = this.#role === "server";
    if ((isServer && random.below(4) === 0) || this.latest < 0) {
      if (!isServer && !rarely) return [ping()];
      this.latest += 2;
      return this.#headers(this.latest, rarely ? random.pick(LISTS) : REQUEST);
    }
    const id = rarely
      ? random.below(30)
      : Math.max(1, this.latest - 2 * random.below(3));
    const isOver = this.#ended.has(id) && !rarely;
    const hasHead = this.#begun.has(id) || rarely;
    switch (isOver ? 6 + random.below(8) : random.below(14)) {
      case 0:
      case 1:
      case 2:
        return this.#headers(
          id,
          rarely
            ? random.pick(LISTS)
            : hasHead
            ? TRAILERS
            : random.pick([RESPONSE, RESPONSE, INTERIM]),
        );
      case 3:
      case 4:
      case 5: {
        if (!hasHead) return this.#headers(id, RESPONSE);
        const end = random.below(3) === 0;
        if (end) this.#ended.add(id);
        return [data(id, new Uint8Array(random.pick([0, 3, 10, 100, 2_000])), {
          end,
          ...random.below(8) === 0 ? { padding: random.below(200) } : {},
        })];
      }
      case 6:
        this.#ended.add(id);
        return [rst(id, random.pick([0, 7, 8, 99]))];
      case 7:
        return [settings(
          rarely
            ? [random.below(9), random.pick([0, 1, 100, 0xffff_ffff])]
            : random.pick([[1, 0], [1, 100], [3, 9], [4, 0], [4, 99_999]]),
        )];
      case 8:
      case 9:
      case 10:
        return [windowUpdate(
          random.pick([0, id]),
          rarely ? random.pick([0, 0x7fff_ffff]) : random.pick([1, 30_000]),
        )];
      case 11:
        return [
          rarely
            ? goaway(random.pick([0, 1, 9, 0x7fff_ffff]))
            : ping("shutdown", random.below(2) === 0),
        ];
      default:
        return [
          rarely
            ? anyFrame(random.below(12), random.pick([0, id]), {
              flags: random.below(256),
              bytes: random.pick([0, 4, 5, 6, 8, 20]),
            })
            : anyFrame(random.pick([2, 99]), id, { bytes: 5 }),
        ];
    }
  }

  #headers(id: number, fields: readonly Field[]): readonly Uint8Array[] {
    const random = this.#random;
    const end = fields === TRAILERS ||
      (fields !== INTERIM && random.below(4) === 0);
    if (fields !== INTERIM) this.#begun.add(id);
    if (end) this.#ended.add(id);
    if (random.below(4) === 0) {
      return cutHeaders(id, fields, { cuts: [5, 5, 9], end });
    }
    return [headers(id, fields, {
      end,
      priority: random.below(8) === 0,
      ...random.below(8) === 0 ? { padding: random.below(200) } : {},
    })];
  }
}

/** Changes bytes in a few places. */
function mutate(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = [...bytes];
  for (let count = 1 + random.below(2); count > 0; count--) {
    const at = random.below(changed.length + 1);
    switch (random.below(5)) {
      case 0:
        changed[at] = (changed[at] ?? 0) ^ 1 << random.below(8);
        break;
      case 1:
        changed[at] = random.below(256);
        break;
      case 2:
        changed.splice(at, random.below(12));
        break;
      case 3:
        changed.splice(at, 0, ...changed.slice(at, at + random.below(60)));
        break;
      default:
        if (random.below(5) === 0) changed.length = at;
    }
  }
  return Uint8Array.from(changed);
}

if (import.meta.main) {
  const [inputs = 1_000_000, seed = 1] = Deno.args.map(Number);
  for (const role of ["server", "client"] as const) {
    const start = performance.now();
    const result = fuzzEngine({ role, inputs, seed });
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${role}, seed ${seed}, ${seconds} s:`, JSON.stringify(result));
  }
}
