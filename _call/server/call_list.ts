/**
 * The calls of a server that are running.
 *
 * @module
 */

/** What a call has to have to be in a list. */
export interface Listed<C> {
  /** Its neighbours. */
  nextCall: C | null;
  previousCall: C | null;
}

/**
 * A list that links the calls themselves: a `Set` costs an insertion and a
 * deletion more for each call, and keeps old tables with dead calls in them.
 */
export class CallList<C extends Listed<C>> implements Iterable<C> {
  #first: C | null = null;
  #size = 0;

  /** How many calls there are. */
  get size(): number {
    return this.#size;
  }

  /** Adds a call, which is in no list. */
  add(call: C): void {
    call.nextCall = this.#first;
    if (this.#first !== null) this.#first.previousCall = call;
    this.#first = call;
    this.#size++;
  }

  /** Takes a call out, if it is in the list. */
  delete(call: C): void {
    const { nextCall, previousCall } = call;
    if (previousCall !== null) previousCall.nextCall = nextCall;
    else if (this.#first === call) this.#first = nextCall;
    else return;
    if (nextCall !== null) nextCall.previousCall = previousCall;
    call.nextCall = call.previousCall = null;
    this.#size--;
  }

  /** The calls there are, whatever happens to the list meanwhile. */
  *[Symbol.iterator](): Iterator<C> {
    const all: C[] = [];
    for (let at = this.#first; at !== null; at = at.nextCall) all.push(at);
    yield* all;
  }
}

/** What a server tells the paths of its running handlers with. */
export const runningHandlers: unique symbol = Symbol("grpclib.runningHandlers");

/** Something that runs handlers: for tests, and for the end of a program. */
export interface RunsHandlers {
  /** The path of the method of each handler that runs. */
  readonly [runningHandlers]: readonly string[];
}
