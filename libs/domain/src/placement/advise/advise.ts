import { asNumbers, problemOf } from '../problem.js';
import { place } from '../place.js';
import { SiteIndex } from '../site-index.js';
import { Users } from '../demand/users.js';
import type { Decision, Snapshot } from '../types.js';
import { advisedOf, type Advised } from './figures.js';
import { gatherUsers } from './gather-users.js';
import { interchange, withOneMore, type OpenProblem, type OpenSet } from './interchange.js';
import { placeRequestOf, snapshotOf, type AdviceRequest } from './prospects.js';

export interface Advice {
  /** The number of sites, at most `maxSites`, whose objective is least; of equals the fewer. Undefined when no prospect may be taken. */
  readonly chosen: Advised | undefined;
  /** The best one site, the best two, … up to `maxSites` or as many as there are. */
  readonly curve: readonly Advised[];
  /** With one site more than those chosen. */
  readonly next: Advised | undefined;
  /** Prospects that may not be taken, and why; at most `LIMITS.rejectedSitesPerDecision`. */
  readonly rejected: Decision['rejected'];
}

/** Objectives nearer than this are equal. */
const EPSILON = 1e-9;

/**
 * Which sites to open for these users, for every number of sites up to `maxSites` and one beyond: the engine's own checks,
 * estimates and objective, for one replica a site. Its decision, and the best set of one site fewer with one more, are each
 * exchanged to a local optimum without the limits of time that a decision has; so no number of sites is worse than fewer.
 * Seconds for thousands of sites and users: `onStep` hears how many of how many numbers have been tried.
 */
export function advise(request: AdviceRequest, onStep?: (done: number, of: number) => void): Advice {
  const snapshot = snapshotOf(request.prospects);
  const index = SiteIndex.of(snapshot.sites);
  const users = new Users(request.users, index, request.measuredMs);
  const { sets, rejected } = searched(request, snapshot, onStep);
  const tried = sets.map((names) =>
    advisedOf(
      request,
      users,
      index,
      names.flatMap((name) => index.ordinal(name) ?? []),
    ),
  );
  const curve = tried.slice(0, request.maxSites);
  const least = curve.reduce((min, { objective }) => Math.min(min, objective), Number.POSITIVE_INFINITY);
  const at = curve.findIndex(({ objective }) => objective <= least + EPSILON);
  return { chosen: curve[at], curve, next: at < 0 ? undefined : tried[at + 1], rejected };
}

/** The best set found of each number of sites, by name. */
function searched(
  asked: AdviceRequest,
  snapshot: Snapshot,
  onStep: ((done: number, of: number) => void) | undefined,
): { sets: string[][]; rejected: Decision['rejected'] } {
  const { measuredMs, ...rest } = asked;
  const gathered = gatherUsers(asked.users, measuredMs);
  const request = {
    ...rest,
    users: gathered.users,
    ...(gathered.measuredMs === undefined ? {} : { measuredMs: gathered.measuredMs }),
  };
  const numbers = asNumbers(problemOf(placeRequestOf(request, 1), snapshot));
  const problem: OpenProblem = {
    fixed: numbers.marginals.map((marginals) => marginals[0] ?? 0),
    demand: numbers.demand,
    costs: numbers.costs,
  };
  const ordinal = new Map(numbers.sites.map((name, i) => [name, i]));
  const sets: string[][] = [];
  let rejected: Decision['rejected'] = [];
  let before: readonly number[] = [];
  const most = Math.min(asked.maxSites + 1, numbers.sites.length);
  for (let count = 1; count <= Math.max(1, most); count += 1) {
    const decision = place(placeRequestOf(request, count), snapshot);
    if (count === 1) ({ rejected } = decision);
    const decided = decision.shares.flatMap(({ site }) => ordinal.get(site) ?? []);
    const starts = [decided, withOneMore(problem, before) ?? []].filter((set) => set.length === count);
    const best = cheapest(starts.map((start) => interchange(problem, start)));
    if (best === undefined) break;
    before = best.open;
    sets.push(best.open.flatMap((i) => numbers.sites[i] ?? []));
    onStep?.(count, most);
  }
  return { sets, rejected };
}

function cheapest(sets: readonly OpenSet[]): OpenSet | undefined {
  return sets.reduce<OpenSet | undefined>(
    (best, set) => (best === undefined || set.cost < best.cost - EPSILON ? set : best),
    undefined,
  );
}
