/**
 * Simulates a fleet of servers and clients, with the balancing, the name
 * resolution and the retries of the library and a clock that needs no time:
 *
 *     deno task simulate            prints what comes of it, after some minutes
 *     deno task simulate --report   writes docs/simulation.md and its chart, too
 *     deno task simulate --small    a tenth of it
 *
 * @module
 */

// A tool speaks on the console.
// deno-lint-ignore-file no-console

import { type Bar, drawChart } from "../bench/chart.ts";
import { replaceSection, table } from "../_tools/report.ts";
import type { FleetSize, Policy } from "./fleet.ts";
import {
  type Arrival,
  newServers,
  type Overload,
  overload,
  type Slow,
  slowServer,
  type Spread,
  spread,
} from "./scenarios.ts";

const POLICIES: readonly Policy[] = [
  "pick_first",
  "round_robin",
  "least_request",
];

const PAGE = "docs/simulation.md";
const CHART = "docs/simulation/overload.svg";

/** All that is simulated. */
interface Results {
  readonly spreads: readonly Spread[];
  readonly slow: readonly Slow[];
  readonly arrivals: readonly Arrival[];
  readonly overloads: readonly Overload[];
}

function percent(part: number): string {
  return `${(100 * part).toFixed(part < 0.1 ? 1 : 0)} %`;
}

function ms(value: number): string {
  return `${value.toFixed(0)} ms`;
}

function sections({ spreads, slow, arrivals, overloads }: Results) {
  return {
    spread: table([
      ["", "most", "fewest", "deviation", "p50", "p99"],
      ...spreads.map((it) => [
        `\`${it.policy}\``,
        percent(it.most),
        percent(it.fewest),
        percent(it.deviation),
        ms(it.p50),
        ms(it.p99),
      ]),
    ]),
    slow: table([
      ["", "clients", "requests of the slow server", "failed calls", "p99"],
      ...slow.map((it) => [
        `\`${it.policy}\``,
        `${it.clients}`,
        percent(it.share),
        percent(it.failed),
        ms(it.p99),
      ]),
    ]),
    arrival: table([
      ["", "half of them after", "all after", "failed calls"],
      ...arrivals.map((it) => [
        it.what,
        `${it.half} s`,
        `${it.all} s`,
        percent(it.failed),
      ]),
    ]),
    overload: table([
      ["retries", "requests for a call", "failed calls", "well again after"],
      ...overloads.map((it) => [
        it.retries,
        it.offered.toFixed(2),
        percent(it.failed),
        `${it.recovery} s`,
      ]),
    ]),
  };
}

function chartOf(overloads: readonly Overload[]): string {
  return drawChart({
    title:
      "Requests that are sent for a call while half of the servers are away",
    unit: "requests",
    groups: [{
      title: "Retries",
      bars: overloads.map(({ retries, offered }): Bar => ({
        title: retries,
        value: offered,
        low: offered,
        high: offered,
        text: offered.toFixed(2),
        look: retries === "with throttling" ? "ours" : "other",
      })),
    }],
  });
}

async function main(flags: readonly string[]): Promise<void> {
  const size: FleetSize = flags.includes("--small")
    ? { clients: 100, backends: 20 }
    : { clients: 1_000, backends: 200 };
  const { clients, backends } = size;
  console.log(`${clients} clients, ${backends} servers`);
  const spreads: Spread[] = [];
  const slow: Slow[] = [];
  for (const policy of POLICIES) {
    spreads.push(await spread(size, policy));
    slow.push(await slowServer(size, policy));
  }
  // The same calls by a few, such as gateways.
  const few = { backends, clients: Math.ceil(clients / 50) };
  slow.push(await slowServer(few, "round_robin"));
  slow.push(await slowServer(few, "least_request"));
  const arrivals = await newServers(size);
  const overloads = await overload(size);
  const texts = sections({ spreads, slow, arrivals, overloads });
  for (const [name, text] of Object.entries(texts)) {
    console.log(`\n${name}\n\n${text}`);
  }
  if (!flags.includes("--report")) return;
  let page = await Deno.readTextFile(PAGE);
  for (const [name, text] of Object.entries(texts)) {
    page = replaceSection(page, name, text);
  }
  await Deno.writeTextFile(PAGE, page);
  await Deno.writeTextFile(CHART, chartOf(overloads));
  const args = ["fmt", "--quiet", PAGE, CHART];
  await new Deno.Command(Deno.execPath(), { args }).output();
}

if (import.meta.main) await main(Deno.args);
