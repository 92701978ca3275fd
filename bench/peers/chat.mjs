/**
 * A chat with so many messages in flight, for libraries that take the requests
 * from an iterable.
 */

import { CHAT_WINDOW } from "./contender.ts";

/** Chats, and tells how many answers came. */
export async function chat(call, message, count) {
  let sent = 0;
  let got = 0;
  let wake = () => {};
  const requests = async function* () {
    while (sent < count) {
      if (sent - got < CHAT_WINDOW) {
        sent++;
        yield message;
      } else await new Promise((resolve) => wake = resolve);
    }
  };
  for await (const _ of call(requests())) {
    got++;
    wake();
  }
  return got;
}

/** Opens a call, has one message answered, and leaves it open. */
export async function open(call, message) {
  const requests = async function* () {
    yield message;
    await new Promise(() => {});
  };
  const replies = call(requests())[Symbol.asyncIterator]();
  await replies.next();
  return replies;
}

/** So many messages. */
export async function* repeat(message, count) {
  for (let i = 0; i < count; i++) yield message;
}

/** Counts messages. */
export async function count(messages) {
  let value = 0;
  for await (const _ of messages) value++;
  return value;
}
