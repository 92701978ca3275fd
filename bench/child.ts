/**
 * Processes that are told what to do, one JSON object a line, and end with this
 * one, however it ends.
 *
 * @module
 */

/** How to start a process. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a contender cannot do, with the reason; it is left out. */
export class Skipped extends Error {
  override name = "Skipped";
}

/** A pause for garbage. */
export interface Pause {
  /** When it was, in milliseconds since the process began. */
  readonly atMs: number;
  readonly ms: number;
}

/** How long one answer may take. */
const ANSWER_MS = 90_000;

/** How long a process may take to leave. */
const LEAVE_MS = 2_000;

const PAUSE = /\s([\d.]+) ms: (?:Scavenge|Mark-Compact)\b.* MB, ([\d.]+) \/ /;

const running = new Set<Child>();

/** Ends all processes that are still there. */
export async function endAll(): Promise<void> {
  await Promise.all([...running].map((child) => child.end()));
}

/** A process that answers each line it is told with a line. */
export class Child {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting: PromiseWithResolvers<Record<string, unknown>>[] = [];
  readonly #early: Record<string, unknown>[] = [];
  readonly #name: string;
  #errors = "";
  #over = false;
  /** When the process is gone, and all it wrote is read. */
  readonly #ended: Promise<void>;
  /** The pauses for garbage, if V8 was told to tell; it does so in the end. */
  readonly pauses: Pause[] = [];

  /**
   * Starts a process.
   *
   * @param name What it is called in errors.
   * @param launch What to run.
   */
  constructor(name: string, launch: Launch) {
    this.#name = name;
    try {
      this.#process = new Deno.Command(launch.command, {
        args: [...launch.args],
        env: { NO_COLOR: "1", ...launch.env },
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      throw new Skipped(error instanceof Error ? error.message : `${error}`);
    }
    running.add(this);
    this.#input = this.#process.stdin.getWriter();
    const out = this.#read();
    const errors = this.#readErrors();
    this.#ended = this.#process.status.then(async ({ code, signal }) => {
      await Promise.allSettled([out, errors]);
      this.#over = true;
      running.delete(this);
      const error = new Error(
        `${name} ended with ${signal ?? code}: ${this.#errors.trim()}`,
      );
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Tells it something, and waits for the answer. */
  async ask<A>(question: object): Promise<A> {
    const answer = this.answer<A>();
    await this.#input
      .write(new TextEncoder().encode(`${JSON.stringify(question)}\n`))
      .catch(() => {});
    return await answer;
  }

  /** Waits for the next answer. */
  async answer<A>(): Promise<A> {
    const answer = this.#early.shift() ?? await this.#next();
    if (typeof answer.unsupported === "string") {
      throw new Skipped(answer.unsupported);
    }
    if (answer.error !== undefined) {
      throw new Error(`${this.#name}: ${answer.error}`);
    }
    return answer as A;
  }

  /** Ends it: gently, and if that does not help, at once. */
  async end(): Promise<void> {
    if (this.#over) return;
    await this.#input.close().catch(() => {});
    const kill = setTimeout(() => this.#kill(), LEAVE_MS);
    await this.#ended;
    clearTimeout(kill);
  }

  async #next(): Promise<Record<string, unknown>> {
    if (this.#over) {
      throw new Error(`${this.#name} has ended: ${this.#errors.trim()}`);
    }
    const waiting = Promise.withResolvers<Record<string, unknown>>();
    this.#waiting.push(waiting);
    const timer = setTimeout(() => {
      waiting.reject(new Error(`${this.#name} has not answered in time`));
      this.#kill();
    }, ANSWER_MS);
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
  }

  async #read(): Promise<void> {
    for await (const line of linesOf(this.#process.stdout)) {
      if (line.startsWith("{")) {
        const answer = JSON.parse(line) as Record<string, unknown>;
        const waiting = this.#waiting.shift();
        if (waiting === undefined) this.#early.push(answer);
        else waiting.resolve(answer);
      } else {
        // [1:0x2]  345 ms: Scavenge 5.1 (6.4) -> 4.8 (7.4) MB, 0.51 / 0.00 ms …
        const [, at, ms] = PAUSE.exec(line) ?? [];
        if (ms !== undefined) {
          this.pauses.push({ atMs: Number(at), ms: Number(ms) });
        }
      }
    }
  }

  async #readErrors(): Promise<void> {
    for await (const line of linesOf(this.#process.stderr)) {
      this.#errors = `${this.#errors}\n${line}`.slice(-1_000);
    }
  }
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
  if (rest !== "") yield rest;
}
