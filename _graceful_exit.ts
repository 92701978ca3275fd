/**
 * The end of a server by a signal.
 *
 * The one module, beside the testing helpers, that needs Deno.
 *
 * @module
 */

/** Options for {@linkcode gracefulExit}. */
export interface GracefulExitOptions {
  /**
   * The signals to act on.
   *
   * @default {["SIGINT", "SIGTERM"]}, on Windows ["SIGINT", "SIGBREAK"]
   */
  readonly signals?: readonly Deno.Signal[];
  /**
   * How long running calls may go on after the first signal, in milliseconds.
   *
   * @default {20000}
   */
  readonly graceMs?: number;
}

/** What {@linkcode gracefulExit} closes: a server. */
export interface Closable {
  /**
   * Begins to close, and is done with it after the grace at the latest.
   *
   * @param options How long what runs may go on, in milliseconds.
   */
  close(options: { readonly graceMs: number }): void;
}

const EXIT_CODES: Readonly<Partial<Record<Deno.Signal, number>>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGBREAK: 21,
};

/**
 * Closes servers when the process is asked to end.
 *
 * The first signal closes them: running calls may go on for `graceMs`, and
 * `waitClosed()` resolves when all is over. The second ends the process at once
 * with 128 + the number of the signal.
 *
 * @example Usage
 * ```ts
 * import { gracefulExit, Server } from "@grpclib/grpclib";
 *
 * const server = new Server([]);
 * {
 *   using _exit = gracefulExit([server], { graceMs: 5_000 });
 *   // await server.start("127.0.0.1", 50051);
 *   // await server.waitClosed();
 * }
 * server.close();
 * ```
 *
 * @param servers The servers.
 * @param options Which signals, and how long a grace.
 * @returns What takes the signals' listeners off again.
 * @throws {RangeError} If `graceMs` is negative or not a number.
 */
export function gracefulExit(
  servers: Iterable<Closable>,
  options: GracefulExitOptions = {},
): Disposable {
  const {
    signals = Deno.build.os === "windows"
      ? ["SIGINT", "SIGBREAK"]
      : ["SIGINT", "SIGTERM"],
    graceMs = 20_000,
  } = options;
  if (!(graceMs >= 0)) {
    // Told now, and not when the signal comes.
    throw new RangeError(
      `Cannot listen to signals: graceMs must be a number of at least 0, received ${graceMs}`,
    );
  }
  const all = [...servers];
  let signalled = false;
  const listeners = signals.map((signal) => {
    const listener = (): void => {
      if (signalled) Deno.exit(128 + (EXIT_CODES[signal] ?? 0));
      signalled = true;
      for (const server of all) server.close({ graceMs });
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return {
    [Symbol.dispose](): void {
      for (const remove of listeners.splice(0)) remove();
    },
  };
}
