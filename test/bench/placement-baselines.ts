import type { Instance } from './placement-instances.js';

/** Other ways to place the same instances: replicas by index of site, within the same ceilings. */

/** What a node pays in the score of the bin packing: 20 less the powers of ten of the free shares, at most 18. */
const BINPACK_MAX = 18;

/**
 * Spread scoring as in Nomad (scheduler/rank.go, spread.go): replicas one by one, each at the site with the best mean of its
 * scores. Bin packing: 20 - 10^free cpu - 10^free memory, over 18. Anti-affinity of the job: -(n + 1) / replicas at a site
 * that has n. Affinity: 1 for the cheaper half of the sites, when there are prices. Spread over sites with target
 * percentages, as an operator would set them who knows the users: each site the share of the users nearest to it;
 * (target - used) / target, and -1 for a site without a target. Ties: the first by name.
 */
export function spreadScoring(instance: Instance): number[] {
  const { problem } = instance;
  const targets = nearestShares(instance).map((share) => share * problem.most);
  const cheap = cheaperHalf(instance);
  const counts = problem.sites.map(() => 0);
  for (let placed = 0; placed < problem.most; placed += 1) {
    const best = bestOf(instance, counts, (site) => {
      const n = counts[site] ?? 0;
      const scores = [binPacking(instance, site, n + 1), spread(targets[site] ?? 0, n + 1)];
      if (n > 0) scores.push(-(n + 1) / problem.most);
      if (cheap?.has(site)) scores.push(1);
      return scores.reduce((sum, s) => sum + s, 0) / scores.length;
    });
    if (best === undefined) break;
    counts[best] = (counts[best] ?? 0) + 1;
  }
  return counts;
}

/** One replica after the other next to the location with the most users that has none yet; then from the start again. */
export function nearestGreedy(instance: Instance): number[] {
  const { problem } = instance;
  const counts = problem.sites.map(() => 0);
  const heaviest = [...problem.weights.keys()].toSorted(
    (a, b) => (problem.weights[b] ?? 0) - (problem.weights[a] ?? 0) || a - b,
  );
  for (let placed = 0; placed < problem.most; placed += 1) {
    const point = heaviest[placed % heaviest.length] ?? 0;
    const best = bestOf(instance, counts, (site) => -instance.ms(site, point));
    if (best === undefined) break;
    counts[best] = (counts[best] ?? 0) + 1;
  }
  return counts;
}

/** The site with room that scores best; the first of equals. */
function bestOf(
  { problem }: Instance,
  counts: readonly number[],
  score: (site: number) => number,
): number | undefined {
  let best: number | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const site of problem.sites.keys()) {
    if ((counts[site] ?? 0) >= (problem.ceilings[site] ?? 0)) continue;
    const value = score(site);
    if (value > most) [best, most] = [site, value];
  }
  return best;
}

/** Sites have as many cores as nodes and 4 GiB for each; a replica takes one core and 1 GiB. */
function binPacking({ sites }: Instance, site: number, replicas: number): number {
  const nodes = sites[site]?.nodes ?? 1;
  const score = 20 - 10 ** (1 - replicas / nodes) - 10 ** (1 - replicas / (4 * nodes));
  return Math.min(BINPACK_MAX, Math.max(0, score)) / BINPACK_MAX;
}

function spread(target: number, used: number): number {
  return target > 0 ? (target - used) / target : -1;
}

/** By site, the share of the users for whom it is the nearest that may be taken. */
function nearestShares(instance: Instance): number[] {
  const { problem } = instance;
  const shares = problem.sites.map(() => 0);
  for (const [p, weight] of problem.weights.entries()) {
    let nearest: number | undefined;
    for (const site of problem.sites.keys()) {
      if ((problem.ceilings[site] ?? 0) === 0) continue;
      if (nearest === undefined || instance.ms(site, p) < instance.ms(nearest, p)) nearest = site;
    }
    if (nearest !== undefined) shares[nearest] = (shares[nearest] ?? 0) + weight;
  }
  return shares;
}

function cheaperHalf({ sites }: Instance): ReadonlySet<number> | undefined {
  const price = (site: number) => sites[site]?.cpuCoreMonth ?? 0;
  const byPrice = [...sites.keys()].toSorted((a, b) => price(a) - price(b));
  if (price(byPrice.at(-1) ?? 0) === 0) return undefined;
  return new Set(byPrice.slice(0, Math.floor(byPrice.length / 2)));
}
