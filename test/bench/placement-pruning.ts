import { DEFAULT_WEIGHTS, UNPRUNED, work, type PlaceRequest, type Snapshot } from '@skerry/domain';
import { largestCities } from './placement-cities.js';
import { requestOf } from './placement-cloud.js';
import { fleetOf, freshWorkload } from './placement-fleet.js';
import type { Report } from './report.js';

const REPLICAS = 20;
const USERS = 2_000;
const INSTANCES = 6;
/** Where the way of the users counts for more than prices do, the choice of sites is another one. */
const NEAR_USERS = { ...DEFAULT_WEIGHTS, perLatencyMs: 50 };

/**
 * What it costs in the objective that a decision looks at some hundred sites and user locations only: against the same
 * search over all sites that pass the checks and over every user location, with no bound on its work.
 */
export async function pruning(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(20_000);
  const fleet = fleetOf(10_000, 1);
  const gaps: number[] = [];
  for (let n = 0; n < (quick ? 2 : INSTANCES); n += 1) {
    const request = requestOf(freshWorkload(10_000 + n, { replicas: REPLICAS, users: USERS }, cities));
    gaps.push(gapOf(request, fleet), gapOf({ ...request, weights: NEAR_USERS }, fleet));
    report.say(
      `  ${gaps
        .slice(-2)
        .map((gap) => gap.toFixed(3))
        .join(' %, near users ')} %`,
    );
  }
  report.add('placement.10k_gap_pct', gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length, '%');
  report.add('placement.10k_gap_max_pct', Math.max(...gaps), '%');
  await Promise.resolve();
}

/** In percent of the unpruned search's objective; below 0 when pruning happened to find a better local optimum. */
function gapOf(request: PlaceRequest, fleet: Snapshot): number {
  const whole = work(request, fleet, UNPRUNED).chosen.objective;
  return ((work(request, fleet).chosen.objective - whole) / whole) * 100;
}
