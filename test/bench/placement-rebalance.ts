import { place, rebalance, type PlaceRequest, type RebalanceState, type SiteFacts } from '@skerry/domain';
import { largestCities } from './placement-cities.js';
import { cloudOf, NOW, seeded } from './placement-cloud.js';
import { citySites, requestsOf } from './placement-workloads.js';
import type { Report } from './report.js';

const SITES = 500;
const WORKLOADS = 500;
const REPLICAS = 20;
/** Of all sites; they join empty after the others were filled. */
const JOINING_SHARE = 0.1;
/** Of all replicas. */
const BUDGET_SHARE = 0.05;
const SEEDS = [1, 2, 3];

/**
 * How much of the gap to a placement from nothing a rebalancing closes: 500 workloads of 20 replicas are placed on nine of
 * ten sites, the rest of the sites joins empty, and 5 % of the replicas may move. The gap is in the sum of the objectives
 * without what moving costs; the fresh placement decides all workloads again, in the same order, on all sites. Mean of
 * three draws of the sites that join.
 */
export async function rebalancing(report: Report, { quick }: { quick: boolean }): Promise<void> {
  const cities = largestCities(SITES);
  const sites = citySites(cities);
  const requests = requestsOf(cities, quick ? WORKLOADS / 10 : WORKLOADS, REPLICAS);
  const closed = SEEDS.map((seed) => closedPct(report, { sites, requests, seed }));
  report.add('placement.rebalance_closed_pct', closed.reduce((a, b) => a + b, 0) / closed.length, '%');
}

function closedPct(
  report: Report,
  { sites, requests, seed }: { sites: readonly SiteFacts[]; requests: readonly PlaceRequest[]; seed: number },
): number {
  const random = seeded(seed);
  const first = sites.filter(() => random() >= JOINING_SHARE);
  const fresh = rebalance(placedOn(sites, sites, requests), { maxMoves: 0 }).before;
  const state = placedOn(sites, first, requests);
  const began = performance.now();
  const { before, after, moved, changes } = rebalance(state, {
    maxMoves: Math.floor(requests.length * REPLICAS * BUDGET_SHARE),
  });
  const seconds = (performance.now() - began) / 1_000;
  const pct = ((before.objective - after.objective) / (before.objective - fresh.objective)) * 100;
  const mean = (sum: number) => (sum / requests.length).toFixed(2);
  report.say(
    `  ${sites.length - first.length} of ${sites.length} sites join: ${moved} replicas of ${changes.length} workloads move in ${seconds.toFixed(1)} s, ` +
      `mean objective ${mean(before.objective)} -> ${mean(after.objective)} (fresh ${mean(fresh.objective)}), ${pct.toFixed(1)} % of the gap`,
  );
  return pct;
}

/** All workloads placed on `open`, one after the other, from nothing; then `sites` are there. */
function placedOn(
  sites: readonly SiteFacts[],
  open: readonly SiteFacts[],
  requests: readonly PlaceRequest[],
): RebalanceState {
  const snapshot = cloudOf(sites);
  const workloads = requests.map(({ workload, refusals }) => {
    const placement = place(
      { workload, refusals, present: new Map(), now: NOW },
      { ...snapshot, sites: open },
    );
    snapshot.ledger.hold(`${workload.project}.${workload.name}`, workload.spec.resources, placement.shares);
    return { workload, placement, refusals };
  });
  return { workloads, snapshot, now: NOW };
}
