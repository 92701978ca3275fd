/**
 * Messages on standard input and output, each behind its length in four bytes.
 *
 * @module
 */

import {
  type DescMessage,
  fromBinary,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";

/** Reads messages from standard input until it ends. */
export async function* readMessages<Desc extends DescMessage>(
  schema: Desc,
): AsyncGenerator<MessageShape<Desc>> {
  let rest = new Uint8Array();
  for await (const chunk of Deno.stdin.readable) {
    const bytes = new Uint8Array(rest.length + chunk.length);
    bytes.set(rest);
    bytes.set(chunk, rest.length);
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = new DataView(bytes.buffer, at).getUint32(0);
      if (bytes.length - at - 4 < length) break;
      yield fromBinary(schema, bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    rest = bytes.slice(at);
  }
}

/** Writes a message to standard output. */
export function writeMessage<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
): void {
  const bytes = toBinary(schema, message);
  const frame = new Uint8Array(4 + bytes.length);
  new DataView(frame.buffer).setUint32(0, bytes.length);
  frame.set(bytes, 4);
  for (let at = 0; at < frame.length;) {
    at += Deno.stdout.writeSync(frame.subarray(at));
  }
}
