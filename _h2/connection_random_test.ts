/**
 * Two engines, connected in memory, with random operations, settings and cuts.
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../_testdata/engine_end.ts";
import {
  type ConnectionHandler,
  ErrorCode,
  Http2Connection,
  type Http2Stream,
  type StreamEnd,
  type StreamHandler,
  type Violation,
} from "./mod.ts";

type Role = "client" | "server";

/** What one side sends on a stream: bytes that follow from the stream. */
class Half {
  sent = 0;
  received = 0;
  begun = false;
  ended = false;
  endReceived = false;
}

/** A stream, and what is true of it. */
class Exchange {
  readonly halves: Record<Role, Half> = {
    client: new Half(),
    server: new Half(),
  };
  readonly streams: Partial<Record<Role, Http2Stream>> = {};
  readonly closed: Partial<Record<Role, StreamEnd>> = {};
  reset = false;
}

/** The byte at a place of a half. */
function byteAt(role: Role, place: number): number {
  return (place * 7 + (role === "client" ? 1 : 100)) & 255;
}

class Call implements StreamHandler {
  stream!: Http2Stream;
  readonly exchange: Exchange;
  readonly #role: Role;
  readonly #world: World;
  held = 0;

  constructor(world: World, role: Role, exchange: Exchange) {
    this.#world = world;
    this.#role = role;
    this.exchange = exchange;
  }

  get #theirs(): Half {
    return this.exchange.halves[this.#role === "client" ? "server" : "client"];
  }

  onHeaders(_fields: readonly string[], end: boolean): void {
    if (end) this.onEnd();
  }

  onInterim(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    const half = this.#theirs;
    const other = this.#role === "client" ? "server" : "client";
    for (let i = start; i < end; i++) {
      assertEquals(bytes[i], byteAt(other, half.received++));
    }
    this.held += end - start;
    this.#world.maybeAct();
  }

  onEnd(): void {
    const half = this.#theirs;
    assertEquals(half.endReceived, false);
    assertEquals(half.received, half.sent, "all came before the end");
    half.endReceived = true;
    this.#world.maybeAct();
  }

  onDrain(): void {
    this.#world.maybeAct();
  }

  onClose(end: StreamEnd): void {
    assertEquals(this.exchange.closed[this.#role], undefined, "told once");
    this.exchange.closed[this.#role] = end;
  }
}

class World {
  readonly random: Random;
  readonly ends: Record<Role, Http2Connection>;
  readonly wires: Record<Role, Uint8Array[]> = { client: [], server: [] };
  readonly writing: Record<Role, boolean> = { client: false, server: false };
  readonly exchanges: Exchange[] = [];
  readonly calls: Record<Role, Set<Call>> = {
    client: new Set(),
    server: new Set(),
  };
  faults: string[] = [];
  isQuiet = false;
  depth = 0;

  constructor(seed: number) {
    const random = this.random = new Random(seed);
    const windows = [0, 1, 100, 65_535, 1 << 20];
    const make = (role: Role): Http2Connection =>
      new Http2Connection({
        role,
        settings: {
          initialWindowSize: random.pick(windows),
          maxFrameSize: random.pick([16_384, 20_000, 100_000]),
          ...role === "server"
            ? { maxConcurrentStreams: random.pick([1, 3, 100]) }
            : {},
        },
        connectionWindowSize: random.pick([65_535, 70_000, 1 << 20]),
        limits: { maxHeldBytes: random.pick([0, 200_000, 1 << 26]) },
      }, this.#handler(role));
    this.ends = { client: make("client"), server: make("server") };
  }

  #handler(role: Role): ConnectionHandler {
    return {
      onOutput: () => {},
      onSettings: () => this.maybeAct(),
      onPing: () => this.maybeAct(),
      onPingAck: () => this.maybeAct(),
      onNoticeAck: () => {},
      onGoaway: () => {},
      onStreamViolation: (id: number, { message }: Violation) =>
        this.faults.push(`${role} ${id} ${message}`),
      onViolation: ({ message }: Violation) =>
        this.faults.push(`${role} ${message}`),
      onStream: (stream: Http2Stream, fields: readonly string[], end) => {
        const exchange = this.exchanges[Number(fields.at(-1))]!;
        const call = new Call(this, "server", exchange);
        call.stream = stream;
        stream.handler = call;
        exchange.streams.server = stream;
        this.calls.server.add(call);
        if (end) call.onEnd();
        this.maybeAct();
      },
    };
  }

  /** Handlers do anything too. */
  maybeAct(): void {
    if (this.isQuiet || this.depth > 3 || this.random.below(4) > 0) return;
    this.depth++;
    this.act();
    this.depth--;
  }

  act(): void {
    const { random } = this;
    const role = random.pick<Role>(["client", "server"]);
    const end = this.ends[role];
    const exchange = this.exchanges.length === 0
      ? undefined
      : random.pick(this.exchanges.slice(-20));
    const stream = exchange?.streams[role];
    switch (random.below(16)) {
      case 0:
      case 1:
        return this.#open();
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        if (exchange && stream) this.#send(exchange, role, stream);
        return;
      case 7:
      case 8:
        if (exchange && stream) this.#end(exchange, role, stream);
        return;
      case 9:
        if (exchange && stream && random.below(3) === 0) {
          const half = exchange.halves[role];
          const code = half.ended && random.below(2) === 0
            ? ErrorCode.NO_ERROR
            : ErrorCode.CANCEL;
          exchange.reset = true;
          stream.reset(code);
        }
        return;
      case 10:
        return this.#consume(role);
      case 11:
        return end.ping(new Uint8Array(8));
      case 12:
        if (random.below(4) > 0) return;
        return end.changeSettings({
          initialWindowSize: random.pick([0, 10, 1000, 65_535, 1 << 20]),
          maxFrameSize: random.pick([16_384, 30_000]),
        });
      default:
        return this.carry(role);
    }
  }

  #open(): void {
    const { client } = this.ends;
    if (!client.canOpen) return;
    const exchange = new Exchange();
    this.exchanges.push(exchange);
    const call = new Call(this, "client", exchange);
    this.calls.client.add(call);
    const end = this.random.below(8) === 0;
    exchange.halves.client.begun = true;
    exchange.halves.client.ended = end;
    const stream = client.request(
      call,
      HEAD,
      ["x-number", String(this.exchanges.length - 1)],
      end,
    );
    call.stream = stream;
    exchange.streams.client = stream;
  }

  #send(exchange: Exchange, role: Role, stream: Http2Stream): void {
    const half = exchange.halves[role];
    if (half.ended) return;
    this.#head(half, role, stream);
    const size = this.random.pick([0, 1, 40, 4095, 4096, 16_384, 70_000]);
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = byteAt(role, half.sent++);
    half.ended = this.random.below(10) === 0;
    stream.sendData(bytes, half.ended);
  }

  #head(half: Half, role: Role, stream: Http2Stream): void {
    if (half.begun || role === "client") return;
    half.begun = true;
    stream.sendHeaders(RESPONSE, [], false);
  }

  #end(exchange: Exchange, role: Role, stream: Http2Stream): void {
    const half = exchange.halves[role];
    if (half.ended) return;
    half.ended = true;
    if (role === "server" && !half.begun) {
      half.begun = true;
      stream.sendHeaders(RESPONSE, [], true);
    } else if (this.random.below(2) === 0) {
      stream.sendTrailers(["grpc-status", "0"], []);
    } else stream.sendData(new Uint8Array(), true);
  }

  #consume(role: Role): void {
    for (const call of this.calls[role]) {
      if (this.random.below(2) === 0) continue;
      const bytes = this.random.below(call.held + 1);
      call.held -= bytes;
      call.stream.consume(bytes);
    }
  }

  /** Writes what there is, or carries some of it, or says that it is written. */
  carry(role: Role): void {
    const { random } = this;
    const end = this.ends[role];
    if (!this.writing[role]) {
      const pieces = end.takeOutput();
      this.writing[role] = pieces.length > 0;
      for (const piece of pieces) this.wires[role].push(piece.slice());
      return;
    }
    const wire = this.wires[role];
    const first = wire[0];
    if (first === undefined) {
      this.writing[role] = false;
      return end.outputWritten();
    }
    const size = random.below(3) === 0
      ? first.length
      : Math.min(first.length, 1 + random.below(2_000));
    if (size === first.length) wire.shift();
    else wire[0] = first.subarray(size);
    const other = this.ends[role === "client" ? "server" : "client"];
    other.receive(first.slice(0, size), 0);
  }

  /** Lets everything end. */
  finish(): void {
    this.isQuiet = true;
    for (const role of ["client", "server"] as const) {
      this.ends[role].changeSettings({ initialWindowSize: 1 << 20 });
    }
    for (let idle = 0; idle < 20;) {
      let isBusy = false;
      for (const role of ["client", "server"] as const) {
        for (const exchange of this.exchanges) {
          const stream = exchange.streams[role];
          if (stream !== undefined) this.#end(exchange, role, stream);
        }
        for (const call of this.calls[role]) {
          if (call.held > 0) call.stream.consume(call.held);
          call.held = 0;
        }
        if (this.wires[role].length > 0 || this.writing[role]) isBusy = true;
        this.carry(role);
        if (this.writing[role]) isBusy = true;
      }
      idle = isBusy ? 0 : idle + 1;
    }
  }
}

const HEAD = [":method", "POST", ":scheme", "http", ":path", "/a/b"];
const RESPONSE = [":status", "200"];

Deno.test("Http2Connection() loses nothing when two of them do anything", () => {
  let complete = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const world = new World(seed);
    for (let i = 0; i < 600; i++) world.act();
    world.finish();
    const where = `seed ${seed}`;
    assertEquals(
      world.faults.filter((x) => !/More streams than allowed/.test(x)),
      [],
      where,
    );
    for (const exchange of world.exchanges) {
      const { client, server } = exchange.halves;
      for (const role of ["client", "server"] as const) {
        const stream = exchange.streams[role];
        assert(
          stream === undefined || stream.isClosed,
          `${where}: a stream is open`,
        );
      }
      if (exchange.reset || exchange.closed.client?.cause === "reset") continue;
      assertEquals(exchange.closed.client?.message, "", where);
      assertEquals(exchange.closed.server?.message, "", where);
      assertEquals(exchange.closed.client?.cause, "complete", where);
      assertEquals(exchange.closed.server?.cause, "complete", where);
      assertEquals([client.received, server.received], [
        client.sent,
        server.sent,
      ], where);
      complete++;
    }
    for (const role of ["client", "server"] as const) {
      const end = world.ends[role];
      assertEquals(end.isOver, false, where);
      assertEquals(end.streamCount, 0, where);
      assertEquals(end.queuedBytes, 0, where);
      assertEquals(end.keptBytes, 0, where);
      assertEquals(end.outputBytes, 0, where);
      assertEquals(end.heldBytes, 0, where);
    }
  }
  assert(complete > 600, `${complete} exchanges were complete`);
});
