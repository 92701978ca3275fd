/**
 * Keeps several servers running on one port, one for each core, and restarts them
 * one by one when it gets SIGHUP: first the successor serves, then the old one
 * drains and ends.
 *
 *     deno run --allow-run=deno examples/fleet/supervisor.ts 4 --port=50051
 *
 * The first argument is the number of processes, the others are those of
 * `server.ts`. A process that ends by itself is started again; SIGTERM and SIGINT
 * end all of them.
 *
 * @module
 */

/** A server in a process of its own. */
interface Worker {
  readonly pid: number;
  /** Whether it came to serve; false if it ended before. */
  readonly serves: Promise<boolean>;
  /** How it has ended. */
  readonly ended: Promise<Deno.CommandStatus>;
  /** Asks it to leave. */
  stop(): void;
}

/** What one server after another takes. */
interface Place {
  worker: Worker;
}

/** How long nothing is started when a process has just failed. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

const [count = `${navigator.hardwareConcurrency}`, ...serverArgs] = Deno.args;
const SERVER = [
  ...["run", "--no-prompt", "--allow-net"],
  ...[import.meta.resolve("./server.ts"), "--reuse-port", ...serverArgs],
];

const stopping = new AbortController();
/** All processes, those that are about to leave as well. */
const running = new Set<Worker>();

function start(): Worker {
  const child = new Deno.Command("deno", {
    args: SERVER,
    stdin: "null",
    stdout: "piped",
    // A terminal sends SIGINT to a whole group, and a second signal would end
    // the servers at once.
    detached: true,
  }).spawn();
  const { promise: serves, resolve } = Promise.withResolvers<boolean>();
  const read = async () => {
    for await (const _ of child.stdout) resolve(true);
    resolve(false);
  };
  const worker: Worker = {
    pid: child.pid,
    serves,
    ended: Promise.all([child.status, read()]).then(([status]) => {
      running.delete(worker);
      return status;
    }),
    stop() {
      if (running.has(worker)) child.kill("SIGTERM");
    },
  };
  running.add(worker);
  return worker;
}

/** Keeps a place taken until all is over. */
async function keep(place: Place): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS;;) {
    const { worker } = place;
    const served = await worker.serves;
    if (served) pauseMs = FIRST_PAUSE_MS;
    const { code } = await worker.ended;
    if (stopping.signal.aborted) return;
    // Its successor serves already.
    if (place.worker !== worker) continue;
    console.log(`Process ${worker.pid} has ended by itself, with ${code}`);
    await pause(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    if (stopping.signal.aborted) return;
    if (place.worker === worker) place.worker = start();
  }
}

/** Waits, but not when all is to end. */
async function pause(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  stopping.signal.addEventListener("abort", () => resolve());
  await promise;
  clearTimeout(timer);
}

/** Restarts the servers one by one, as long as the new ones come to serve. */
async function restart(places: readonly Place[]): Promise<void> {
  for (const place of places) {
    if (stopping.signal.aborted) return;
    const successor = start();
    if (!await successor.serves) {
      console.log("The new server does not serve: the others stay");
      return;
    }
    const { worker: old } = place;
    place.worker = successor;
    old.stop();
    await old.ended;
    console.log(`Process ${successor.pid} took the place of ${old.pid}`);
  }
  console.log("All servers are restarted");
}

const places: Place[] = Array.from(
  { length: Number(count) },
  () => ({ worker: start() }),
);
let restarted = Promise.resolve();
const onHangUp = () => {
  restarted = restarted.then(() => restart(places));
};
const onEnd = () => {
  stopping.abort();
  for (const worker of running) worker.stop();
};
Deno.addSignalListener("SIGHUP", onHangUp);
Deno.addSignalListener("SIGTERM", onEnd);
Deno.addSignalListener("SIGINT", onEnd);
const kept = places.map(keep);
const all = await Promise.all(places.map(({ worker }) => worker.serves));
console.log(`${all.filter(Boolean).length} servers are there`);
await Promise.all(kept);
await restarted;
Deno.removeSignalListener("SIGHUP", onHangUp);
Deno.removeSignalListener("SIGTERM", onEnd);
Deno.removeSignalListener("SIGINT", onEnd);
