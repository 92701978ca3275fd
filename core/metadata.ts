/**
 * Metadata: what travels beside the messages of a call.
 *
 * @module
 */

import { describe, isPlainObject } from "./_describe.ts";
import { printAs } from "./_inspect.ts";
import {
  checkKey,
  checkPair,
  faultOfKey,
  faultOfValue,
} from "./_metadata_rules.ts";

/** A value of metadata: bytes under a key that ends in `-bin`, else text. */
export type MetadataValue = string | Uint8Array;

/** The type of the values under a key: {@linkcode Uint8Array} if it ends in `-bin`, else `string`. */
export type MetadataValueOf<K extends string> = string extends K ? MetadataValue
  : K extends string
    ? Lowercase<K> extends `${string}-bin` ? Uint8Array : string
  : never;

/** What {@linkcode Metadata} can be made from: each key with one value or an array of them. */
export type MetadataInit =
  | Metadata
  | ReadonlyMap<string, MetadataValue | readonly MetadataValue[]>
  | Iterable<readonly [string, MetadataValue | readonly MetadataValue[]]>
  | { readonly [key: string]: MetadataValue | readonly MetadataValue[] };

/** Received fields: names and values in turn. */
type Fields = readonly string[];

/** Appends what received fields hold. */
type Fill = (metadata: Metadata, fields: Fields) => void;

const NO_FIELDS: Fields = [];

let appendAnything: (
  metadata: Metadata,
  key: string,
  value: MetadataValue,
) => void;
let copyWith: (
  metadata: Metadata | null,
  key: string,
  value: string,
) => Metadata;
let withoutUnsendable: (metadata: Metadata) => Metadata;
let fillLater: (metadata: Metadata, fill: Fill, fields: Fields) => void;
let listPairs: (
  metadata: Metadata,
  textOf: (bytes: Uint8Array) => string,
) => string[];

/**
 * A multimap of what travels beside the messages of a call: text, or bytes
 * under keys that end in `-bin`.
 *
 * Keys are lower-case. Looking up a key ignores its case; storing under a key
 * that is not lower-case is an error, as is anything else that could not be
 * sent, so that mistakes show where they are made.
 *
 * Metadata that was received may hold what could not be stored here, such as
 * fields of HTTP itself. It can be copied and sent on as a whole; what must not
 * be sent is then left out.
 *
 * @example Usage
 * ```ts
 * import { Metadata } from "@grpclib/grpclib";
 * import { assertEquals } from "@std/assert";
 *
 * const metadata = new Metadata({ "request-id": "7", "trace-bin": new Uint8Array([1, 2]) });
 * metadata.append("tag", "red").append("tag", "blue");
 *
 * assertEquals(metadata.get("Request-Id"), "7");
 * assertEquals(metadata.get("trace-bin"), new Uint8Array([1, 2]));
 * assertEquals(metadata.getAll("tag"), ["red", "blue"]);
 * ```
 */
export class Metadata implements Iterable<[string, MetadataValue]> {
  // Two flat arrays: a call has a handful of pairs, and received metadata is
  // built for every call that looks at it. A scan beats a Map of arrays here.
  #keys: string[] = [];
  #values: MetadataValue[] = [];

  // Whether there are pairs that nobody checked.
  #unchecked = false;

  // What fills it when somebody looks into it, and of what.
  #fill: Fill | null = null;
  #fields: Fields = NO_FIELDS;

  static {
    fillLater = (metadata, fill, fields) => {
      metadata.#fill = fill;
      metadata.#fields = fields;
    };
    listPairs = (metadata, textOf) => {
      const sendable = withoutUnsendable(metadata);
      const keys = sendable.#keys;
      const fields = new Array<string>(2 * keys.length);
      for (let i = 0; i < keys.length; i++) {
        const value = sendable.#values[i]!;
        fields[2 * i] = keys[i]!;
        fields[2 * i + 1] = typeof value === "string" ? value : textOf(value);
      }
      return fields;
    };
    appendAnything = (metadata, key, value) => {
      metadata.#read();
      metadata.#keys.push(key);
      metadata.#values.push(value);
      metadata.#unchecked = true;
    };
    copyWith = (metadata, key, value) => {
      const copy = new Metadata();
      // Arrays of the right size: one that grows has room for seventeen.
      if (metadata === null) {
        copy.#keys = [key];
        copy.#values = [value];
        return copy;
      }
      metadata.#read();
      if (metadata.#keys.includes(key)) {
        return new Metadata(metadata).set(key, value);
      }
      copy.#keys = [...metadata.#keys, key];
      copy.#values = [...metadata.#values, value];
      copy.#unchecked = metadata.#unchecked;
      return copy;
    };
    withoutUnsendable = (metadata) => {
      metadata.#read();
      if (!metadata.#unchecked) return metadata;
      const sendable = new Metadata();
      for (let i = 0; i < metadata.#keys.length; i++) {
        const key = metadata.#keys[i]!;
        const value = metadata.#values[i]!;
        if (faultOfKey(key) === null && faultOfValue(key, value) === null) {
          sendable.#keys.push(key);
          sendable.#values.push(value);
        }
      }
      return sendable;
    };
  }

  /**
   * Creates metadata, empty or as a copy. Bytes are kept by reference.
   *
   * @param init Other metadata, a map, pairs, or a plain object.
   * @throws {TypeError} If a key is reserved or malformed, or a value has the wrong type for its key.
   * @throws {RangeError} If a text has characters other than printable ASCII, or spaces around it.
   */
  constructor(init?: MetadataInit) {
    if (init === undefined) return;
    if (init instanceof Metadata) {
      init.#read();
      this.#keys = init.#keys.slice();
      this.#values = init.#values.slice();
      this.#unchecked = init.#unchecked;
      return;
    }
    if (isPlainObject(init)) {
      this.#addAll(init);
    } else if (
      typeof init === "object" && init !== null && Symbol.iterator in init
    ) {
      for (const pair of init) {
        if (!Array.isArray(pair) || pair.length !== 2) {
          throw new TypeError(
            "Cannot create metadata: every item must be a pair of key and value",
          );
        }
        this.#add("create", pair[0], pair[1]);
      }
    } else {
      throw new TypeError(
        `Cannot create metadata: it is made from an object, a map or pairs, received ${
          describe(init)
        }`,
      );
    }
  }

  /** The number of pairs; a key with two values counts twice. */
  get size(): number {
    this.#read();
    return this.#keys.length;
  }

  /**
   * Gets the first value of a key.
   *
   * @typeParam K The key.
   * @param key The key, in any case.
   * @returns The first value, or `undefined` when there is none.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata([["tag", "red"], ["tag", "blue"]]);
   *
   * assertEquals(metadata.get("tag"), "red");
   * assertEquals(metadata.get("color"), undefined);
   * ```
   */
  get<K extends string>(key: K): MetadataValueOf<K> | undefined {
    this.#read();
    const index = this.#keys.indexOf(key.toLowerCase());
    if (index === -1) return undefined;
    // Every way in pairs "-bin" with bytes and the rest with text.
    return this.#values[index] as MetadataValueOf<K>;
  }

  /**
   * Gets all values of a key, in order.
   *
   * @typeParam K The key.
   * @param key The key, in any case.
   * @returns The values in a new array, empty when there are none.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata({ tag: ["red", "blue"] });
   *
   * assertEquals(metadata.getAll("tag"), ["red", "blue"]);
   * assertEquals(metadata.getAll("color"), []);
   * ```
   */
  getAll<K extends string>(key: K): MetadataValueOf<K>[] {
    this.#read();
    const folded = key.toLowerCase();
    const found: MetadataValueOf<K>[] = [];
    for (let i = 0; i < this.#keys.length; i++) {
      if (this.#keys[i] === folded) {
        found.push(this.#values[i] as MetadataValueOf<K>);
      }
    }
    return found;
  }

  /**
   * Tells whether a key has a value.
   *
   * @param key The key, in any case.
   * @returns Whether there is at least one value.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals(new Metadata({ tag: "red" }).has("Tag"), true);
   * ```
   */
  has(key: string): boolean {
    this.#read();
    return this.#keys.includes(key.toLowerCase());
  }

  /**
   * Replaces the values of a key. The new ones stand where the first of the
   * old ones stood. Bytes are kept by reference.
   *
   * @typeParam K The key.
   * @param key The key, in lower case.
   * @param value The value, or an array of values; none deletes the key.
   * @returns This metadata.
   * @throws {TypeError} If the key is reserved or malformed, or a value has the wrong type for it.
   * @throws {RangeError} If a text has characters other than printable ASCII, or spaces around it.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata({ tag: ["red", "blue"] });
   * metadata.set("tag", "green");
   *
   * assertEquals(metadata.getAll("tag"), ["green"]);
   * ```
   */
  set<K extends string>(
    key: K,
    value: MetadataValueOf<K> | readonly MetadataValueOf<K>[],
  ): this {
    this.#read();
    const index = this.#keys.indexOf(key);
    if (index === -1 && !Array.isArray(value)) {
      this.#addOne("set", key, value);
      return this;
    }
    // Checked as a whole before anything changes.
    const added = new Metadata();
    added.#add("set", key, value);
    if (index === -1) {
      this.#keys.push(...added.#keys);
      this.#values.push(...added.#values);
    } else {
      this.delete(key);
      this.#keys.splice(index, 0, ...added.#keys);
      this.#values.splice(index, 0, ...added.#values);
    }
    return this;
  }

  /**
   * Adds a value to a key, behind those it has. Bytes are kept by reference.
   *
   * @typeParam K The key.
   * @param key The key, in lower case.
   * @param value The value.
   * @returns This metadata.
   * @throws {TypeError} If the key is reserved or malformed, or the value has the wrong type for it.
   * @throws {RangeError} If a text has characters other than printable ASCII, or spaces around it.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata({ tag: "red" }).append("tag", "blue");
   *
   * assertEquals(metadata.getAll("tag"), ["red", "blue"]);
   * ```
   */
  append<K extends string>(key: K, value: MetadataValueOf<K>): this {
    this.#read();
    this.#addOne("append", key, value);
    return this;
  }

  /**
   * Deletes all values of a key.
   *
   * @param key The key, in any case.
   * @returns Whether there was a value.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata({ tag: ["red", "blue"] });
   *
   * assertEquals(metadata.delete("tag"), true);
   * assertEquals(metadata.delete("tag"), false);
   * ```
   */
  delete(key: string): boolean {
    this.#read();
    const folded = key.toLowerCase();
    if (!this.#keys.includes(folded)) return false;
    const kept = (_: unknown, i: number) => this.#keys[i] !== folded;
    this.#values = this.#values.filter(kept);
    this.#keys = this.#keys.filter(kept);
    return true;
  }

  /**
   * Lists the keys.
   *
   * @returns An iterator over the keys there are now, each once, in the order of their first value.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata([["tag", "red"], ["id", "7"], ["tag", "blue"]]);
   *
   * assertEquals([...metadata.keys()], ["tag", "id"]);
   * ```
   */
  keys(): IterableIterator<string> {
    this.#read();
    return new Set(this.#keys).values();
  }

  /**
   * Lists the pairs of key and value.
   *
   * @returns An iterator over the pairs there are now, in order; a key with two values comes twice.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * const metadata = new Metadata({ tag: ["red", "blue"] });
   *
   * assertEquals([...metadata.entries()], [["tag", "red"], ["tag", "blue"]]);
   * ```
   */
  entries(): IterableIterator<[string, MetadataValue]> {
    this.#read();
    const values = this.#values;
    return this.#keys.map((key, i): [string, MetadataValue] => [
      key,
      values[i]!,
    ]).values();
  }

  /**
   * Lists the pairs of key and value, as {@linkcode Metadata.entries} does.
   *
   * @returns An iterator over the pairs there are now, in order.
   *
   * @example Usage
   * ```ts
   * import { Metadata } from "@grpclib/grpclib";
   * import { assertEquals } from "@std/assert";
   *
   * assertEquals([...new Metadata({ tag: "red" })], [["tag", "red"]]);
   * ```
   */
  [Symbol.iterator](): IterableIterator<[string, MetadataValue]> {
    return this.entries();
  }

  /** Fills it, the first time that somebody looks into it. */
  #read(): void {
    const fill = this.#fill;
    if (fill === null) return;
    const fields = this.#fields;
    this.#fill = null;
    this.#fields = NO_FIELDS;
    fill(this, fields);
  }

  /** Checks and adds the properties of an object. */
  #addAll(init: { readonly [key: string]: unknown }): void {
    const keys = Object.keys(init);
    // Arrays of their final length take half the time of those that grow.
    const values = new Array<MetadataValue>(keys.length);
    for (let i = 0; i < keys.length; i++) {
      const value = init[keys[i]!];
      if (Array.isArray(value)) {
        // There are more values than keys.
        this.#keys = [];
        this.#values = [];
        for (const key of keys) this.#add("create", key, init[key]);
        return;
      }
      checkPair("create", keys[i]!, value);
      values[i] = value;
    }
    this.#keys = keys;
    this.#values = values;
  }

  /** Checks and adds one value or several. */
  #add(action: string, key: string, value: unknown): void {
    if (Array.isArray(value)) {
      if (value.length === 0) checkKey(action, key);
      for (const one of value) this.#addOne(action, key, one);
    } else {
      this.#addOne(action, key, value);
    }
  }

  #addOne(action: string, key: string, value: unknown): void {
    checkPair(action, key, value);
    this.#keys.push(key);
    this.#values.push(value);
  }
}

/**
 * Adds a received pair, whatever it holds. Internal: what is received is not
 * checked, since a peer, or a proxy between, may add any field of HTTP.
 */
export function appendUnchecked(
  metadata: Metadata,
  key: string,
  value: MetadataValue,
): void {
  appendAnything(metadata, key, value);
}

/**
 * Copies metadata, with one value under a key. Internal: neither is checked.
 *
 * @param metadata What is copied; null for nothing.
 * @param key The key.
 * @param value What stands there in the copy, in place of what did.
 */
export function metadataWith(
  metadata: Metadata | null,
  key: string,
  value: string,
): Metadata {
  return copyWith(metadata, key, value);
}

/**
 * Makes metadata of what was received, when somebody looks into it. Internal.
 *
 * @param fill Appends the pairs; called once at most.
 * @param fields What it makes them of.
 */
export function metadataOnDemand(fill: Fill, fields: Fields): Metadata {
  const metadata = new Metadata();
  fillLater(metadata, fill, fields);
  return metadata;
}

/**
 * Lists what of metadata may be sent: keys and values in turn. Internal.
 *
 * "Care must be taken to make sure that the application is permitted to echo
 * the value back as metadata": an echo must not fail, so it leaves out.
 * https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#requests
 *
 * @param metadata The metadata.
 * @param textOf Makes text of bytes.
 */
export function pairsToSend(
  metadata: Metadata,
  textOf: (bytes: Uint8Array) => string,
): string[] {
  return listPairs(metadata, textOf);
}

printAs(Metadata, (metadata) => [...metadata]);
