/**
 * A process that is watched: its lines, its memory, and how it ended.
 *
 * @module
 */

/** How often its memory is looked at, in milliseconds. */
const LOOK_MS = 50;

/** The most memory it may have, in bytes: more of it would prove no more. */
const MOST_BYTES = 3 * 1024 ** 3;

/** Options for {@linkcode Child}. */
export interface ChildOptions {
  /**
   * The limit on its file descriptors.
   *
   * @default {undefined} that of this process
   */
  readonly descriptors?: number | undefined;
}

/**
 * Tells how much memory a process has, in bytes; 0 where nobody says, which is
 * where there is no `/proc`, or without all permissions.
 */
export function memoryOf(pid: number): number {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/status`);
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** A program of Deno in a process of its own. */
export class Child {
  /** The most memory that it had since this was reset, in bytes. */
  peakBytes = 0;
  /** Whether it was ended because it had too much. */
  isTooLarge = false;
  /** How it ended, once it has. */
  ended: Deno.CommandStatus | null = null;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #errors: Promise<string>;
  #rest = "";

  /**
   * Starts a program.
   *
   * @param module The program, beside this module.
   * @param args Its arguments.
   */
  constructor(
    module: string,
    args: readonly string[],
    options: ChildOptions = {},
  ) {
    const deno = [
      Deno.execPath(),
      ...[
        "run",
        "--no-prompt",
        "--allow-net=127.0.0.1",
        "--v8-flags=--expose-gc",
      ],
      import.meta.resolve(module),
      ...args,
    ];
    const { descriptors } = options;
    const [command, ...rest] = descriptors === undefined
      ? deno
      : ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh", ...deno];
    this.#process = new Deno.Command(command!, {
      args: rest,
      // Freed memory is not what it was: what uses it goes wrong at once.
      env: { MALLOC_PERTURB_: "165", NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#errors = new Response(this.#process.stderr).text();
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    void this.#process.status.then((status) => {
      this.ended = status;
      clearInterval(this.#timer);
    });
  }

  /** How much memory it has now, in bytes; 0 where nobody says. */
  get bytes(): number {
    return memoryOf(this.#process.pid);
  }

  /** How many file descriptors it has; 0 where nobody says. */
  get descriptors(): number {
    try {
      return [...Deno.readDirSync(`/proc/${this.#process.pid}/fd`)].length;
    } catch {
      return 0;
    }
  }

  #look(): void {
    const { bytes } = this;
    this.peakBytes = Math.max(this.peakBytes, bytes);
    if (bytes <= MOST_BYTES || this.isTooLarge) return;
    this.isTooLarge = true;
    this.kill();
  }

  /** Writes a line. */
  async send(line = ""): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`))
      .catch(() => {});
  }

  /** Reads an event; null when it has ended, or says nothing in time. */
  async event<T>(ms: number): Promise<T | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), ms);
    });
    try {
      const line = await Promise.race([this.#line(), late]);
      return line === null ? null : JSON.parse(line) as T;
    } finally {
      clearTimeout(timer);
    }
  }

  async #line(): Promise<string | null> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      if (done) return null;
      this.#rest += value;
    }
  }

  /** Ends its input, and with it the program; kills what does not leave. */
  async end(ms: number): Promise<{ status: string; errors: string }> {
    await this.#input.close().catch(() => {});
    let isKilled = false;
    const timer = setTimeout(() => {
      isKilled = true;
      this.kill();
    }, ms);
    const { code, signal } = await this.#process.status;
    clearTimeout(timer);
    const status = this.isTooLarge
      ? `killed at ${MOST_BYTES / 1024 ** 3} GiB`
      : isKilled
      ? `did not end within ${ms / 1000} s`
      : code === 0
      ? "alive"
      : `died: ${signal ?? `code ${code}`}`;
    await this.#lines.cancel().catch(() => {});
    return { status, errors: (await this.#errors).trim() };
  }

  /** Kills it. */
  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  }
}
