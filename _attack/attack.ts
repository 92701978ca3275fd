/**
 * What an attack is: whom it is for, what it does, and what has to be left when
 * it is over.
 *
 * @module
 */

import type { ConfigurationOptions, HTTP2Engine } from "../client.ts";
import type { RawPeer, RawPeerOptions } from "./raw_peer.ts";

/** The server or client that is attacked. */
export interface Victim {
  /**
   * Whether there are listeners for requests and messages.
   *
   * @default {false}
   */
  readonly listens?: boolean;
  /** Settings that are not the defaults. */
  readonly config?: ConfigurationOptions;
  /**
   * Whether the server asks for TLS.
   *
   * @default {false}
   */
  readonly tls?: boolean;
  /**
   * The limit on file descriptors of its process.
   *
   * @default {undefined} that of the system
   */
  readonly descriptors?: number;
  /**
   * What a client does with the hostile server: calls it for one reply again
   * and again, reads streams of replies, or opens them and does not read.
   *
   * @default {"unary"}
   */
  readonly calls?: "unary" | "stream" | "unread";
}

/** What an attack has to work with. */
export interface Means {
  /** The port of the server; of the hostile server, when a client is attacked. */
  readonly port: number;
  /** Whether it is still time to attack. */
  readonly goesOn: () => boolean;
  /** How many milliseconds it may take. */
  readonly ms: number;
  /** Connects, and remembers the connection for the report. */
  open(options?: RawPeerOptions): Promise<RawPeer>;
  /** The same without the preface. */
  connect(options?: RawPeerOptions): Promise<RawPeer>;
  /** Waits some milliseconds. */
  pause(ms: number): Promise<void>;
  /** Serves those who connect to the port, when a client is attacked. */
  serve(
    answer: (
      peer: RawPeer,
      streamId: number,
      fields: readonly string[],
    ) => void,
    options?: RawPeerOptions,
  ): Promise<void>;
  /** Has the victim measured while the attack holds still. */
  hold(): Promise<void>;
}

/** An attack. */
export interface Attack {
  /** What it is called on the command line. */
  readonly name: string;
  /** What it does, for people. */
  readonly what: string;
  /**
   * Whom it is for.
   *
   * @default {"server"}
   */
  readonly on?: "server" | "client";
  /** The victim, where it has not all defaults. */
  readonly victim?: Victim;
  /** How long it takes, in seconds. */
  readonly seconds: number;
  /**
   * How long it takes in the short form, in seconds.
   *
   * @default {undefined} it is not part of that
   */
  readonly shortSeconds?: number;
  /**
   * Whether it does nothing but attack, so that it has to be ended; the name of
   * the only engine that can.
   *
   * @default {false}
   */
  readonly ends?: boolean | HTTP2Engine;
  /** The most handlers that may run at once. */
  readonly maxHandlers?: number;
  /**
   * The most that the heap may have grown when the attack holds still, in MiB.
   *
   * @default {undefined} it does not hold still
   */
  readonly maxHeldMiB?: number;
  /**
   * Attacks.
   *
   * @returns What happened, beside what the connections tell.
   */
  run(means: Means): Promise<string | void>;
}

/** What an attacker's process reports in the end. */
export interface AttackerReport {
  /** What happened to it, in a few words. */
  readonly got: string;
  /** Whether no connection of it is served any more. */
  readonly ended: boolean;
}

/** What is measured of a victim when it is asked. */
export interface VictimSample {
  /** What is alive after a collection, in bytes: the heap and buffers. */
  readonly heap: number;
  /** The most handlers that ran at once so far. */
  readonly mostHandlers: number;
  /** How late the loop was at the most since the last sample, in milliseconds. */
  readonly late: number;
  /** How long calls to the good server took, in milliseconds, if a client. */
  readonly waits: readonly number[];
  /** What calls to the good server failed with, if a client. */
  readonly failures: readonly string[];
}

/** How a victim is started. */
export interface VictimArgs extends Victim {
  readonly engine: HTTP2Engine;
  /**
   * Whether there are listeners from each second sample to the next.
   *
   * @default {false}
   */
  readonly takesTurns?: boolean;
  /** The port of the hostile server, if a client is attacked. */
  readonly hostilePort?: number;
  /** The port of the good server, if a client is attacked. */
  readonly goodPort?: number;
}
