/**
 * Programs in processes of their own, spoken with line by line.
 *
 * @module
 */

import { getDefaultEngine } from "../_engines.ts";

/** What has a program use the same HTTP/2 engine as its tests. */
function engineArgs(): string[] {
  if (getDefaultEngine() === "node") return [];
  return ["--preload", import.meta.resolve("./native_engine.ts")];
}

/** A running program. */
export class ChildProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";
  #isInputOpen = true;

  /**
   * Starts Deno with a program.
   *
   * @param args What stands after `deno run`.
   * @param env Variables that the program gets beside those there are.
   */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...engineArgs(), ...args],
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
  }

  /** Writes one line. That the program has ended is told when it is read. */
  async send(line: string): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`))
      .catch(() => {});
  }

  /** Reads one line; null when there are no more. */
  async line(): Promise<string | null> {
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

  /** Reads one line as JSON; there has to be one. */
  async event<T>(): Promise<T> {
    const line = await this.line();
    if (line !== null) return JSON.parse(line);
    const { code } = await this.#process.status;
    throw new Error(`The program has ended with code ${code}`);
  }

  /** How the program has ended, once it has. */
  get status(): Promise<Deno.CommandStatus> {
    return this.#process.status;
  }

  /** Sends a signal to the program. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    this.#process.kill(signal);
  }

  /** Ends the input, so that the program leaves, and waits until it has. */
  async leave(): Promise<Deno.CommandStatus> {
    if (this.#isInputOpen) {
      this.#isInputOpen = false;
      await this.#input.close().catch(() => {});
    }
    while (await this.line() !== null);
    return await this.#process.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Starts a peer under Node, or under Deno where there is no Node. */
export function startPeer(...args: string[]): ChildProcess {
  return new ChildProcess([
    "-A",
    import.meta.resolve("./run_peer.ts"),
    ...args,
  ]);
}

/** Whether there is a Node to run peers that need one. */
export async function hasNode(): Promise<boolean> {
  const probe = startPeer("--only-node", "bare_peer.mjs", "probe");
  return (await probe.leave()).success;
}
