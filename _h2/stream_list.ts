/**
 * Lists of streams, and the table to find one by its identifier.
 *
 * Both link the streams themselves, so that nothing is allocated for a call,
 * and nothing keeps a stream alive that is gone. (A `Map` keeps its old tables
 * until they are collected, and what was in them with them.)
 *
 * @module
 */

/** What can be in a list and in a table. */
export interface Linked<T extends Linked<T>> {
  /** The identifier of the stream. */
  readonly id: number;
  /** Where it is listed. */
  list: StreamList<T> | null;
  next: T | null;
  previous: T | null;
  /** The next one in the same place of the table. */
  chained: T | null;
}

/** Streams that wait for something, in the order they came. */
export class StreamList<T extends Linked<T>> {
  #first: T | null = null;
  #last: T | null = null;

  /** The first one. */
  get first(): T | null {
    return this.#first;
  }

  /** Adds one, which is in no list. */
  push(stream: T): void {
    stream.list = this;
    stream.previous = this.#last;
    if (this.#last === null) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  /** Takes one out. */
  remove(stream: T): void {
    const { next, previous } = stream;
    if (previous === null) this.#first = next;
    else previous.next = next;
    if (next === null) this.#last = previous;
    else next.previous = previous;
    stream.list = stream.next = stream.previous = null;
  }
}

const MIN_PLACES = 16;

/** Streams by their identifiers. */
export class StreamTable<T extends Linked<T>> {
  #places: (T | null)[] = new Array(MIN_PLACES).fill(null);
  #size = 0;

  /** How many there are. */
  get size(): number {
    return this.#size;
  }

  /** Finds one. */
  get(id: number): T | null {
    const places = this.#places;
    let stream = places[id >>> 1 & places.length - 1]!;
    while (stream !== null && stream.id !== id) stream = stream.chained!;
    return stream;
  }

  /** Adds one that is not there. */
  add(stream: T): void {
    if (this.#size >= this.#places.length) this.#grow();
    this.#size++;
    this.#insert(stream);
  }

  /** Takes one out, if it is there. */
  delete(stream: T): void {
    const places = this.#places;
    const place = stream.id >>> 1 & places.length - 1;
    let before: T | null = null;
    let at = places[place]!;
    while (at !== null && at !== stream) {
      before = at;
      at = at.chained!;
    }
    if (at === null) return;
    if (before === null) places[place] = at.chained;
    else before.chained = at.chained;
    at.chained = null;
    this.#size--;
  }

  /** All there are, in no order. */
  toArray(): T[] {
    const all: T[] = [];
    for (const first of this.#places) {
      for (let at = first; at !== null; at = at.chained) all.push(at);
    }
    return all;
  }

  #insert(stream: T): void {
    const place = stream.id >>> 1 & this.#places.length - 1;
    stream.chained = this.#places[place]!;
    this.#places[place] = stream;
  }

  #grow(): void {
    const all = this.toArray();
    this.#places = new Array(this.#places.length * 4).fill(null);
    for (const stream of all) this.#insert(stream);
  }
}
