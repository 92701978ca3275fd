/**
 * When faults strike, and how.
 *
 * @module
 */

/** When a fault strikes, and which way it looks. */
export interface FaultOptions {
  /**
   * The side whose frames are counted.
   *
   * @default {"server"}
   */
  readonly from?: "client" | "server";
  /**
   * The frame the fault strikes at, counted from 1 and from now on. Frames of
   * calls count, HEADERS and DATA: of the reply to a unary call the first is the
   * initial metadata, the second the message, the third the status.
   *
   * @default {undefined} strikes at once
   */
  readonly atFrame?: number;
}

/** Options of `Faults.cut()`. */
export interface CutOptions extends FaultOptions {
  /**
   * How many bytes still arrive, from now on, those of HTTP/2 included; in place
   * of `atFrame`.
   *
   * @default {undefined} strikes at once, or at the frame
   */
  readonly afterBytes?: number;
}

/** Options of `Faults.reset()`. */
export interface ResetOptions extends FaultOptions {
  /**
   * The error code of HTTP/2 that the client sees, such as 7, `REFUSED_STREAM`.
   *
   * @default {8} `CANCEL`
   */
  readonly code?: number;
}

/** Options of `Faults.goaway()`. */
export interface GoawayOptions extends FaultOptions {
  /**
   * The error code of HTTP/2. With any but 0 the client gives the connection up.
   *
   * @default {0} `NO_ERROR`: calls under way may end
   */
  readonly code?: number;
  /**
   * What is said beside it, for people.
   *
   * @default {""}
   */
  readonly debugData?: string;
  /**
   * The last stream the server has looked at. Calls on later ones are retried transparently
   * on the next connection. Streams are numbered 1, 3, 5 and so on.
   *
   * @default {undefined} the last there is
   */
  readonly lastStreamId?: number;
}

/** Options of `Faults.truncate()`. */
export interface TruncateOptions extends FaultOptions {
  /**
   * How many bytes the message lacks at its end.
   *
   * @default {1}
   */
  readonly bytes?: number;
}

/** Options of `Faults.delay()`. */
export interface DelayOptions {
  /** How long every frame takes, in milliseconds; 0 for no time. */
  readonly ms: number;
  /**
   * How much longer a frame may take, in milliseconds; how much it does is a
   * matter of the seed.
   *
   * @default {0}
   */
  readonly jitterMs?: number;
}

/** Options of `Faults.refuse()`. */
export interface RefuseOptions {
  /**
   * How many attempts to connect fail.
   *
   * @default {Infinity} all, until `Faults.heal()`
   */
  readonly times?: number;
}

/** Options for `Faults`. */
export interface FaultsOptions {
  /**
   * What chance goes by: the same seed gives the same delays.
   *
   * @default {1}
   */
  readonly seed?: number;
}
