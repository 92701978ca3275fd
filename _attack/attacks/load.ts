/**
 * Attacks by calls and messages: many, large, unfinished, or never read.
 *
 * @module
 */

import { create, toBinary } from "@bufbuild/protobuf";
import { EchoRequestSchema } from "../../_testdata/gen/echo_pb.ts";
import { grpcMessage } from "../../_testdata/raw_frames.ts";
import type { Attack, Means } from "../attack.ts";
import {
  blockOf,
  callFrames,
  concat,
  framed,
  headersFrames,
  requestBlock,
} from "../raw_peer.ts";
import { DONE, SECRET } from "../words.ts";

const MIB = 1024 * 1024;

const BIDI = "/grpclib.test.Echo/Bidi";
const UNARY = "/grpclib.test.Echo/Unary";

/** How long a handler takes to read what waits for it, in milliseconds. */
const READ_MS = 4_000;

/** A request with a payload, and a text. */
function request(bytes: number, text = ""): Uint8Array {
  return framed(toBinary(
    EchoRequestSchema,
    create(EchoRequestSchema, { payload: new Uint8Array(bytes), text }),
  ));
}

/** One call with many messages to a handler that reads them, all listened to. */
async function longCall(
  { open, goesOn, pause, hold }: Means,
): Promise<string> {
  const peer = await open();
  const streamId = peer.newStream();
  const block = requestBlock(BIDI, { "x-do": "read" });
  await peer.write(headersFrames(streamId, block));
  const some = concat(Array.from({ length: 1000 }, () => request(10)));
  let sent = 0;
  for (; goesOn() && !peer.isClosed && sent < 1_000_000; sent += 1000) {
    await peer.data(streamId, some);
  }
  // Not what waits to be read is counted, but what is left of what was.
  await peer.data(streamId, request(0, DONE));
  const start = performance.now();
  while (peer.dataBytes === 0 && !peer.isClosed) {
    if (performance.now() - start > READ_MS) {
      return `${sent} messages, not read`;
    }
    await pause(20);
  }
  await hold();
  return `${sent} messages`;
}

/** Messages of which the end never comes. */
async function halves({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open();
  const half = request(4 * MIB - 100).subarray(0, 4 * MIB - 200);
  let sent = 0;
  const one = async (): Promise<void> => {
    const streamId = peer.newStream();
    const block = requestBlock(UNARY);
    await peer.write(headersFrames(streamId, block));
    for (let at = 0; at < half.length && goesOn() && !peer.isClosed;) {
      const part = half.subarray(at, at + 65_536);
      await peer.data(streamId, part);
      at += part.length;
      sent += part.length;
    }
  };
  void Promise.all(Array.from({ length: 1000 }, one));
  while (goesOn() && !peer.isClosed) await pause(50);
  return `${Math.round(sent / MIB)} MiB sent`;
}

/** Calls to methods that there are not, whose replies nobody reads. */
async function unknownPaths({ open, goesOn }: Means): Promise<string> {
  const peer = await open({ reads: false });
  const block = requestBlock(`/${"a".repeat(4000)}/Method`);
  let sent = 0;
  const wait = async (): Promise<void> => {
    while (goesOn() && !peer.isClosed) {
      const calls: Uint8Array[] = [];
      for (let i = 0; i < 50; i++) {
        calls.push(headersFrames(peer.newStream(), block, true));
      }
      await peer.write(concat(calls));
      sent += 50;
    }
  };
  await Promise.race([wait(), untilOver(goesOn)]);
  return `${sent} calls sent`;
}

async function untilOver(goesOn: () => boolean): Promise<void> {
  while (goesOn()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Calls that end at once, and handlers that do not. */
async function shortDeadlines({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open();
  const block = requestBlock(BIDI, {
    "grpc-timeout": "1m",
    "x-do": "stubborn",
  });
  let sent = 0;
  while (goesOn() && !peer.isClosed && sent < 5000) {
    const streamIds = Array.from({ length: 10 }, () => peer.newStream());
    const answers = streamIds.map((it) => peer.reply(it));
    await peer.write(concat(
      streamIds.map((it) => headersFrames(it, block)),
    ));
    sent += 10;
    await Promise.race([Promise.all(answers), pause(200)]);
  }
  return `${sent} calls sent`;
}

/** Messages of no bytes, as fast as they go. */
async function empty({ open, goesOn }: Means): Promise<string> {
  const peer = await open();
  const streamId = peer.newStream();
  const block = requestBlock(BIDI, { "x-do": "read" });
  await peer.write(headersFrames(streamId, block));
  const some = new Uint8Array(5 * 50_000);
  let sent = 0;
  const send = async (): Promise<void> => {
    while (goesOn() && !peer.isClosed) {
      await peer.data(streamId, some);
      sent += 50_000;
    }
  };
  await Promise.race([send(), untilOver(goesOn)]);
  return `${sent} messages sent`;
}

/** Messages for handlers that do not read. */
async function unread({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open();
  const block = requestBlock(BIDI, { "x-do": "hang" });
  const message = request(MIB);
  let sent = 0;
  const one = async (): Promise<void> => {
    const streamId = peer.newStream();
    await peer.write(headersFrames(streamId, block));
    for (let i = 0; i < 5 && goesOn() && !peer.isClosed; i++) {
      await peer.data(streamId, message);
      sent++;
    }
  };
  void Promise.all(Array.from({ length: 100 }, one));
  while (goesOn() && !peer.isClosed) await pause(50);
  return `${sent} MiB sent`;
}

/** Replies that nobody reads. */
async function bigUnread({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open({ reads: false });
  const block = requestBlock(UNARY, { "x-do": "big" });
  let sent = 0;
  const send = async (): Promise<void> => {
    for (; sent < 2000 && goesOn() && !peer.isClosed; sent++) {
      await peer.write(callFrames(peer.newStream(), block));
      if (sent % 20 === 19) await pause(10);
    }
  };
  void send();
  while (goesOn() && !peer.isClosed) await pause(50);
  return `${sent} calls sent`;
}

/** Replies that are read, but for which no stream has any window. */
async function noWindow({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open({ windowBytes: 0 });
  const block = requestBlock(UNARY, { "x-do": "big" });
  let sent = 0;
  for (; sent < 2000 && goesOn() && !peer.isClosed; sent++) {
    await peer.write(callFrames(peer.newStream(), block));
    if (sent % 20 === 19) await pause(10);
  }
  while (goesOn() && !peer.isClosed) await pause(50);
  return `${sent} calls sent`;
}

/** Large requests, echoed. */
async function uploads({ open, goesOn, pause }: Means): Promise<string> {
  const peer = await open({ windowBytes: 4 * MIB });
  const block = requestBlock(UNARY);
  const message = request(4 * MIB - 100);
  let ended = 0;
  const one = async (): Promise<void> => {
    const streamId = peer.newStream();
    const answer = peer.reply(streamId);
    await peer.write(headersFrames(streamId, block));
    await peer.data(streamId, message, { end: true });
    await answer;
    ended++;
  };
  void Promise.all(Array.from({ length: 200 }, one));
  while (goesOn() && !peer.isClosed && ended < 200) await pause(20);
  return `${ended} of 200 calls ended`;
}

/** Long names of which nobody knows, which the messages of the statuses repeat. */
async function longNames({ open, goesOn }: Means): Promise<string> {
  const peer = await open();
  const block = requestBlock(UNARY, { "x-do": "name" });
  const message = request(0, "€".repeat((4 * MIB - 100) / 3));
  let ended = 0;
  const send = async (): Promise<void> => {
    while (goesOn() && !peer.isClosed) {
      const streamId = peer.newStream();
      const answer = peer.reply(streamId);
      await peer.write(headersFrames(streamId, block));
      await peer.data(streamId, message, { end: true });
      await answer;
      ended++;
    }
  };
  await Promise.race([
    Promise.all(Array.from({ length: 10 }, send)),
    untilOver(goesOn),
  ]);
  return `${ended} calls ended`;
}

/** Requests that fail, and a look at what the replies tell. */
async function leaks({ open }: Means): Promise<string> {
  const peer = await open();
  const messages: string[] = [];
  const bad = [
    requestBlock(UNARY, { "x-do": "fail" }),
    requestBlock("/no.such/Method"),
    requestBlock(UNARY, { "content-type": "text/html" }),
    requestBlock(UNARY, { "grpc-encoding": "none-such" }),
    requestBlock(UNARY, { "grpc-timeout": "soon" }),
    requestBlock(UNARY, { "x-bin": "%%%" }),
    blockOf([...Object.entries({
      ":method": "GET",
      ":scheme": "http",
      ":path": UNARY,
    })]),
  ];
  for (const block of bad) {
    for (const bytes of [new Uint8Array(), Uint8Array.of(255, 255)]) {
      const streamId = peer.newStream();
      const answer = peer.reply(streamId);
      await peer.write(callFrames(streamId, block, grpcMessage(bytes)));
      const received = await Promise.race([answer, untilLate()]);
      if (received !== undefined) messages.push(received.message);
    }
  }
  const all = messages.join("\n");
  const leaked = all.includes(SECRET) || /\.ts\b|file:|node_modules/.test(all);
  if (leaked) throw new Error(`a reply says "${all}"`);
  return `${messages.length} answers, no secret, path or stack in any`;
}

function untilLate(): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), 500));
}

/** The attacks by calls and messages. */
export const LOAD_ATTACKS: readonly Attack[] = [
  {
    name: "D5-long-call",
    what: "up to 1 M messages in one bidi call, with listeners",
    victim: { listens: true },
    seconds: 20,
    maxHeldMiB: 5,
    run: longCall,
  },
  {
    name: "D6-halves",
    what: "half messages of 4 MiB on 1 000 streams",
    seconds: 15,
    shortSeconds: 2,
    run: halves,
  },
  {
    name: "D7-unknown-paths",
    what: "calls to unknown paths of 4 KB, replies not read",
    seconds: 30,
    ends: true,
    run: unknownPaths,
  },
  {
    name: "D8-handlers",
    what: "`maxConcurrentStreams: 10`, deadlines of 1 ms, handlers that go on",
    victim: { config: { maxConcurrentStreams: 10 } },
    seconds: 8,
    maxHandlers: 100,
    run: shortDeadlines,
  },
  {
    name: "D9-empty-messages",
    what: "empty messages as fast as they go",
    seconds: 8,
    shortSeconds: 2,
    run: empty,
  },
  {
    name: "unread",
    what: "100 calls of 5 MiB on a connection, handlers that do not read",
    seconds: 8,
    run: unread,
  },
  {
    name: "replies-unread",
    what: "2 000 replies of 1 MiB, connection not read",
    seconds: 15,
    run: bigUnread,
  },
  {
    name: "replies-no-window",
    what: "2 000 replies of 1 MiB, streams without window",
    seconds: 15,
    run: noWindow,
  },
  {
    name: "uploads-echoed",
    what: "200 requests of 4 MiB at once, echoed",
    seconds: 20,
    run: uploads,
  },
  {
    name: "long-names",
    what: "names of 4 MiB that the messages of the statuses repeat",
    seconds: 8,
    shortSeconds: 2,
    run: longNames,
  },
  {
    name: "error-leaks",
    what: "requests that fail in all ways: no secret in any reply",
    seconds: 5,
    shortSeconds: 1,
    run: leaks,
  },
];
