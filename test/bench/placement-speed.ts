import { performance } from 'node:perf_hooks';
import { explanation, place, type Explanation } from '@skerry/domain';
import { largestCities } from './placement-cities.js';
import { requestOf } from './placement-cloud.js';
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
const BATCH = 50;

/**
 * How long one decision takes: a fresh workload with fresh users each time, over a fleet that does not change (its index is
 * made once, in the first decision, which is not counted).
 */
export async function speed(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(20_000);
  const samples = quick ? SAMPLES / 4 : SAMPLES;
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

/** Milliseconds of each run. What is prepared for it is not counted, and made in advance, so that its garbage is not either. */
function measure(samples: number, prepare: (n: number) => () => number): number[] {
  const times: number[] = [];
  for (let done = 0; done < WARM + samples; done += BATCH) {
    const runs = Array.from({ length: BATCH }, (_, n) => prepare(done + n));
    for (const [n, run] of runs.entries()) {
      const began = performance.now();
      if (run() === 0) throw new Error(`decision ${done + n} placed nothing`);
      if (done + n >= WARM) times.push(performance.now() - began);
    }
  }
  return times;
}
