import { assert, assertEquals } from "@std/assert";
import { connectedEnds, EngineEnd, exchange } from "../_testdata/engine_end.ts";
import {
  anyFrame,
  CLIENT_HELLO,
  cutHeaders,
  data,
  headers,
  ping,
  REQUEST,
  RESPONSE,
  rst,
  settings,
  windowUpdate,
} from "../_testdata/frame_words.ts";
import { FrameType } from "../_testdata/raw_frames.ts";
import { Budget, DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { ErrorCode } from "./mod.ts";

const HEAD = REQUEST.flat();
const OK = RESPONSE.flat();
const FEW = { burst: 10, perSecond: 5 };

/** A server with some limits, whose output is written at once. */
function server(limits: Partial<Limits> = {}): EngineEnd {
  const end = new EngineEnd({
    role: "server",
    settings: { maxConcurrentStreams: 5 },
    limits,
  });
  end.receive(...CLIENT_HELLO);
  end.frames();
  end.told();
  return end;
}

/**
 * Gives frames until the engine has had enough.
 *
 * @returns How many it took, or `Infinity`, and what the last frame was.
 */
function flood(
  end: EngineEnd,
  make: (count: number) => Uint8Array | readonly Uint8Array[],
  options: { reads?: boolean } = {},
): [count: number, last: string | undefined] {
  const { reads = true } = options;
  for (let count = 0; count < 30_000; count++) {
    const frames = make(count);
    end.receive(...frames instanceof Uint8Array ? [frames] : frames);
    if (end.connection.isOver) return [count, end.frames().at(-1)];
    if (reads) end.take();
  }
  return [Infinity, end.frames().at(-1)];
}

const CALM = "GOAWAY 0 ENHANCE_YOUR_CALM";
const OPEN = headers(1, REQUEST);

/** Floods, by the budget that they use up. */
const FLOODS: readonly {
  readonly attack: string;
  readonly limit: keyof Limits;
  readonly frames: (count: number) => Uint8Array | readonly Uint8Array[];
  /** How many of the budget each takes. */
  readonly each?: number;
}[] = [
  {
    attack: "PINGs (CVE-2019-9512)",
    limit: "pings",
    frames: () => ping(),
  },
  {
    attack: "SETTINGS (CVE-2019-9515)",
    limit: "settings",
    frames: () => settings(),
  },
  {
    attack: "SETTINGS with hundreds of settings",
    limit: "settings",
    frames: () => settings(...new Array(400).fill([3, 1])),
    each: 5,
  },
  {
    attack: "WINDOW_UPDATE on the connection",
    limit: "windowUpdates",
    frames: () => windowUpdate(0, 1),
  },
  {
    attack: "WINDOW_UPDATE on a stream",
    limit: "windowUpdates",
    frames: () => windowUpdate(1, 1),
  },
  {
    attack: "empty DATA (CVE-2019-9518)",
    limit: "emptyFrames",
    frames: () => data(1, ""),
  },
  {
    attack: "padded empty DATA",
    limit: "emptyFrames",
    frames: () => data(1, "", { padding: 9 }),
  },
  {
    attack: "PRIORITY (CVE-2019-9513)",
    limit: "ignoredFrames",
    frames: (i) => anyFrame(FrameType.PRIORITY, 2 * i + 1, { bytes: 5 }),
  },
  {
    attack: "unknown frames",
    limit: "ignoredFrames",
    frames: () => anyFrame(0xff, 0),
  },
  {
    attack: "answers to PINGs that nobody sent",
    limit: "ignoredFrames",
    frames: () => ping("12345678", true),
  },
  {
    attack: "RST_STREAM of one stream that is closed",
    limit: "ignoredFrames",
    frames: () => rst(1, 8),
  },
  {
    attack: "streams that are reset (CVE-2023-44487)",
    limit: "resets",
    frames: (i) => [headers(2 * i + 3, REQUEST), rst(2 * i + 3, 8)],
  },
  {
    attack: "malformed requests (CVE-2019-9514)",
    limit: "resets",
    frames: (i) => headers(2 * i + 3, [[":method", "GET"]]),
  },
  {
    attack: "requests whose stream it makes this side reset (CVE-2025-8671)",
    limit: "resets",
    frames: (i) => [
      headers(2 * i + 3, REQUEST, { end: true }),
      windowUpdate(2 * i + 3, 0),
    ],
  },
  {
    attack: "requests whose window overflows (CVE-2025-8671)",
    limit: "resets",
    frames: (i) => [
      headers(2 * i + 3, REQUEST, { end: true }),
      windowUpdate(2 * i + 3, 0x7fff_ffff),
    ],
  },
  {
    attack: "requests that go on after their end (CVE-2025-8671)",
    limit: "resets",
    frames: (i) => [
      headers(2 * i + 3, REQUEST, { end: true }),
      data(2 * i + 3, "x"),
    ],
  },
];

for (const { attack, limit, frames, each = 1 } of FLOODS) {
  Deno.test(`Http2Connection() ends when a peer floods it with ${attack}`, () => {
    const end = server({ [limit]: FEW });
    end.receive(OPEN);
    if (attack.includes("one stream that is closed")) end.receive(rst(1, 8));
    end.take();
    const [count, last] = flood(end, frames);
    // The connection began with one.
    const left = limit === "settings" ? 9 : 10;
    assertEquals(count, Math.floor(left / each));
    assert(last!.endsWith("ENHANCE_YOUR_CALM"), last);
    assert(end.told().some((x) => x.startsWith("violation ENHANCE_YOUR_CALM")));
  });

  Deno.test(`Http2Connection() goes on when there is time between ${attack}`, () => {
    const end = server({ [limit]: FEW });
    end.receive(OPEN);
    if (attack.includes("one stream that is closed")) end.receive(rst(1, 8));
    const [count] = flood(end, (i) => {
      end.now += 200 * each;
      return i < 1000 ? frames(i) : [];
    });
    assertEquals(count, Infinity);
  });

  Deno.test(`Http2Connection() has a default limit for ${attack}`, () => {
    const end = server();
    end.receive(OPEN);
    if (attack.includes("one stream that is closed")) end.receive(rst(1, 8));
    const [count] = flood(end, frames);
    const { burst } = DEFAULT_LIMITS[limit] as { burst: number };
    assert(count <= burst + 5 && count >= burst / each - 1, `${count} frames`);
  });
}

Deno.test("Budget.take() gives what time gives back, up to the burst", () => {
  const budget = new Budget({ burst: 3, perSecond: 2 });
  const take = (now: number): boolean => budget.take(1, now);
  assertEquals([0, 0, 0].map(take), [true, true, true]);
  assertEquals(take(500), true);
  assertEquals(take(500), false);
  const later = new Budget({ burst: 3, perSecond: 2 });
  for (let i = 0; i < 3; i++) later.take(1, 0);
  assertEquals([9e6, 9e6, 9e6, 9e6].map((now) => later.take(1, now)), [
    ...[true, true, true, false],
  ]);
});

Deno.test("Budget.take() counts no time in which nothing was taken", () => {
  const budget = new Budget({ burst: 2, perSecond: 1 });
  // It was full until now.
  assertEquals([9e6, 9e6, 9e6].map((now) => budget.take(1, now)), [
    ...[true, true, false],
  ]);
});

Deno.test("Budget.giveBack() never makes more than the burst", () => {
  const budget = new Budget({ burst: 2, perSecond: 0 });
  budget.giveBack(5);
  budget.take(1, 0);
  budget.giveBack(1);
  assertEquals([0, 0, 0].map((now) => budget.take(1, now)), [
    ...[true, true, false],
  ]);
});

Deno.test("Http2Connection() refuses streams beyond the limit, and does not blame clients that do not know it", () => {
  const limits = { resets: FEW };
  const unaware = new EngineEnd({
    role: "server",
    settings: { maxConcurrentStreams: 5 },
    limits,
  });
  unaware.receive(...CLIENT_HELLO.slice(0, 2));
  const [count] = flood(
    unaware,
    (i) => i < 500 ? headers(2 * i + 1, REQUEST) : [],
  );
  assertEquals(count, Infinity);
  assertEquals(unaware.connection.streamCount, 5);
  const aware = server(limits);
  assertEquals(flood(aware, (i) => headers(2 * i + 1, REQUEST)), [
    15,
    "GOAWAY 9 ENHANCE_YOUR_CALM",
  ]);
});

Deno.test("Http2Connection() sends REFUSED_STREAM for streams beyond the limit", () => {
  const end = server();
  for (let id = 1; id < 15; id += 2) end.receive(headers(id, REQUEST));
  assertEquals(end.frames(), [
    "RST_STREAM 11 REFUSED_STREAM",
    "RST_STREAM 13 REFUSED_STREAM",
  ]);
  assertEquals(end.told().slice(-1), [
    "violation 13 REFUSED_STREAM: More streams than allowed",
  ]);
});

Deno.test("Http2Connection() does not count resets of answered streams, nor excused ones", () => {
  const end = server({ resets: { burst: 3, perSecond: 0 } });
  const [answered] = flood(end, (i) => {
    if (i >= 100) return [];
    end.receive(headers(2 * i + 1, REQUEST));
    end.streams.get(2 * i + 1)!.sendHeaders(OK, [], true);
    return rst(2 * i + 1, 0);
  });
  assertEquals(answered, Infinity);
  end.on.close = () => end.connection.excuseReset();
  const [excused] = flood(
    end,
    (i) => i < 100 ? [headers(2 * i + 301, REQUEST), rst(2 * i + 301, 8)] : [],
  );
  assertEquals(excused, Infinity);
  delete end.on.close;
  const [count] = flood(end, (i) => [
    headers(2 * i + 601, REQUEST),
    rst(2 * i + 601, 8),
  ]);
  assert(count <= 3, `${count} resets`);
});

Deno.test("Http2Connection() does not count resets when it is a client", () => {
  const { client } = connectedEnds({ client: { limits: { resets: FEW } } });
  const [count] = flood(client, (i) => {
    if (i < 1000) client.request(HEAD);
    return i < 1000 ? rst(2 * i + 1, 8) : [];
  });
  assertEquals(count, Infinity);
});

Deno.test("Http2Connection() ends when a peer reads nothing and asks for answers (CVE-2019-9512, -9514, -9515)", () => {
  const limits = { maxQueuedReplies: 20, resets: { burst: 99, perSecond: 0 } };
  for (
    const frames of [
      () => ping(),
      () => settings(),
      (i: number) => headers(2 * i + 1, [[":method", "GET"]]),
      (i: number) => [
        headers(2 * i + 1, REQUEST, { end: true }),
        windowUpdate(2 * i + 1, 0),
      ],
    ]
  ) {
    const end = server(limits);
    const [taken, last] = flood(end, frames, { reads: false });
    assertEquals(taken, 20);
    assert(last!.endsWith("ENHANCE_YOUR_CALM"), last);
    assertEquals(end.connection.streamCount, 0);
    const [count] = flood(server(limits), (i) => i < 80 ? frames(i) : []);
    assertEquals(count, Infinity);
  }
});

Deno.test("Http2Connection() keeps little for a peer that reads nothing and opens streams", () => {
  const end = server();
  end.on.request = (stream) => stream.sendHeaders(OK, [], true);
  const { connection } = end;
  let most = 0;
  flood(end, (i) => {
    most = Math.max(most, connection.outputBytes);
    return i < 20_000 ? headers(2 * i + 1, REQUEST, { end: true }) : [];
  }, { reads: false });
  assert(most < 300_000, `${most} bytes`);
});

Deno.test("Http2Connection() ends when a field block is endless (VU#421644)", () => {
  const fields = [...REQUEST, ["x", "y".repeat(2_000)]] as const;
  const cuts = new Array(1_000).fill(0).map((_, i) => 2 * i + 2);
  const pieces = cutHeaders(1, fields, { cuts });
  const few = server({ maxContinuations: 9 });
  assertEquals(flood(few, (i) => pieces[i]!), [10, CALM]);
  const small = server({ maxFieldBlockBytes: 31, maxContinuations: 1e9 });
  assertEquals(flood(small, (i) => pieces[i]!), [15, CALM]);
  const byDefault = server();
  const [count] = flood(byDefault, (i) => pieces[i]!);
  assertEquals(count, DEFAULT_LIMITS.maxContinuations + 1);
});

Deno.test("Http2Connection() refuses lists that are too large or have too many fields (CVE-2019-9516)", () => {
  for (
    const options of [
      { settings: { maxHeaderListSize: 400 } },
      { limits: { maxFields: 12 } },
    ]
  ) {
    const end = new EngineEnd({ role: "server", ...options });
    end.receive(...CLIENT_HELLO);
    end.frames();
    end.told();
    const many = new Array(10).fill(["x", ""]);
    end.receive(headers(1, [...REQUEST, ...many]), headers(3, REQUEST));
    end.receive(headers(3, [...REQUEST, ...many], { end: true }));
    assertEquals(end.frames(), [
      "RST_STREAM 1 ENHANCE_YOUR_CALM",
      "RST_STREAM 3 ENHANCE_YOUR_CALM",
    ]);
    assertEquals(end.told().at(-1), "close 3 violation ENHANCE_YOUR_CALM");
  }
});

Deno.test("Http2Connection() bounds what a dribbling reader makes it send (CVE-2019-9511)", () => {
  const end = server({ windowUpdates: { burst: 100, perSecond: 0 } });
  end.receive(settings([4, 0]), headers(1, REQUEST));
  const stream = end.streams.get(1)!;
  stream.sendHeaders(OK, [], false);
  stream.sendData(new Uint8Array(10_000), true);
  const [count, last] = flood(end, () => windowUpdate(1, 1));
  assertEquals([count, last], [100, "GOAWAY 1 ENHANCE_YOUR_CALM"]);
});

Deno.test("Http2Connection() never ends for a peer that measures the bandwidth, or updates windows often", () => {
  // grpc-go sends a PING for DATA, grpc-java WINDOW_UPDATE for every message.
  const limits = {
    pings: { burst: 5, perSecond: 0 },
    windowUpdates: { burst: 5, perSecond: 0 },
  };
  const { client, server } = connectedEnds({
    client: { limits },
    server: { limits },
  });
  const up = client.request(HEAD);
  exchange(client, server);
  const down = server.streams.get(1)!;
  down.sendHeaders(OK, [], false);
  const message = new Uint8Array(40);
  for (let i = 0; i < 1000; i++) {
    up.sendData(message, false);
    down.sendData(message, false);
    exchange(client, server);
    client.receive(ping(), windowUpdate(1, 40), windowUpdate(0, 40));
    server.receive(ping(), windowUpdate(1, 40), windowUpdate(0, 40));
  }
  assertEquals(client.connection.isOver, false);
  assertEquals(server.connection.isOver, false);
});

Deno.test("Http2Connection() never ends for a peer that goes on sending on a stream that was reset", () => {
  const end = server({ ignoredFrames: FEW, resets: FEW });
  end.receive(OPEN);
  end.streams.get(1)!.reset(ErrorCode.CANCEL);
  const [count] = flood(end, () => data(1, "a small message"));
  assertEquals(count, Infinity);
});
