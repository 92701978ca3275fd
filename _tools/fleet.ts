/**
 * Counts the calls that are lost when servers restart behind a proxy, when
 * their connections grow old, and when clients cancel calls beside others:
 *
 *     deno task interop:tools --all   installs the foreign programs
 *     deno task fleet                 runs it; with words, the rows that have them
 *
 * Options: `--runs=3` does each row so often, `--short` takes our own server and
 * less time, `--engine=native` that engine for our side, `--errors` prints what
 * the lost calls ended with, `--report` writes docs/conformance.md. The exit code
 * tells whether our server lost any, twice in a row: a connection that comes in
 * the moment in which a port is closed is lost to whoever does not try again.
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { freePort } from "../_testdata/child_process.ts";
import {
  CLIENTS,
  FLEET_PROXIES,
  type Load,
  type LoadOptions,
  type LoadProgram,
  type Outcomes,
  type Program,
  PROXIES,
  type Proxy,
  type Running,
  SERVERS,
  startFleetProxy,
  startProxy,
  startServer,
  UNSENT,
} from "./fleet_programs.ts";
import { report, table } from "./report.ts";

const SHORT = Deno.args.includes("--short");

const WORKERS = 20;
const RESTARTS = SHORT ? 2 : 4;
const MAX_AGE_MS = 500;
const AGE_RUN_MS = SHORT ? 3_000 : 8_000;
/** How long servers run before the next restart. */
const PAUSE_MS = 700;

const MANY_WORKERS = 200;
const DEADLINE_MS = 50;
const DEADLINE_RUN_MS = SHORT ? 4_000 : 10_000;
const CANCELS_PER_SECOND = 200;
const CANCEL_RUN_MS = SHORT ? 10_000 : 60_000;
/** How long the calls take that are not to end in time. */
const SLOW_MS = 100;

const FLEET = 4;
/** How often all servers of a fleet are restarted. */
const FLEET_RESTARTS = SHORT ? 1 : 3;
const FLEET_WORKERS = 500;
/** How long calls to a fleet take, so that all workers have one in flight. */
const FLEET_CALL_MS = 1_000;
/** Longer than proxies take to see that a server drains. */
const FLEET_DRAIN_MS = 3_500;

/** One row of the table: what is measured, with which client and server. */
interface Row {
  readonly what: string;
  readonly client: LoadProgram;
  readonly server: Program;
  run(dir: string): Promise<Outcomes>;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Calls while the two servers behind a proxy are restarted in turn. */
async function restarts(
  proxy: Proxy,
  client: LoadProgram,
  server: Program,
  dir: string,
): Promise<Outcomes> {
  const port = freePort();
  const upstreams = [freePort(), freePort()];
  const servers: Running[] = await Promise.all(
    upstreams.map((it) => startServer(server, it)),
  );
  const front = await startProxy(proxy, dir, { port, upstreams });
  let load: Load | undefined;
  try {
    load = client.start({ port, workers: WORKERS });
    await sleep(2 * PAUSE_MS);
    for (let i = 0; i < RESTARTS; i++) {
      const which = i % upstreams.length;
      await servers[which]!.stop();
      servers[which] = await startServer(server, upstreams[which]!);
      await sleep(PAUSE_MS);
    }
    return await load.finish();
  } finally {
    await front.stop();
    await Promise.all(servers.map((it) => it.stop()));
  }
}

/** Calls while the servers of a fleet are restarted one by one. */
async function rolling(
  { proxy, retry }: { proxy: Proxy | undefined; retry: boolean },
  client: LoadProgram,
  server: Program,
  dir: string,
): Promise<Outcomes> {
  const flags = { wait_ms: FLEET_CALL_MS, drain_ms: FLEET_DRAIN_MS };
  const port = freePort();
  const upstreams = Array.from({ length: FLEET }, freePort);
  const servers: Running[] = await Promise.all(
    upstreams.map((it) => startServer(server, it, flags)),
  );
  const front = proxy &&
    await startFleetProxy(proxy, dir, { port, upstreams });
  try {
    const load = client.start({
      port: front === undefined ? upstreams : port,
      workers: FLEET_WORKERS,
      retry,
    });
    await sleep(2 * PAUSE_MS);
    for (let i = 0; i < FLEET * FLEET_RESTARTS; i++) {
      const which = i % FLEET;
      await servers[which]!.stop();
      servers[which] = await startServer(server, upstreams[which]!, flags);
      await sleep(PAUSE_MS);
    }
    return await load.finish();
  } finally {
    await front?.stop();
    await Promise.all(servers.map((it) => it.stop()));
  }
}

/** Calls a server for some time. */
async function calls(
  { client, server }: { client: LoadProgram; server: Program },
  flags: Readonly<Record<string, number>>,
  options: Omit<LoadOptions, "port">,
  runMs: number,
): Promise<Outcomes> {
  const port = freePort();
  const running = await startServer(server, port, flags);
  try {
    const load = client.start({ port, ...options });
    await sleep(runMs);
    return await load.finish();
  } finally {
    await running.stop();
  }
}

/** The restarts of a whole fleet: of our server, under our client. */
function fleetRowsOf(server: Program): Row[] {
  const client = CLIENTS.ours;
  return [
    ...[false, true].map((retry) => ({ proxy: undefined, retry })),
    ...FLEET_PROXIES.map((proxy) => ({ proxy, retry: true })),
  ].map(({ proxy, retry }) => ({
    what: `rolling restarts${
      proxy === undefined ? ", round_robin" : ` behind ${proxy.name}`
    }${retry ? ", retry" : ""}`,
    client,
    server,
    run: (dir) => rolling({ proxy, retry }, client, server, dir),
  }));
}

function rowsOf(server: Program): Row[] {
  const rows: Row[] = server.name === "ours" ? fleetRowsOf(server) : [];
  for (const proxy of PROXIES) {
    for (const client of [CLIENTS.ours, CLIENTS.ghz]) {
      rows.push({
        what: `restarts behind ${proxy.name}`,
        client,
        server,
        run: (dir) => restarts(proxy, client, server, dir),
      });
    }
  }
  for (const client of [CLIENTS.tonic, CLIENTS.ghz]) {
    rows.push({
      what: `maximum age of ${MAX_AGE_MS} ms`,
      client,
      server,
      run: () =>
        calls(
          { client, server },
          { max_age_ms: MAX_AGE_MS },
          { workers: WORKERS },
          AGE_RUN_MS,
        ),
    });
  }
  for (const client of [CLIENTS.ours, CLIENTS.ghz]) {
    rows.push({
      what: `deadlines of ${DEADLINE_MS} ms`,
      client,
      server,
      run: () =>
        calls(
          { client, server },
          { wait_ms: SLOW_MS },
          { workers: MANY_WORKERS, deadlineMs: DEADLINE_MS },
          DEADLINE_RUN_MS,
        ),
    });
  }
  const client = CLIENTS.ours;
  rows.push({
    what: `${CANCELS_PER_SECOND} cancels a second`,
    client,
    server,
    run: () =>
      calls(
        { client, server },
        { wait_ms: SLOW_MS },
        { workers: WORKERS, cancelsPerSecond: CANCELS_PER_SECOND },
        CANCEL_RUN_MS,
      ),
  });
  return rows;
}

/** What is no loss: calls that went well, or ended as they were asked to. */
function isExpected(outcome: string): boolean {
  return outcome === "OK" || outcome === "cancelled" ||
    /DEADLINE_EXCEEDED|DeadlineExceeded/.test(outcome);
}

/** How many calls were lost, and how many the client itself did not send. */
function lost(outcomes: Outcomes): { lost: number; unsent: number } {
  let lost = 0;
  let unsent = 0;
  for (const [outcome, count] of outcomes) {
    if (UNSENT.includes(outcome)) unsent += count;
    else if (!isExpected(outcome)) lost += count;
  }
  return { lost, unsent };
}

/** What is not here. */
function missing(): string[] {
  return [
    ...[...SERVERS, ...FLEET_PROXIES].filter(({ command }) => command === null),
    ...Object.values<LoadProgram>(CLIENTS).filter(({ isHere }) => !isHere),
  ].map(({ name }) => name);
}

async function main(args: readonly string[]): Promise<number> {
  const words = args.filter((it) => !it.startsWith("--"));
  const [runs = 1] = args.filter((it) => it.startsWith("--runs="))
    .map((it) => Number(it.slice("--runs=".length)));
  const absent = missing();
  for (const name of absent) {
    console.log(`Skipped: no ${name} (deno task interop:tools --all)`);
  }
  const rows = SERVERS.filter(({ name }) => !SHORT || name === "ours")
    .flatMap(rowsOf)
    .filter(({ what, client, server }) => {
      const text = `${what}, ${client.name} → ${server.name}`;
      return [...words].every((word) => text.includes(word)) &&
        !absent.some((name) => text.includes(name));
    });
  const cells = [["", "client", "server", "lost", "not sent", "of"]];
  let failed = false;
  const dir = await Deno.makeTempDir({ prefix: "grpclib_fleet_" });
  try {
    for (const row of rows) {
      const all: Outcomes[] = [];
      const again = (): boolean =>
        row.server.name === "ours" && all.length === runs &&
        lost(all.at(-1)!).lost > 0;
      while (all.length < runs || again()) {
        const outcomes = await row.run(dir);
        all.push(outcomes);
        if (!args.includes("--errors")) continue;
        for (const [outcome, count] of outcomes) {
          console.log(`  ${count} × ${outcome}`);
        }
      }
      const losses = all.map((it) => lost(it).lost);
      if (
        row.server.name === "ours" &&
        losses.some((it, i) => it > 0 && losses[i + 1]! > 0)
      ) failed = true;
      const cell = losses.join(", ");
      const unsent = all.map((it) => lost(it).unsent).join(", ");
      const counts = all.flatMap((it) => [...it.values()]);
      const total = `${counts.reduce((sum, it) => sum + it, 0)}`;
      const { what, client, server } = row;
      console.log(
        `${what}, ${client.name} → ${server.name}: ${cell} lost of ${total}`,
      );
      cells.push([what, client.name, server.name, cell, unsent, total]);
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
  console.log(`\n${table(cells)}`);
  if (args.includes("--report")) await report("fleet", table(cells));
  return failed ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
