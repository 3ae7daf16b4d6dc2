import { performance } from 'node:perf_hooks';
import {
  explanation,
  nextPlacement,
  place,
  type Explanation,
  type Ledger,
  type Snapshot,
} from '@skerry/domain';
import { largestCities } from './placement-cities.js';
import { NOW, requestOf } from './placement-cloud.js';
import { fleetOf, freshWorkload } from './placement-fleet.js';
import { percentile, type Report } from './report.js';

const REPLICAS = 20;
const USERS = 2_000;
/** With a hundred sites: three replicas and the users of a country or two. The large workload is measured beside it. */
const FEW_REPLICAS = 3;
const FEW_USERS = 200;
/** Decisions before, so that all code is compiled. */
const WARM = 200;
const SAMPLES = 400;
/** Four sites, one replica and two user locations, with others placed there before: what a small cloud asks all day. */
const SMALL_SITES = 4;
const SMALL_USERS = 2;
const SMALL_HELD = 1_000;
/** Decisions in a process that has made none, whose code is not compiled yet. */
const FIRST = 1_000;

/**
 * How long one decision takes: a fresh workload with fresh users each time, over a fleet that does not change (its index is
 * made once, in the first decision, which is not counted).
 */
export async function speed(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(20_000);
  const samples = quick ? SAMPLES / 4 : SAMPLES;
  // Before all others: nothing is compiled yet.
  small(report, cities);
  const many = fleetOf(10_000, 1);
  const few = fleetOf(100, 2);
  const decide = (snapshot: typeof many, replicas: number, users: number) =>
    measure(samples, (n) => {
      const request = requestOf(freshWorkload(n, { replicas, users }, cities));
      return () => place(request, snapshot).shares.length;
    });
  const decided = decide(many, REPLICAS, USERS);
  report.add('placement.10k_sites_ms_p50', percentile(decided, 0.5), 'ms');
  report.add('placement.10k_sites_ms_p99', percentile(decided, 0.99), 'ms');
  const explained = measure(samples / 4, (n) => {
    const request = requestOf(freshWorkload(n, { replicas: REPLICAS, users: USERS }, cities));
    return () => read(explanation(request, many));
  });
  report.add('placement.10k_sites_explained_ms_p50', percentile(explained, 0.5), 'ms');
  report.add('placement.10k_sites_explained_ms_p99', percentile(explained, 0.99), 'ms');
  const hundred = decide(few, FEW_REPLICAS, FEW_USERS);
  report.add('placement.100_sites_ms_p50', percentile(hundred, 0.5), 'ms');
  report.add('placement.100_sites_ms_p99', percentile(hundred, 0.99), 'ms');
  const crowded = decide(few, REPLICAS, USERS);
  report.add('placement.100_sites_2000_users_ms_p50', percentile(crowded, 0.5), 'ms');
  report.add('placement.100_sites_2000_users_ms_p99', percentile(crowded, 0.99), 'ms');
  await Promise.resolve();
}

/** Reads every site, one after the other: each check, term and text of it is made. Returns how many checks. */
function read(all: Explanation): number {
  let checks = 0;
  for (let rank = 1; rank <= all.size; rank += 1) checks += all.ranked(rank).checks.length;
  return checks;
}

/** What the scheduler does for each workload of a small cloud: decide and lint, one after the other. */
function small(report: Report, cities: ReturnType<typeof largestCities>): void {
  const fleet = fleetOf(SMALL_SITES, 3);
  const names = fleet.sites.map(({ name }) => name);
  const need = { cpuMillicores: 1, memoryMiB: 1, diskMiB: 0 };
  for (let n = 0; n < SMALL_HELD; n += 1) {
    fleet.ledger.hold(`bench.small-${n}`, need, [{ site: names[n % names.length] ?? '', replicas: 1 }]);
  }
  const times = timesOf(3 * FIRST, (n) => decideNext(fleet, n, cities));
  const first = times.slice(0, FIRST).reduce((sum, ms) => sum + ms, 0) / FIRST;
  const warm = times.slice(2 * FIRST);
  report.add('placement.4_sites_first_1000_ms', first, 'ms');
  report.add('placement.4_sites_ms_p50', percentile(warm, 0.5), 'ms');
  report.add('placement.4_sites_ms_p99', percentile(warm, 0.99), 'ms');
}

function decideNext(
  snapshot: Snapshot & { ledger: Ledger },
  n: number,
  cities: ReturnType<typeof largestCities>,
): () => number {
  const workload = {
    ...freshWorkload(n, { replicas: 1, users: SMALL_USERS }, cities),
    name: `next-${n}`,
  };
  const refusals = new Map<string, never>();
  const inputs = () => ({ workload: '', sites: '' });
  const input = { workload, previous: undefined, refusals, snapshot, now: NOW, term: 1, epoch: 1, inputs };
  return () => nextPlacement(input)?.shares.length ?? 0;
}

/** Milliseconds of each run, without those before all code is compiled. */
function measure(samples: number, prepare: (n: number) => () => number): number[] {
  return timesOf(WARM + samples, prepare).slice(WARM);
}

/**
 * Milliseconds of each run. What is prepared for it is not counted: all of it is made in advance, as a scheduler has its
 * workloads long before it decides on them, so that neither its garbage nor its first collections fall into the runs.
 */
function timesOf(count: number, prepare: (n: number) => () => number): number[] {
  const runs = Array.from({ length: count }, (_, n) => prepare(n));
  return runs.map((run, n) => {
    const began = performance.now();
    if (run() === 0) throw new Error(`decision ${n} placed nothing`);
    return performance.now() - began;
  });
}
