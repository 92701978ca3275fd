/**
 * Messages without any field set, as protobuf-es's `create()` makes them, but
 * faster.
 *
 * @module
 */

import { create, type DescMessage } from "@bufbuild/protobuf";
import type { Fields } from "./fields.ts";

// V8 copies an object in one piece, whatever is in it, where `{...object}` has
// seen no more than four shapes; otherwise property by property, which takes
// some ten times as long. So there are many such places, and each type of
// message has one of them.
const COPIERS: readonly ((fields: Fields) => Fields)[] = [
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
  (fields) => ({ ...fields }),
];

let copiers = 0;

/**
 * Compiles what makes an empty message.
 *
 * @param desc The type of the message.
 * @returns A function that makes one: with the same properties, in the same
 *   order, and with the same prototype as those of `create()`.
 */
export function compileBlank(desc: DescMessage): () => Fields {
  const zero = create(desc) as unknown as Fields;
  const lists: string[] = [];
  const maps: string[] = [];
  const oneofs: string[] = [];
  for (const member of desc.members) {
    if (member.kind === "oneof") oneofs.push(member.localName);
    else if (member.fieldKind === "list") lists.push(member.localName);
    else if (member.fieldKind === "map") maps.push(member.localName);
  }
  const copy = Object.getPrototypeOf(zero) === Object.prototype
    ? compileCopy(zero)
    : compileDerived(zero);
  return () => {
    const message = copy();
    for (let i = 0; i < lists.length; i++) message[lists[i]!] = [];
    for (let i = 0; i < maps.length; i++) message[maps[i]!] = {};
    for (let i = 0; i < oneofs.length; i++) {
      message[oneofs[i]!] = { case: undefined };
    }
    return message;
  };
}

/** For messages that are plain objects. */
function compileCopy(zero: Fields): () => Fields {
  // JSON.parse() makes room for all properties within the object. An object
  // that gets more than a dozen one by one becomes a slow hash table.
  const template: Fields = JSON.parse(
    JSON.stringify(Object.fromEntries(Object.keys(zero).map((it) => [it, 0]))),
  );
  for (const name of Object.keys(zero)) {
    // V8 notes which kind of values a property has, and has to change all
    // objects of that shape when it sees others. So it sees two kinds at once.
    template[name] = "";
    template[name] = zero[name];
  }
  const copier = COPIERS[copiers++ % COPIERS.length]!;
  return () => copier(template);
}

/** For messages with a prototype, which has the values of the fields that are not set. */
function compileDerived(zero: Fields): () => Fields {
  const prototype = Object.getPrototypeOf(zero);
  const names = Object.keys(zero);
  const values = names.map((name) => zero[name]);
  return () => {
    const message: Fields = Object.create(prototype);
    for (let i = 0; i < names.length; i++) message[names[i]!] = values[i];
    return message;
  };
}
