/**
 * What channelz shows, and by which ids.
 *
 * @module
 */

import { type Channel, hostOf } from "../_channel.ts";
import type { ServerFigures } from "../_server_figures.ts";
import type { SubchannelFigures } from "../_balance/subchannel.ts";
import type { LookedAt } from "../core/_figures.ts";

/** Whatever has an id: it is the same as long as that lives. */
export type Identified = object;

const IDS = new WeakMap<Identified, bigint>();
let lastId = 0n;

/**
 * The id of something: positive, and of nothing else in this process, of
 * whatever kind, now or later. Whatever is asked for later has a larger one.
 */
export function idOf(item: Identified): bigint {
  let id = IDS.get(item);
  if (id === undefined) IDS.set(item, id = ++lastId);
  return id;
}

/**
 * The connections of a subchannel, without those that are only being made: they
 * have no address yet.
 */
export function connectionsOf({ connections }: SubchannelFigures): LookedAt[] {
  return [...connections].filter(({ figures }) => figures.maxStreams !== null);
}

/** The channels and servers that are shown; it has none of them live longer. */
export class Registry {
  readonly #channels = new Set<WeakRef<Channel>>();
  readonly #servers = new Set<WeakRef<ServerFigures>>();

  /** Shows a channel, until it is closed or what is returned is disposed. */
  addChannel(channel: Channel): Disposable {
    return add(this.#channels, channel);
  }

  /** Shows a server likewise. */
  addServer(figures: ServerFigures): Disposable {
    return add(this.#servers, figures);
  }

  /** The channels that are not closed. */
  get channels(): Channel[] {
    return living(
      this.#channels,
      (it) =>
        it.state !== "SHUTDOWN" || hostOf(it).source.counts.connections > 0,
    );
  }

  /** The servers that are not closed. */
  get servers(): ServerFigures[] {
    return living(this.#servers, (it) => !it.isClosed);
  }

  /** The connections of all of them. */
  *connections(): Iterable<LookedAt> {
    for (const channel of this.channels) {
      yield* hostOf(channel).source.subchannels.flatMap(connectionsOf);
    }
    for (const { connections } of this.servers) yield* connections;
  }
}

function add<T extends Identified>(list: Set<WeakRef<T>>, item: T): Disposable {
  // Ids are in the order in which things were shown.
  idOf(item);
  // Whoever shows it as well goes on to.
  const own = new WeakRef(item);
  list.add(own);
  return { [Symbol.dispose]: () => void list.delete(own) };
}

/** Those that there still are, each once; the others are forgotten. */
function living<T extends Identified>(
  list: Set<WeakRef<T>>,
  isOpen: (item: T) => boolean,
): T[] {
  const found = new Set<T>();
  for (const ref of [...list]) {
    const item = ref.deref();
    if (item !== undefined && isOpen(item)) found.add(item);
    else list.delete(ref);
  }
  return [...found];
}
