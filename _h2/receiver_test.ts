import { assertEquals } from "@std/assert";
import { EngineEnd, Random } from "../_testdata/engine_end.ts";
import {
  anyFrame,
  CLIENT_HELLO,
  cutHeaders,
  data,
  goaway,
  headers,
  ping,
  REQUEST,
  REQUEST_WORDS,
  RESPONSE,
  rst,
  SERVER_HELLO,
  settings,
  SETTINGS_ACK,
  TRAILERS,
  windowUpdate,
} from "../_testdata/frame_words.ts";
import { FrameType, PREFACE } from "../_testdata/raw_frames.ts";

/** What an engine makes of frames. */
interface Case {
  /** What the peer does, for the name of the test. */
  readonly when: string;
  /** The frames, after the beginning of the connection. */
  readonly frames: readonly Uint8Array[];
  /** What the owner is told. */
  readonly told?: readonly string[];
  /** What is sent. */
  readonly sent?: readonly string[];
}

const TOLD_REQUEST = `request 1 ${REQUEST_WORDS}`;
const MALFORMED = "violation 1 PROTOCOL_ERROR: Malformed message:";
const GOAWAY = (code: string, last = 0) => [`GOAWAY ${last} ${code}`];
const RST = (code: string, id = 1) => [`RST_STREAM ${id} ${code}`];
const OPEN = headers(1, REQUEST);
const OPEN_END = headers(1, REQUEST, { end: true });

/** A connection error, after the stream 1 was opened. */
function failure(code: string, message: string): Partial<Case> {
  return {
    told: [
      TOLD_REQUEST,
      `violation ${code}: ${message}`,
      `close 1 connection ${code}`,
    ],
    sent: GOAWAY(code, 1),
  };
}

const SERVER: readonly Case[] = [
  {
    when: "a request ends with HEADERS",
    frames: [OPEN_END],
    told: [`${TOLD_REQUEST} end`],
  },
  {
    when: "a request has DATA and trailers",
    frames: [OPEN, data(1, "abc"), headers(1, TRAILERS, { end: true })],
    told: [TOLD_REQUEST, "data 1 abc", "end 1 grpc-status=0"],
  },
  {
    when: "DATA ends the request",
    frames: [OPEN, data(1, "a"), data(1, "b", { end: true })],
    told: [TOLD_REQUEST, "data 1 ab", "end 1"],
  },
  {
    when: "an empty DATA frame ends the request",
    frames: [OPEN, data(1, "", { end: true })],
    told: [TOLD_REQUEST, "end 1"],
  },
  {
    when: "frames are padded",
    frames: [
      headers(1, REQUEST, { padding: 255, priority: true }),
      data(1, "abc", { padding: 200 }),
      data(1, "", { padding: 0, end: true }),
    ],
    told: [TOLD_REQUEST, "data 1 abc", "end 1"],
  },
  {
    when: "a field block is cut, once within nothing",
    frames: cutHeaders(1, REQUEST, { cuts: [0, 1, 1, 20], end: true }),
    told: [`${TOLD_REQUEST} end`],
  },
  {
    when: "streams are skipped",
    frames: [headers(7, REQUEST), headers(9, REQUEST)],
    told: [`request 7 ${REQUEST_WORDS}`, `request 9 ${REQUEST_WORDS}`],
  },

  // 3.4, 6.5: the beginning
  {
    when: "the peer sends a PING",
    frames: [ping("abcdefgh")],
    told: ["ping"],
    sent: ["PING ACK abcdefgh"],
  },
  {
    when: "a reply to no PING comes",
    frames: [ping("abcdefgh", true)],
  },
  {
    when: "unknown frames, PRIORITY and PRIORITY_UPDATE come",
    frames: [
      OPEN,
      anyFrame(0x10, 0, { bytes: 9 }),
      anyFrame(0xfe, 1, { bytes: 20_000 - 4_000, flags: 0xff }),
      anyFrame(FrameType.PRIORITY, 1, { bytes: 5 }),
      anyFrame(FrameType.PRIORITY, 77, { bytes: 5 }),
      anyFrame(0xaa, 3),
      data(1, "x"),
    ],
    told: [TOLD_REQUEST, "data 1 x"],
  },

  // 4.2, 6: sizes, and streams where none belong
  {
    when: "a frame is larger than allowed",
    frames: [OPEN, anyFrame(FrameType.DATA, 1, { bytes: 16_385 })],
    ...failure(
      "FRAME_SIZE_ERROR",
      "DATA of 16385 bytes, more than allowed",
    ),
  },
  ...([
    [FrameType.RST_STREAM, 1, 3],
    [FrameType.RST_STREAM, 1, 5],
    [FrameType.SETTINGS, 0, 5],
    [FrameType.PING, 0, 7],
    [FrameType.PING, 0, 9],
    [FrameType.GOAWAY, 0, 7],
    [FrameType.WINDOW_UPDATE, 0, 3],
    [FrameType.WINDOW_UPDATE, 1, 5],
  ] as const).map(([type, streamId, bytes]): Case => {
    const name = Object.keys(FrameType)[type]!;
    return {
      when: `${name} has ${bytes} bytes`,
      frames: [OPEN, anyFrame(type, streamId, { bytes })],
      ...failure(
        "FRAME_SIZE_ERROR",
        `${name} of a length that it cannot have`,
      ),
    };
  }),
  {
    when: "SETTINGS with ACK have a payload",
    frames: [OPEN, anyFrame(FrameType.SETTINGS, 0, { flags: 1, bytes: 6 })],
    ...failure("FRAME_SIZE_ERROR", "SETTINGS of a length that it cannot have"),
  },
  {
    when: "HEADERS are too short for their priority",
    frames: [OPEN, anyFrame(FrameType.HEADERS, 3, { flags: 0x24, bytes: 4 })],
    ...failure("FRAME_SIZE_ERROR", "HEADERS of a length that it cannot have"),
  },
  {
    when: "DATA is too short for the length of its padding",
    frames: [OPEN, anyFrame(FrameType.DATA, 1, { flags: 0x8 })],
    ...failure("FRAME_SIZE_ERROR", "DATA of a length that it cannot have"),
  },
  {
    when: "PRIORITY has four bytes",
    frames: [OPEN, anyFrame(FrameType.PRIORITY, 1, { bytes: 4 })],
    told: [TOLD_REQUEST, "close 1 violation FRAME_SIZE_ERROR"],
    sent: RST("FRAME_SIZE_ERROR"),
  },
  {
    when: "PRIORITY has four bytes, on a stream that is not open",
    frames: [OPEN, anyFrame(FrameType.PRIORITY, 3, { bytes: 4 })],
    ...failure("FRAME_SIZE_ERROR", "PRIORITY of 4 bytes"),
  },
  ...([
    [FrameType.DATA, 0],
    [FrameType.HEADERS, 0],
    [FrameType.PRIORITY, 5],
    [FrameType.RST_STREAM, 4],
    [FrameType.PUSH_PROMISE, 4],
    [FrameType.CONTINUATION, 0],
  ] as const).map(([type, bytes]): Case => {
    const name = Object.keys(FrameType)[type]!;
    const isFirst = type === FrameType.CONTINUATION;
    return {
      when: `${name} has no stream`,
      frames: [OPEN, anyFrame(type, 0, { bytes, flags: 0x4 })],
      ...failure(
        "PROTOCOL_ERROR",
        isFirst ? "CONTINUATION without a stream" : `${name} without a stream`,
      ),
    };
  }),
  ...([
    [FrameType.SETTINGS, 0],
    [FrameType.PING, 8],
    [FrameType.GOAWAY, 8],
  ] as const).map(([type, bytes]): Case => {
    const name = Object.keys(FrameType)[type]!;
    return {
      when: `${name} has a stream`,
      frames: [OPEN, anyFrame(type, 1, { bytes })],
      ...failure("PROTOCOL_ERROR", `${name} on a stream`),
    };
  }),

  // 5.1: states
  ...([
    ["DATA", data(1, "x")],
    ["RST_STREAM", rst(1, 8)],
    ["WINDOW_UPDATE", windowUpdate(1, 1)],
  ] as const).map(([name, bytes]): Case => ({
    when: `${name} comes on an idle stream`,
    frames: [bytes],
    told: [
      `violation PROTOCOL_ERROR: ${name} on stream 1, which is not open`,
    ],
    sent: GOAWAY("PROTOCOL_ERROR"),
  })),
  {
    when: "a client uses an even stream",
    frames: [headers(2, REQUEST)],
    told: [
      "violation PROTOCOL_ERROR: HEADERS on stream 2, which is not open",
    ],
    sent: GOAWAY("PROTOCOL_ERROR"),
  },
  {
    when: "a skipped stream is opened after all",
    frames: [headers(5, REQUEST), headers(3, REQUEST)],
    told: [
      `request 5 ${REQUEST_WORDS}`,
      "violation PROTOCOL_ERROR: HEADERS on stream 3, which is not open",
      "close 5 connection PROTOCOL_ERROR",
    ],
    sent: GOAWAY("PROTOCOL_ERROR", 5),
  },
  {
    when: "DATA comes after the end",
    frames: [OPEN_END, data(1, "x")],
    told: [`${TOLD_REQUEST} end`, "close 1 violation STREAM_CLOSED"],
    sent: RST("STREAM_CLOSED"),
  },
  {
    when: "HEADERS come after the end",
    frames: [OPEN_END, headers(1, TRAILERS, { end: true })],
    told: [`${TOLD_REQUEST} end`, "close 1 violation STREAM_CLOSED"],
    sent: RST("STREAM_CLOSED"),
  },
  {
    when: "WINDOW_UPDATE, PRIORITY and RST_STREAM come after the end",
    frames: [
      OPEN_END,
      windowUpdate(1, 1),
      anyFrame(FrameType.PRIORITY, 1, { bytes: 5 }),
      rst(1, 8),
    ],
    told: [`${TOLD_REQUEST} end`, "close 1 reset CANCEL"],
  },
  {
    when: "HEADERS and DATA come after the peer's reset",
    frames: [OPEN, rst(1, 8), data(1, "x"), headers(1, TRAILERS)],
    told: [
      TOLD_REQUEST,
      "close 1 reset CANCEL",
      "violation 1 STREAM_CLOSED: DATA after the end",
    ],
    sent: RST("STREAM_CLOSED"),
  },
  {
    when: "WINDOW_UPDATE and RST_STREAM come after the peer's reset",
    frames: [OPEN, rst(1, 8), windowUpdate(1, 1), rst(1, 8)],
    told: [TOLD_REQUEST, "close 1 reset CANCEL"],
  },
  {
    when: "a malformed request goes on",
    frames: [
      headers(1, [[":method", "GET"]]),
      data(1, "x"),
      headers(1, TRAILERS, { end: true }),
      rst(1, 8),
    ],
    told: [`${MALFORMED} ":scheme" is missing`],
    sent: RST("PROTOCOL_ERROR"),
  },

  // 6.2, 6.10: field blocks
  {
    when: "another frame interrupts a field block",
    frames: [OPEN, cutHeaders(3, REQUEST, { cuts: [9] })[0]!, ping()],
    ...failure("PROTOCOL_ERROR", "PING within a field block"),
  },
  {
    when: "an unknown frame interrupts a field block",
    frames: [OPEN, cutHeaders(3, REQUEST, { cuts: [9] })[0]!, anyFrame(99, 3)],
    ...failure(
      "PROTOCOL_ERROR",
      "frame of type 0x63 within a field block",
    ),
  },
  {
    when: "a field block goes on on another stream",
    frames: [
      OPEN,
      cutHeaders(3, REQUEST, { cuts: [9] })[0]!,
      cutHeaders(5, REQUEST, { cuts: [9] })[1]!,
    ],
    ...failure("PROTOCOL_ERROR", "CONTINUATION within a field block"),
  },
  {
    when: "CONTINUATION continues nothing",
    frames: [OPEN, cutHeaders(1, REQUEST, { cuts: [9] })[1]!],
    ...failure("PROTOCOL_ERROR", "CONTINUATION that continues nothing"),
  },
  {
    when: "a field block cannot be decoded",
    frames: [
      OPEN,
      anyFrame(FrameType.HEADERS, 3, { flags: 0x4, bytes: 1 }).fill(0x80, 9),
    ],
    ...failure(
      "COMPRESSION_ERROR",
      "Cannot decode header block: a field has index 0",
    ),
  },
  {
    when: "HEADERS have more padding than payload",
    frames: [
      OPEN,
      anyFrame(FrameType.HEADERS, 3, { flags: 0xc, bytes: 3 }).fill(3, 9),
    ],
    ...failure(
      "PROTOCOL_ERROR",
      "HEADERS with more padding than there is room for",
    ),
  },
  {
    when: "DATA has as much padding as payload",
    frames: [
      OPEN,
      anyFrame(FrameType.DATA, 1, { flags: 0x8, bytes: 3 }).fill(3, 9),
    ],
    ...failure(
      "PROTOCOL_ERROR",
      "DATA with more padding than there is room for",
    ),
  },

  // 6.5: settings
  {
    when: "SETTINGS change",
    frames: [settings([3, 7], [0xff, 9])],
    told: ["settings"],
    sent: ["SETTINGS ACK"],
  },
  {
    when: "nothing is acknowledged",
    frames: [OPEN, SETTINGS_ACK],
    ...failure(
      "PROTOCOL_ERROR",
      "SETTINGS with ACK that acknowledges nothing",
    ),
  },
  ...([
    [2, 2, "PROTOCOL_ERROR", "ENABLE_PUSH"],
    [4, 0x8000_0000, "FLOW_CONTROL_ERROR", "INITIAL_WINDOW_SIZE"],
    [5, 16_383, "PROTOCOL_ERROR", "MAX_FRAME_SIZE"],
    [5, 16_777_216, "PROTOCOL_ERROR", "MAX_FRAME_SIZE"],
  ] as const).map(([id, value, code, name]): Case => ({
    when: `SETTINGS have ${name} ${value}`,
    frames: [OPEN, settings([id, value])],
    ...failure(code, `SETTINGS with ${name} ${value}`),
  })),
  {
    when: "SETTINGS make a window too large",
    frames: [OPEN, windowUpdate(1, 0x7fff_0000), settings([4, 65_536])],
    ...failure(
      "FLOW_CONTROL_ERROR",
      "SETTINGS that make a window larger than windows can be",
    ),
    sent: ["SETTINGS ACK", ...GOAWAY("FLOW_CONTROL_ERROR", 1)],
  },

  // 6.6, 6.8, 6.9
  {
    when: "a client pushes",
    frames: [OPEN, anyFrame(FrameType.PUSH_PROMISE, 1, { bytes: 4 })],
    ...failure("PROTOCOL_ERROR", "PUSH_PROMISE, which was refused"),
  },
  {
    when: "the peer leaves in two steps",
    frames: [OPEN, goaway(0x7fff_ffff), goaway(0, 2, "bye")],
    told: [
      TOLD_REQUEST,
      "goaway 2147483647 NO_ERROR",
      "goaway 0 INTERNAL_ERROR bye",
    ],
  },
  {
    when: "a second GOAWAY has a larger stream",
    frames: [OPEN, goaway(1), goaway(3)],
    told: [
      TOLD_REQUEST,
      "goaway 1 NO_ERROR",
      "violation PROTOCOL_ERROR: GOAWAY with last stream 3, after one with 1",
      "close 1 connection PROTOCOL_ERROR",
    ],
    sent: GOAWAY("PROTOCOL_ERROR", 1),
  },
  {
    when: "a window is updated by nothing",
    frames: [OPEN, windowUpdate(1, 0)],
    told: [TOLD_REQUEST, "close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "the window of the connection is updated by nothing",
    frames: [OPEN, windowUpdate(0, 0)],
    ...failure("PROTOCOL_ERROR", "WINDOW_UPDATE of 0 for the connection"),
  },
  {
    when: "a window becomes too large",
    frames: [OPEN, windowUpdate(1, 0x7fff_ffff)],
    told: [TOLD_REQUEST, "close 1 violation FLOW_CONTROL_ERROR"],
    sent: RST("FLOW_CONTROL_ERROR"),
  },
  {
    when: "the window of the connection becomes too large",
    frames: [OPEN, windowUpdate(0, 0x7fff_ffff)],
    ...failure(
      "FLOW_CONTROL_ERROR",
      "WINDOW_UPDATE of 2147483647 for the connection",
    ),
  },

  // 8.1: messages
  {
    when: "trailers do not end the stream",
    frames: [OPEN, headers(1, TRAILERS)],
    told: [TOLD_REQUEST, "close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "trailers have control data",
    frames: [OPEN, headers(1, RESPONSE, { end: true })],
    told: [TOLD_REQUEST, "close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "there is more DATA than content-length",
    frames: [
      headers(1, [...REQUEST, ["content-length", "3"]]),
      data(1, "ab"),
      data(1, "cd"),
    ],
    told: [
      `${TOLD_REQUEST} content-length=3`,
      "data 1 ab",
      "close 1 violation PROTOCOL_ERROR",
    ],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "there is less DATA than content-length",
    frames: [
      headers(1, [...REQUEST, ["content-length", "3"]]),
      data(1, "ab", { end: true }),
    ],
    told: [
      `${TOLD_REQUEST} content-length=3`,
      "data 1 ab",
      "close 1 violation PROTOCOL_ERROR",
    ],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "there is less DATA than content-length, and trailers",
    frames: [
      headers(1, [...REQUEST, ["content-length", "3"]]),
      headers(1, TRAILERS, { end: true }),
    ],
    told: [
      `${TOLD_REQUEST} content-length=3`,
      "close 1 violation PROTOCOL_ERROR",
    ],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "there is no DATA, but content-length",
    frames: [headers(1, [...REQUEST, ["content-length", "3"]], { end: true })],
    told: [`${MALFORMED} less DATA than "content-length"`],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "there is as much DATA as content-length, and padding",
    frames: [
      headers(1, [...REQUEST, ["content-length", "3"]]),
      data(1, "ab", { padding: 9 }),
      data(1, "c", { end: true }),
    ],
    told: [`${TOLD_REQUEST} content-length=3`, "data 1 abc", "end 1"],
  },
];

/** The client has sent a request without an end on the stream 1. */
const CLIENT: readonly Case[] = [
  {
    when: "a response comes",
    frames: [
      headers(1, RESPONSE),
      data(1, "abc"),
      headers(1, TRAILERS, { end: true }),
    ],
    told: ["headers 1 :status=200", "data 1 abc", "end 1 grpc-status=0"],
  },
  {
    when: "a response is HEADERS alone",
    frames: [headers(1, RESPONSE, { end: true })],
    told: ["headers 1 :status=200 end"],
  },
  {
    when: "interim responses come first",
    frames: [
      headers(1, [[":status", "100"]]),
      headers(1, [[":status", "103"], ["link", "x"]]),
      headers(1, RESPONSE, { end: true }),
    ],
    told: [
      "interim 1 :status=100",
      "interim 1 :status=103 link=x",
      "headers 1 :status=200 end",
    ],
  },
  {
    when: "an interim response ends the stream",
    frames: [headers(1, [[":status", "100"]], { end: true })],
    told: ["close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "the status is 101",
    frames: [headers(1, [[":status", "101"]])],
    told: ["close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "DATA comes before HEADERS",
    frames: [data(1, "abc")],
    told: ["close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "DATA comes after an interim response",
    frames: [headers(1, [[":status", "100"]]), data(1, "abc")],
    told: ["interim 1 :status=100", "close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "a response is a request",
    frames: [headers(1, REQUEST)],
    told: ["close 1 violation PROTOCOL_ERROR"],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "a response is empty, as 204 may be whatever it says",
    frames: [
      headers(1, [[":status", "204"], ["content-length", "9"]], { end: true }),
    ],
    told: ["headers 1 :status=204 content-length=9 end"],
  },
  {
    when: "a response of 304 is not empty",
    frames: [
      headers(1, [[":status", "304"], ["content-length", "9"]]),
      data(1, "123456789"),
    ],
    told: [
      "headers 1 :status=304 content-length=9",
      "close 1 violation PROTOCOL_ERROR",
    ],
    sent: RST("PROTOCOL_ERROR"),
  },
  {
    when: "the peer refuses the stream",
    frames: [rst(1, 7)],
    told: ["close 1 reset REFUSED_STREAM unprocessed"],
  },
  {
    when: "the peer resets the stream with a code that nobody knows",
    frames: [rst(1, 0x1234)],
    told: ["close 1 reset error 0x1234"],
  },
  {
    when: "the peer answers and resets the rest of the request",
    frames: [headers(1, RESPONSE, { end: true }), rst(1, 0)],
    told: ["headers 1 :status=200 end", "close 1 reset NO_ERROR"],
  },
  {
    when: "the peer leaves and has not processed the stream",
    frames: [goaway(0), rst(1, 8), data(1, "x"), headers(1, RESPONSE)],
    told: ["goaway 0 NO_ERROR", "close 1 goaway NO_ERROR unprocessed"],
  },
  {
    when: "the peer leaves and processes the stream",
    frames: [goaway(1), headers(1, RESPONSE, { end: true })],
    told: ["goaway 1 NO_ERROR", "headers 1 :status=200 end"],
  },
  {
    when: "a server pushes",
    frames: [anyFrame(FrameType.PUSH_PROMISE, 1, { bytes: 4 })],
    told: [
      "violation PROTOCOL_ERROR: PUSH_PROMISE, which was refused",
      "close 1 connection PROTOCOL_ERROR",
    ],
    sent: GOAWAY("PROTOCOL_ERROR"),
  },
  {
    when: "a server wants to be pushed to",
    frames: [settings([2, 1])],
    told: [
      "violation PROTOCOL_ERROR: SETTINGS with ENABLE_PUSH 1",
      "close 1 connection PROTOCOL_ERROR",
    ],
    sent: GOAWAY("PROTOCOL_ERROR"),
  },
  ...[2, 3].map((id): Case => ({
    when: `HEADERS come on stream ${id}, which the client has not opened`,
    frames: [headers(id, RESPONSE)],
    told: [
      `violation PROTOCOL_ERROR: HEADERS on stream ${id}, which is not open`,
      "close 1 connection PROTOCOL_ERROR",
    ],
    sent: GOAWAY("PROTOCOL_ERROR"),
  })),
];

function server(): EngineEnd {
  const end = new EngineEnd({ role: "server" });
  end.receive(...CLIENT_HELLO);
  end.frames();
  end.told();
  return end;
}

function client(): EngineEnd {
  const end = new EngineEnd({ role: "client" });
  end.receive(...SERVER_HELLO);
  end.request(REQUEST.flat());
  end.frames();
  end.told();
  return end;
}

function check(end: EngineEnd, { told = [], sent = [] }: Case): void {
  assertEquals(end.told(), told);
  assertEquals(end.frames(), sent);
  assertEquals(end.connection.isOver, sent.some((x) => x.startsWith("GOAWAY")));
}

for (
  const [role, make, cases] of [
    ["server", server, SERVER],
    ["client", client, CLIENT],
  ] as const
) {
  for (const test of cases) {
    Deno.test(`Http2Connection.receive() as a ${role} when ${test.when}`, () => {
      const end = make();
      end.receive(...test.frames);
      check(end, test);
    });
  }

  Deno.test(`Http2Connection.receive() as a ${role} tells the same when the bytes are cut anywhere`, () => {
    const random = new Random(1);
    for (const test of cases) {
      const all = concatAll(test.frames);
      for (let round = 0; round < 5; round++) {
        const end = make();
        const most = random.pick([1, 2, 9, 30, 5_000]);
        for (let at = 0; at < all.length;) {
          const size = 1 + random.below(most);
          end.receive(all.slice(at, at + size));
          at += size;
        }
        check(end, test);
      }
    }
  });
}

function concatAll(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

Deno.test("Http2Connection.receive() refuses what is not HTTP/2 when it is a server", () => {
  const texts = ["GET / HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rx", "x"];
  for (const text of texts) {
    const end = new EngineEnd({ role: "server" });
    end.receive(new TextEncoder().encode(text));
    assertEquals(end.told(), [
      "violation PROTOCOL_ERROR: " +
      "Connection does not begin with the preface of HTTP/2",
    ]);
  }
});

Deno.test("Http2Connection.receive() refuses other frames when SETTINGS should be first", () => {
  const server = new EngineEnd({ role: "server" });
  server.receive(PREFACE, ping());
  assertEquals(server.told(), [
    "violation PROTOCOL_ERROR: PING before SETTINGS",
  ]);
  const client = new EngineEnd({ role: "client" });
  client.receive(SETTINGS_ACK);
  assertEquals(client.told(), [
    "violation PROTOCOL_ERROR: SETTINGS before SETTINGS",
  ]);
});
