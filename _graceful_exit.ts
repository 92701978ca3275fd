/**
 * The end of a server by a signal.
 *
 * The one module, beside the testing helpers, that needs Deno.
 *
 * @module
 */

import {
  checkFunction,
  checkOptions,
  checkTimes,
  type OptionNames,
} from "./core/_options.ts";
import { type ClockTimer, MAX_DELAY_MS } from "./core/clock.ts";
import { systemClock } from "./_http2/system_clock.ts";
import {
  runningHandlers,
  type RunsHandlers,
} from "./_call/server/call_list.ts";

/** Options for {@linkcode gracefulExit}. */
export interface GracefulExitOptions {
  /**
   * The signals to act on.
   *
   * @default {["SIGINT", "SIGTERM"]}, on Windows ["SIGINT", "SIGBREAK"]
   */
  readonly signals?: readonly Deno.Signal[];
  /**
   * How long the servers go on as before after the first signal, in
   * milliseconds, while their health services say `NOT_SERVING`: as long as
   * load balancers need to send their calls elsewhere.
   *
   * @default {0}
   */
  readonly drainMs?: number;
  /**
   * How long running calls may go on after that, in milliseconds.
   *
   * @default {20000}
   */
  readonly graceMs?: number;
  /**
   * Told which methods still ran a second after the grace, one entry for each
   * call, before the process is ended.
   *
   * @default writes them to the console
   */
  readonly onOverdue?: (methodNames: readonly string[]) => void;
}

const OPTIONS: OptionNames<GracefulExitOptions> = {
  signals: true,
  drainMs: true,
  graceMs: true,
  onOverdue: true,
};

/** What {@linkcode gracefulExit} closes: a server. */
export interface Closable {
  /**
   * Begins to close, and is done with it after both times at the latest.
   *
   * @param options How long to go on as before, if at all, and how long what
   * runs may go on then, in milliseconds.
   */
  close(
    options: { readonly graceMs: number; readonly drainMs?: number },
  ): void;
  /**
   * Waits until all that ran is over; without it that is when `close()` returns.
   */
  waitClosed?(): Promise<unknown>;
}

/** How long handlers may take to end when the grace is over. */
const OVERDUE_AFTER_MS = 1000;

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
 * The first signal closes them: they go on as before for `drainMs`, running
 * calls may go on for `graceMs` then, and `waitClosed()` resolves when all is
 * over. The second ends the process at once with 128 + the number of the signal.
 * So does the first, a second after the grace, when there are handlers that still
 * run: they did not heed their signal.
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
 * @throws {TypeError} If an option is unknown or of a wrong type.
 * @throws {RangeError} If a time is negative or not a number.
 */
export function gracefulExit(
  servers: Iterable<Closable>,
  options: GracefulExitOptions = {},
): Disposable {
  checkOptions("Cannot listen to signals", options, OPTIONS);
  const {
    signals = Deno.build.os === "windows"
      ? ["SIGINT", "SIGBREAK"]
      : ["SIGINT", "SIGTERM"],
    drainMs = 0,
    graceMs = 20_000,
    onOverdue = logOverdue,
  } = options;
  checkFunction("Cannot listen to signals", "onOverdue", onOverdue);
  // Told now, and not when the signal comes.
  checkTimes("Cannot listen to signals", { drainMs, graceMs });
  const times = drainMs > 0 ? { drainMs, graceMs } : { graceMs };
  const all = [...servers];
  let signalled = false;
  let timer: ClockTimer | undefined;
  const begin = (code: number): void => {
    for (const server of all) server.close(times);
    const waitMs = drainMs + graceMs + OVERDUE_AFTER_MS;
    if (waitMs > MAX_DELAY_MS) return;
    timer = systemClock.setTimeout(() => {
      try {
        onOverdue(
          all.flatMap((server) =>
            (server as Partial<RunsHandlers>)[runningHandlers] ?? []
          ),
        );
      } finally {
        Deno.exit(code);
      }
    }, waitMs);
    // It ends a process that goes on, and keeps none going.
    timer.unref();
    const stop = (): void => systemClock.clearTimeout(timer);
    Promise.all(all.map((server) => server.waitClosed?.())).then(stop, stop);
  };
  const listeners = signals.map((signal) => {
    const listener = (): void => {
      const code = 128 + (EXIT_CODES[signal] ?? 0);
      if (signalled) Deno.exit(code);
      signalled = true;
      begin(code);
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return {
    [Symbol.dispose](): void {
      systemClock.clearTimeout(timer);
      for (const remove of listeners.splice(0)) remove();
    },
  };
}

/** What is done with the names of methods that did not end in time. */
function logOverdue(methodNames: readonly string[]): void {
  const counts = Map.groupBy(methodNames, (name) => name);
  const names = [...counts].map(([name, { length }]) =>
    length === 1 ? name : `${name} (${length} calls)`
  );
  // The process is about to end: nobody else can tell why.
  // deno-lint-ignore no-console
  console.error(
    `Cannot close gracefully, the grace is over and these still run: ${
      names.join(", ") || "connections that do not close"
    }`,
  );
}
