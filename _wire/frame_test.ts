import {
  assert,
  assertEquals,
  assertFalse,
  assertNotStrictEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { Buffer } from "node:buffer";
import type { ByteWriter, Codec } from "../core/codec.ts";
import { GRPCError } from "../core/errors.ts";
import { Status } from "../core/status.ts";
import { FRAME_PREFIX_BYTES, FrameReader, FrameWriter } from "./frame.ts";
import { seededRandom } from "../_testdata/seeded_random.ts";

const KIB = 1024;
const MIB = KIB * KIB;

/** So many bytes that tell their position. */
function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i * 7 + length);
}

/** A frame, made by hand. */
function frame(message: Uint8Array, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5 + message.length);
  bytes[0] = flag;
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

/** The five bytes before a message of a length. */
function prefix(length: number, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = flag;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

function concat(...parts: Uint8Array[]): Uint8Array {
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

// The class itself: tests count what is made of it.
const PlainBytes = Uint8Array;

/** Runs a function and gives the sizes of the memory it allocated as Uint8Array. */
function allocations(run: () => void): number[] {
  const sizes: number[] = [];
  globalThis.Uint8Array = new Proxy(PlainBytes, {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") sizes.push(args[0]);
      return Reflect.construct(target, args, newTarget);
    },
  });
  try {
    run();
  } finally {
    globalThis.Uint8Array = PlainBytes;
  }
  return sizes;
}

// --- writing

/** A codec whose messages are bytes, encoded to memory of their own. */
const copying: Codec = {
  contentSubtype: "bytes",
  encode: (message) => message as Uint8Array,
  decode: (bytes) => bytes,
};

/** The same, encoded in place, with one reservation for each piece. */
function placing(pieceBytes: number): Codec {
  return {
    ...copying,
    encode() {
      throw new Error("encode() was called");
    },
    encodeInto(message: unknown, _type: unknown, writer: ByteWriter) {
      const bytes = message as Uint8Array;
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        const piece = bytes.subarray(at, at + pieceBytes);
        writer.reserve(piece.length);
        assert(writer.position + piece.length <= writer.buffer.length);
        writer.buffer.set(piece, writer.position);
        writer.position += piece.length;
      }
    },
  };
}

const CODECS: [string, Codec][] = [
  ["encode()", copying],
  ["encodeInto() at once", placing(Infinity)],
  ["encodeInto() in pieces of 1000 bytes", placing(1_000)],
  ["encodeInto() in pieces of 7 bytes", placing(7)],
];

const SIZES = [
  ...[0, 1, 2, 255, 256, 4_090, 4_091, 4_092, 4_096, 8_191, 8_192],
  ...[16_378, 16_379, 16_380, 16_384, 65_535, 65_536, 70_000, 300_000],
];

for (const [name, codec] of CODECS) {
  Deno.test(`FrameWriter.frame() puts the prefix before the message, by ${name}`, () => {
    for (const size of SIZES) {
      const message = pattern(size);
      const bytes = new FrameWriter().frame(codec, message, null, Infinity);
      assertEquals(bytes, frame(message), `${size}`);
    }
  });

  Deno.test(`FrameWriter.frame() never writes to a frame it gave, by ${name}`, () => {
    const random = seededRandom(1);
    const writer = new FrameWriter();
    const messages: Uint8Array[] = [];
    const frames: Uint8Array[] = [];
    for (let i = 0; i < 400; i++) {
      const large = random() < 0.05;
      messages.push(pattern(Math.floor(random() * (large ? 40_000 : 900))));
      frames.push(writer.frame(codec, messages[i]!, null, Infinity));
    }
    for (let i = 0; i < 400; i++) {
      assertEquals(frames[i]!, frame(messages[i]!), `${i}`);
    }
  });

  Deno.test(`FrameWriter.frame() cuts consecutive frames next to each other, by ${name}`, () => {
    const writer = new FrameWriter();
    const first = writer.frame(codec, pattern(10), null, Infinity);
    const second = writer.frame(codec, pattern(0), null, Infinity);
    writer.frame(codec, pattern(20_000), null, Infinity); // memory of its own
    const third = writer.frame(codec, pattern(30), null, Infinity);
    assertStrictEquals(second.buffer, first.buffer);
    assertStrictEquals(third.buffer, first.buffer);
    assertEquals(second.byteOffset, first.byteOffset + first.byteLength);
    assertEquals(third.byteOffset, second.byteOffset + second.byteLength);
  });

  Deno.test(`FrameWriter.frame() uses a slab up to its end and then a new one, by ${name}`, () => {
    const writer = new FrameWriter();
    const slabs = new Map<ArrayBufferLike, number>();
    for (let i = 0; i < 1_000; i++) {
      const { buffer } = writer.frame(codec, pattern(59), null, Infinity);
      slabs.set(buffer, (slabs.get(buffer) ?? 0) + 1);
    }
    assertEquals([...slabs.values()], [256, 256, 256, 232]);
    for (const slab of slabs.keys()) assertEquals(slab.byteLength, 16 * KIB);
  });

  Deno.test(`FrameWriter.frame() gives large frames memory of their own, by ${name}`, () => {
    const writer = new FrameWriter();
    const small = writer.frame(codec, pattern(10_000), null, Infinity);
    const large = writer.frame(codec, pattern(100_000), null, Infinity);
    assertNotStrictEquals(small.buffer, large.buffer);
    // Growing may leave some of it unused, but not more than as much again.
    assert(large.buffer.byteLength <= 2 * large.byteLength);
  });

  Deno.test(`FrameWriter.frame() accepts a message as large as the limit, by ${name}`, () => {
    for (const size of [0, 1, 4_096, 100_000]) {
      const bytes = new FrameWriter().frame(codec, pattern(size), null, size);
      assertEquals(bytes.length, size + FRAME_PREFIX_BYTES);
    }
  });

  Deno.test(`FrameWriter.frame() refuses a message that is larger than the limit, by ${name}`, () => {
    for (const [size, limit] of [[5_000, 4_096], [1, 0], [100_000, 99_999]]) {
      const writer = new FrameWriter();
      const before = writer.frame(codec, pattern(3), null, Infinity);
      const error = assertThrows(
        () => writer.frame(codec, pattern(size!), null, limit!),
        GRPCError,
      );
      assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
      assertEquals(
        error.message,
        `Cannot send message: ${size} bytes are more than the ${limit} of maxSendMessageSize`,
      );
      // As if it had never been: the next one is where it would have been.
      const after = writer.frame(codec, pattern(4), null, Infinity);
      assertEquals(before, frame(pattern(3)));
      assertEquals(after, frame(pattern(4)));
      assertStrictEquals(after.buffer, before.buffer);
      assertEquals(after.byteOffset, before.byteOffset + before.byteLength);
    }
  });
}

Deno.test("FrameWriter.frame() doubles the memory of a frame that grows", () => {
  const writer = new FrameWriter();
  const message = pattern(1_000_000);
  const codec = placing(100);
  const sizes = allocations(() => writer.frame(codec, message, null, MIB));
  assertEquals(sizes.length, 6); // from 32 KiB to 1 MiB
  sizes.reduce((smaller, size) => {
    assert(size >= 2 * smaller - 200, `${sizes}`);
    return size;
  });
});

Deno.test("FrameWriter.frame() allocates one slab for all its small frames", () => {
  for (const [, codec] of CODECS) {
    const writer = new FrameWriter();
    const message = pattern(200);
    const sizes = allocations(() => {
      for (let i = 0; i < 79; i++) writer.frame(codec, message, null, 200);
    });
    assertEquals(sizes, []);
    assertEquals(
      allocations(() => writer.frame(codec, message, null, 200)),
      [16 * KIB],
    );
  }
});

Deno.test("FrameWriter.frame() writes a message while it writes another", () => {
  const writer = new FrameWriter();
  const inner: Uint8Array[] = [];
  const codec: Codec = {
    ...copying,
    encodeInto(message, _type, sink) {
      const bytes = message as Uint8Array;
      sink.reserve(bytes.length);
      sink.buffer.set(bytes, sink.position);
      sink.position += bytes.length;
      if (bytes.length > 10) return;
      inner.push(writer.frame(codec, pattern(20), null, 100));
    },
  };
  const outer = writer.frame(codec, pattern(10), null, 100);
  const next = writer.frame(codec, pattern(30), null, 100);
  assertEquals(outer, writer.frame(copying, pattern(10), null, 100));
  assertEquals(next, writer.frame(copying, pattern(30), null, 100));
  assertEquals(inner, [writer.frame(copying, pattern(20), null, 100)]);
});

Deno.test("FrameWriter.frame() gives the codec message and type", () => {
  const seen: unknown[] = [];
  const message = {};
  const type = {};
  new FrameWriter().frame(
    {
      ...copying,
      encode: (...args) => {
        seen.push(...args);
        return new Uint8Array();
      },
    },
    message,
    type,
    0,
  );
  new FrameWriter().frame(
    { ...copying, encodeInto: (...args) => void seen.push(...args) },
    message,
    type,
    0,
  );
  assertStrictEquals(seen[0], message);
  assertStrictEquals(seen[1], type);
  assertStrictEquals(seen[2], message);
  assertStrictEquals(seen[3], type);
});

Deno.test("FrameWriter.frame() passes on what the codec throws and forgets what it wrote", () => {
  const fault = new TypeError("Message must be of type");
  for (const written of [0, 10, 16_370, 16_384, 100_000]) {
    const writer = new FrameWriter();
    const before = writer.frame(copying, pattern(3), null, Infinity);
    const failing: Codec = {
      ...copying,
      encodeInto(_message, _type, into) {
        into.reserve(written);
        into.buffer.fill(0xff, into.position, into.position + written);
        into.position += written;
        throw fault;
      },
    };
    const error = assertThrows(() => writer.frame(failing, null, null, 1e9));
    assertStrictEquals(error, fault);
    const after = writer.frame(placing(5), pattern(40), null, Infinity);
    assertEquals(before, frame(pattern(3)));
    assertEquals(after, frame(pattern(40)));
    if (written < 100) assertEquals(after.byteOffset, before.byteLength);
  }
  const failing: Codec = {
    ...copying,
    encode() {
      throw fault;
    },
  };
  assertStrictEquals(
    assertThrows(() => new FrameWriter().frame(failing, null, null, 1e9)),
    fault,
  );
});

Deno.test("FrameWriter.frame() keeps the codec's this", () => {
  class Counting implements Codec {
    readonly contentSubtype = "count";
    #count = 0;
    encode = copying.encode;
    decode = copying.decode;
    encodeInto(_message: unknown, _type: unknown, writer: ByteWriter): void {
      writer.reserve(1);
      writer.buffer[writer.position++] = ++this.#count;
    }
  }
  const writer = new FrameWriter();
  const codec = new Counting();
  writer.frame(codec, {}, null, 1);
  const second = writer.frame(codec, {}, null, 1);
  assertEquals(second, frame(new Uint8Array([2])));
});

// --- reading

/** A receiver that keeps what it is given, copied, since chunks may be reused. */
class Recorder {
  readonly messages: Uint8Array[] = [];
  readonly flags: boolean[] = [];
  onFrame(bytes: Uint8Array, compressed: boolean): void {
    assertStrictEquals(bytes.constructor, PlainBytes);
    this.messages.push(bytes.slice());
    this.flags.push(compressed);
  }
}

/** Reads chunks and gives what came of them. */
function read(chunks: Iterable<Uint8Array>, maxBytes = MIB) {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, maxBytes);
  for (const chunk of chunks) reader.push(chunk);
  return { ...recorder, truncated: reader.truncated };
}

const MESSAGES = [
  pattern(3),
  pattern(0),
  pattern(1),
  pattern(0),
  pattern(0),
  pattern(20),
  pattern(300),
  pattern(5),
];
const FLAGS = [false, true, true, false, false, false, true, false];
const STREAM = concat(
  ...MESSAGES.map((message, i) => frame(message, FLAGS[i] ? 1 : 0)),
);
const EMPTY = new Uint8Array();

/** Asserts that chunks of STREAM give its messages. */
function assertReads(chunks: Iterable<Uint8Array>, what: string): void {
  const { messages, flags, truncated } = read(chunks);
  assertEquals(messages, MESSAGES, what);
  assertEquals(flags, FLAGS, what);
  assertFalse(truncated, what);
}

Deno.test("FrameReader finds the messages in one chunk", () => {
  assertReads([STREAM], "one chunk");
});

Deno.test("FrameReader finds the messages in every split in two", () => {
  for (let at = 0; at <= STREAM.length; at++) {
    assertReads([STREAM.subarray(0, at), STREAM.subarray(at)], `at ${at}`);
  }
});

Deno.test("FrameReader finds the messages in every split in three with an empty chunk", () => {
  const short = STREAM.length - 320; // ends before the long message
  for (let a = 0; a <= short; a++) {
    for (let b = a; b <= short; b++) {
      const chunks = [
        ...[EMPTY, STREAM.subarray(0, a), EMPTY],
        ...[STREAM.subarray(a, b), EMPTY, EMPTY, STREAM.subarray(b), EMPTY],
      ];
      assertReads(chunks, `at ${a} and ${b}`);
    }
  }
});

Deno.test("FrameReader finds the messages in chunks of every size", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < STREAM.length; at += size) {
      chunks.push(STREAM.subarray(at, at + size), EMPTY);
    }
    assertReads(chunks, `of ${size}`);
  }
});

Deno.test("FrameReader finds the messages in random chunks", () => {
  const random = seededRandom(2);
  for (let i = 0; i < 500; i++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < STREAM.length;) {
      const end = at + Math.floor(random() ** 3 * 60);
      chunks.push(STREAM.subarray(at, end));
      at = end;
    }
    assertReads(chunks, `round ${i}`);
  }
});

Deno.test("FrameReader finds the messages when the chunks' memory is reused", () => {
  for (const size of [1, 4, 7, 64]) {
    const memory = new Uint8Array(size);
    assertReads(
      (function* () {
        for (let at = 0; at < STREAM.length; at += size) {
          const chunk = STREAM.subarray(at, at + size);
          memory.fill(0xee);
          memory.set(chunk);
          yield memory.subarray(0, chunk.length);
        }
      })(),
      `of ${size}`,
    );
  }
});

Deno.test("FrameReader gives each message as soon as it is whole", () => {
  const recorder = new Recorder();
  const reader = new FrameReader(recorder, MIB);
  const ends = new Set<number>();
  let end = 0;
  for (const message of MESSAGES) ends.add(end += 5 + message.length);
  let expected = 0;
  for (let at = 0; at < STREAM.length; at++) {
    reader.push(STREAM.subarray(at, at + 1));
    if (ends.has(at + 1)) expected++;
    assertEquals(recorder.messages.length, expected, `at ${at}`);
  }
});

Deno.test("FrameReader gives a message that lies in one chunk as a view of it", () => {
  const chunk = concat(frame(pattern(3)), frame(EMPTY), frame(pattern(100)));
  const seen: Uint8Array[] = [];
  const receiver = { onFrame: (bytes: Uint8Array) => void seen.push(bytes) };
  new FrameReader(receiver, MIB).push(chunk);
  for (const bytes of seen) assertStrictEquals(bytes.buffer, chunk.buffer);
  assertEquals(seen.map((bytes) => bytes.byteOffset), [5, 13, 18]);

  // Also when only the prefix came before.
  const rest = chunk.slice(5, 8);
  const reader = new FrameReader(receiver, MIB);
  reader.push(chunk.subarray(0, 2));
  reader.push(chunk.subarray(2, 5));
  reader.push(rest);
  assertStrictEquals(seen.at(-1)!.buffer, rest.buffer);
});

Deno.test("FrameReader gives plain views of a Buffer", () => {
  const chunk = Buffer.from(STREAM); // the recorder looks at the class
  assertReads([chunk], "one Buffer");
  assertReads([chunk.subarray(0, 400), chunk.subarray(400)], "two");
  const receiver = {
    onFrame(bytes: Uint8Array) {
      assertStrictEquals(bytes.constructor, Uint8Array);
      assertStrictEquals(bytes.buffer, chunk.buffer);
    },
  };
  new FrameReader(receiver, MIB).push(chunk.subarray(0, 8));
});

Deno.test("FrameReader.truncated tells whether a frame is unfinished", () => {
  const bytes = concat(frame(pattern(3)), frame(EMPTY), frame(pattern(2)));
  const whole = [0, 8, 13, 20];
  for (let end = 0; end <= bytes.length; end++) {
    const expected = !whole.includes(end);
    assertEquals(read([bytes.subarray(0, end)]).truncated, expected, `${end}`);
    const reader = new FrameReader(new Recorder(), MIB);
    for (let at = 0; at < end; at++) reader.push(bytes.subarray(at, at + 1));
    assertEquals(reader.truncated, expected, `${end}, byte by byte`);
  }
});

Deno.test("FrameReader.truncated stays false over empty chunks", () => {
  assertFalse(read([EMPTY, EMPTY]).truncated);
  assertFalse(read([EMPTY, frame(EMPTY), EMPTY]).truncated);
});

Deno.test("FrameReader accepts a message as large as the limit", () => {
  for (const size of [0, 1, 100]) {
    assertEquals(read([frame(pattern(size))], size).messages, [pattern(size)]);
  }
});

/** Every way to split the five bytes of a prefix once, or in single bytes. */
function* splits(bytes: Uint8Array): Generator<Uint8Array[]> {
  for (let at = 0; at <= 5; at++) {
    yield [bytes.subarray(0, at), bytes.subarray(at)];
  }
  yield [...bytes].map((byte) => new Uint8Array([byte]));
}

Deno.test("FrameReader refuses a message larger than the limit before it allocates", () => {
  const cases = [
    [1, 0],
    [4_194_305, 4_194_304],
    [2 ** 31 - 1, 4_194_304],
    [2 ** 31, 4_194_304],
    [2 ** 32 - 1, 4_194_304],
    [2 ** 32 - 1, 2 ** 32 - 2],
  ];
  for (const [size, limit] of cases) {
    for (const chunks of splits(prefix(size!))) {
      const recorder = new Recorder();
      const reader = new FrameReader(recorder, limit!);
      const sizes = allocations(() => {
        const error = assertThrows(() => {
          for (const chunk of chunks) reader.push(chunk);
        }, GRPCError);
        assertEquals(error.status, Status.RESOURCE_EXHAUSTED);
        assertEquals(
          error.message,
          `Received message is too large: ${size} bytes are more than the ${limit} of maxReceiveMessageSize`,
        );
      });
      assertEquals(sizes, []);
      assertEquals(recorder.messages, []);
    }
  }
});

Deno.test("FrameReader refuses flags other than 0 and 1, before the limit", () => {
  for (let flag = 2; flag <= 0xff; flag++) {
    for (const chunks of splits(prefix(2 ** 32 - 1, flag))) {
      const error = assertThrows(() => read(chunks), GRPCError);
      assertEquals(error.status, Status.INTERNAL);
      assertEquals(
        error.message,
        `Received message is malformed: its compressed flag must be 0 or 1, received ${flag}`,
      );
    }
  }
});

Deno.test("FrameReader gives the messages before a fault and nothing behind it", () => {
  const faults = [prefix(0, 2), prefix(2 ** 32 - 1)];
  for (const fault of faults) {
    const recorder = new Recorder();
    const reader = new FrameReader(recorder, MIB);
    const chunk = concat(frame(pattern(3)), fault, frame(pattern(4)));
    assertThrows(() => reader.push(chunk), GRPCError);
    assertEquals(recorder.messages, [pattern(3)]);
    reader.push(frame(pattern(5))); // does nothing, and does not throw
    reader.push(EMPTY);
    reader.push(fault);
    assertEquals(recorder.messages, [pattern(3)]);
  }
});

Deno.test("FrameReader reads no more when the receiver has thrown", () => {
  const fault = new Error("enough");
  let count = 0;
  const reader = new FrameReader({
    onFrame() {
      count++;
      throw fault;
    },
  }, MIB);
  const chunk = concat(frame(pattern(3)), frame(pattern(4)));
  assertStrictEquals(assertThrows(() => reader.push(chunk)), fault);
  reader.push(chunk);
  assertEquals(count, 1);
});

Deno.test("FrameReader assembles a message in memory bounded by what has arrived", () => {
  const message = pattern(3 * MIB);
  const bytes = frame(message);
  for (const size of [1_000, 16_384, 70_000, 1_000_000]) {
    const recorder = new Recorder();
    const reader = new FrameReader(recorder, 4 * MIB);
    let largest = 0;
    let total = 0;
    for (let at = 0; at < bytes.length; at += size) {
      const chunk = bytes.subarray(at, at + size);
      const arrived = at + chunk.length - 5;
      for (const memory of allocations(() => reader.push(chunk))) {
        assert(memory <= Math.max(64 * KIB, 2 * arrived), `${memory}`);
        assert(memory <= message.length, `${memory}`);
        largest = Math.max(largest, memory);
        total += memory;
      }
    }
    assertEquals(recorder.messages, [message]);
    assertEquals(largest, message.length);
    // Each growth doubles, so that copying costs no more than twice the message.
    assert(total <= 3 * message.length, `${total}`);
  }
});

Deno.test("FrameReader allocates a small message once, and only its length", () => {
  for (const size of [2, 1_000, 64 * KIB]) {
    const bytes = frame(pattern(size));
    const reader = new FrameReader(new Recorder(), MIB);
    const sizes = allocations(() => {
      for (let at = 0; at < bytes.length; at += 500) {
        const end = size === 2 ? at + 6 : at + 500;
        reader.push(bytes.subarray(at, end));
        if (size === 2) reader.push(bytes.subarray(end));
      }
    });
    assertEquals(sizes, [size]);
  }
});

Deno.test("FrameReader allocates nothing for a prefix without a message", () => {
  const reader = new FrameReader(new Recorder(), 2 ** 32 - 1);
  const head = prefix(2 ** 32 - 1);
  const byte = pattern(1);
  assertEquals(allocations(() => reader.push(head)), []);
  assertEquals(allocations(() => reader.push(byte)), [64 * KIB]);
});

Deno.test("FrameReader reads large messages in a row", () => {
  const messages = [pattern(200_000), pattern(65_536), pattern(100_001)];
  const bytes = concat(...messages.map((message) => frame(message)));
  for (const size of [16_384, 65_536, 99_999]) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      chunks.push(bytes.subarray(at, at + size));
    }
    assertEquals(read(chunks).messages, messages);
  }
});

Deno.test("FrameReader gives each assembled message memory of its own", () => {
  const seen: Uint8Array[] = [];
  const reader = new FrameReader(
    { onFrame: (bytes) => void seen.push(bytes) },
    MIB,
  );
  const chunks = [1, 2, 3].flatMap((fill) => {
    const bytes = frame(new Uint8Array(50).fill(fill));
    return [bytes.subarray(0, 20), bytes.subarray(20)];
  });
  for (const chunk of chunks) reader.push(chunk);
  assertEquals(seen.map((bytes) => new Set(bytes)), [
    new Set([1]),
    new Set([2]),
    new Set([3]),
  ]);
});

Deno.test("FrameReader reads what FrameWriter writes", () => {
  const writer = new FrameWriter();
  const messages = SIZES.map(pattern);
  const chunks = messages.map((message, i) =>
    writer.frame(CODECS[i % CODECS.length]![1], message, null, Infinity)
  );
  assertEquals(read(chunks).messages, messages);
  assertEquals(read([concat(...chunks.slice(0, 12))]).messages.length, 12);
});

Deno.test("FrameWriter.frame() refuses what is no Uint8Array, and goes on", () => {
  const writer = new FrameWriter();
  const codec = (encode: () => unknown): Codec => ({
    contentSubtype: "any",
    encode: encode as () => Uint8Array,
    decode: (bytes) => bytes,
  });
  const promising = codec(() => Promise.resolve(new Uint8Array(3)));
  assertThrows(() => writer.frame(promising, 0, 0, 100), TypeError, "codec");
  const good = codec(() => Uint8Array.of(7));
  assertEquals([...writer.frame(good, 0, 0, 100)], [0, 0, 0, 0, 1, 7]);
});

Deno.test("FrameReader tells of the memory that it sets aside for a message, and gives it on with it", () => {
  let held = 0;
  let most = 0;
  const taken: number[] = [];
  const reader = new FrameReader({
    onFrame: (bytes) => void taken.push(bytes.length, held),
    onAssembly(bytes) {
      held += bytes;
      most = Math.max(most, held);
    },
  }, MIB);
  const bytes = frame(pattern(300 * KIB));
  for (let at = 0; at < bytes.length; at += 16 * KIB) {
    reader.push(bytes.subarray(at, at + 16 * KIB));
    if (held > 0) assert(held >= reader.assembledBytes);
  }
  assertEquals(taken, [300 * KIB, 0]);
  assertEquals([most, held, reader.assembledBytes], [300 * KIB, 0, 0]);
});

Deno.test("FrameReader.stop() reads no more, even of what is being read, and drops the rest", () => {
  const taken: number[] = [];
  const reader: FrameReader = new FrameReader({
    onFrame(bytes) {
      taken.push(bytes.length);
      if (bytes.length === 2) reader.stop();
    },
  }, MIB);
  reader.push(frame(new Uint8Array(1)));
  reader.push(concat(frame(new Uint8Array(2)), prefix(9), new Uint8Array(3)));
  reader.push(new Uint8Array(6));
  reader.push(frame(new Uint8Array(3)));
  assertEquals(taken, [1, 2]);
  assertEquals(reader.assembledBytes, 0);
});
