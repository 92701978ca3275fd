/**
 * Messages without any field set, as protobuf-es's `create()` makes them, but
 * faster.
 *
 * @module
 */

import { create, type DescMessage } from "@bufbuild/protobuf";
import { type Fields, isPlain } from "./fields.ts";

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
  const makers = new Map<string, () => unknown>();
  for (const member of desc.members) {
    const { localName } = member;
    if (member.kind === "oneof") {
      makers.set(localName, () => ({ case: undefined }));
    } else if (member.fieldKind === "list") makers.set(localName, () => []);
    else if (member.fieldKind === "map") makers.set(localName, () => ({}));
  }
  return isPlain(zero)
    ? compileCopy(zero, makers)
    : compileDerived(zero, makers);
}

/** For messages that are plain objects. */
function compileCopy(
  zero: Fields,
  makers: ReadonlyMap<string, () => unknown>,
): () => Fields {
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
  const names = [...makers.keys()];
  const values = [...makers.values()];
  return () => {
    const message = copier(template);
    for (let i = 0; i < names.length; i++) message[names[i]!] = values[i]!();
    return message;
  };
}

/** For messages with a prototype, which has the values of the fields that are not set. */
function compileDerived(
  zero: Fields,
  makers: ReadonlyMap<string, () => unknown>,
): () => Fields {
  const prototype = Object.getPrototypeOf(zero);
  const names = Object.keys(zero);
  const values = names.map((name) => makers.get(name) ?? (() => zero[name]));
  return () => {
    const message: Fields = Object.create(prototype);
    for (let i = 0; i < names.length; i++) message[names[i]!] = values[i]!();
    return message;
  };
}
