import { assertEquals, assertStrictEquals } from "@std/assert";
import type { CallSummary } from "../core/_call_trace.ts";
import type { Observers } from "../core/_listeners.ts";
import type { CallInfo } from "../core/events.ts";
import { GRPCError } from "../core/errors.ts";
import { Peer } from "../core/peer.ts";
import { Status } from "../core/status.ts";
import { CallRecord } from "./call_record.ts";

const INFO: CallInfo = {
  methodName: "/a.B/C",
  method: null,
  deadline: null,
  peer: null,
};
const PEER = new Peer(null);

/** A record of a call, and what an observer is told of it. */
function recordOf(headers: readonly string[] | null) {
  let now = 0;
  const told: string[] = [];
  const ends: CallSummary[] = [];
  const observers: Observers = {
    traced: [{
      start: () => ({
        sent: (bytes) => void told.push(`sent ${bytes}`),
        received: (bytes) => void told.push(`received ${bytes}`),
        end: (summary) => ends.push(summary),
      }),
    }],
    listeners: [],
    isTimed: true,
    report(error) {
      throw error;
    },
  };
  const clock = { now: () => ++now };
  return {
    record: new CallRecord({ info: INFO }, headers, observers, clock),
    told,
    ends,
  };
}

for (const headers of [null, ["te", "trailers"]]) {
  const side = headers === null ? "client" : "server";

  Deno.test(`CallRecord of a ${side} ends once, and counts nothing then`, () => {
    const { record, told, ends } = recordOf(headers);
    record.begin();
    record.attempts = 1;
    record.sent(7);
    record.received(5);
    record.end({ status: Status.ABORTED, message: "no", details: [] }, PEER);
    // A server that has replied may be sent more requests.
    record.received(9);
    record.fail(null, null);
    assertEquals(told, ["sent 7", "received 5"]);
    assertEquals(ends.length, 1);
    const [end] = ends;
    assertEquals([end!.status, end!.message], [Status.ABORTED, "no"]);
    assertEquals([end!.sentMessages, end!.sentBytes], [1, 7]);
    assertEquals([end!.receivedMessages, end!.receivedBytes], [1, 5]);
    assertEquals(end!.durationMs, 1);
    assertStrictEquals(end!.peer, PEER);
  });

  Deno.test(`CallRecord of a ${side} tells nothing of a call that never began`, () => {
    const { record, told, ends } = recordOf(headers);
    record.received(5);
    record.fail(new GRPCError(Status.CANCELLED, "before"), null);
    assertEquals([told, ends], [[], []]);
    assertEquals(record.receivedMessages, 0);
  });
}
