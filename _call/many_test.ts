import { assert } from "@std/assert";
import type { StringValue } from "@bufbuild/protobuf/wkt";
import type { ClientStream } from "./client/stream.ts";
import type { Many, MessageOf, Received } from "./many.ts";
import type { ServerStream } from "./server/stream.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Does not compile unless all are so. */
function holds(...all: true[]): boolean {
  return all.every((one) => one);
}

type One = StringValue;
type All = Many<StringValue>;

Deno.test("MessageOf gives the type of one message when there is one and when there are many", () => {
  const one: Equal<MessageOf<One>, One> = true;
  const many: Equal<MessageOf<All>, One> = true;
  assert(holds(one, many));
});

Deno.test("Received has a null when there are many messages and else has none", () => {
  const one: Equal<Received<One>, One> = true;
  const many: Equal<Received<All>, One | null> = true;
  assert(holds(one, many));
});

Deno.test("ClientStream and ServerStream give messages by their cardinality when they receive", () => {
  type Get<S extends { recvMessage(): unknown }> = ReturnType<S["recvMessage"]>;
  const reply: Equal<Get<ClientStream<All, One>>, Promise<One>> = true;
  const replies: Equal<Get<ClientStream<One, All>>, Promise<One | null>> = true;
  const request: Equal<Get<ServerStream<One, All>>, Promise<One>> = true;
  const requests: Equal<Get<ServerStream<All, One>>, Promise<One | null>> =
    true;
  assert(holds(reply, replies, request, requests));
});
