import { labelFacet } from './checks/facets.js';
import { lacking } from './checks/labels.js';
import { spreadDomain } from './checks/spread-label.js';
import { Users } from './demand/users.js';
import { rttMsOfSquaredChord } from './geo.js';
import { pricedParts, replicaPrice } from './price.js';
import { replicaRange } from './replica-range.js';
import { BestOf } from './search/best-of.js';
import { clusterUsers } from './search/cluster-users.js';
import type { Sifted } from './sift.js';
import { DEFAULT_WEIGHTS } from './weights.js';

/** Sites are pruned when more than this pass the checks. */
export const CANDIDATES_MAX = 256;
/** Places among the users for which the best sites are sought, and how many for each. */
const PLACES = 32;
const BEST_PER_PLACE = 2;
/** Kept for costing least, wherever they are, and for being nearest to the heaviest users. */
const CHEAPEST = 24;
const NEAREST_TO = 24;
/** Cells along one edge of the cube around the globe: in each, the sites that cost least are looked at for every place. */
const CELLS = 16;
const BEST_PER_CELL = 2;
/** Of each group of a spread, when there are no more groups than this. */
const GROUPS_MAX = 64;
const BEST_PER_GROUP = 6;
const AROUND_MAX = 512;

/**
 * Keeps the sites worth searching, by ascending index: what holds something now, the sites that cost least, the nearest to
 * the heaviest users, for each of some places among the users those with the best sum of cost and way, and some of every
 * group of a spread. What this costs in the objective is measured in test/bench (`placement.10k_gap_pct`). `places`: the
 * users, gathered.
 */
export function worthSearching(sifted: Sifted, users: Users, most = CANDIDATES_MAX): Int32Array {
  if (sifted.feasible.length <= most) return sifted.feasible;
  return new Pruning(sifted, users).kept();
}

class Pruning {
  /** By index of site: what one replica there costs, beside the users' way to it. */
  readonly #score: Float64Array;
  readonly #kept = new Set<number>();
  /** What a millisecond to all users of one replica is worth. */
  readonly #perMs: number;

  constructor(
    private readonly sifted: Sifted,
    private readonly users: Users,
  ) {
    const { request } = sifted;
    const { perLatencyMs } = request.weights ?? DEFAULT_WEIGHTS;
    this.#perMs = perLatencyMs / Math.max(1, replicaRange(request.workload.spec.placement).min);
    this.#score = this.#scores();
  }

  kept(): Int32Array {
    const { request, index, feasible, ceiling } = this.sifted;
    for (const site of request.present.keys()) {
      const at = index.ordinal(site) ?? -1;
      if ((ceiling[at] ?? 0) > 0) this.#kept.add(at);
    }
    const cheapest = new BestOf(CHEAPEST);
    // By number and not by iterator: thousands of steps, each of which would make an object.
    for (let n = 0; n < feasible.length; n += 1)
      cheapest.offer(feasible[n] ?? 0, this.#score[feasible[n] ?? 0] ?? 0);
    for (const i of cheapest.items) this.#kept.add(i);
    if (this.users.count > 0) this.#forUsers();
    this.#forGroups();
    this.#forBudget();
    this.#forRoom();
    return Int32Array.from(this.#kept).toSorted();
  }

  #scores(): Float64Array {
    const { request, index, feasible } = this.sifted;
    const { resources, placement } = request.workload.spec;
    const { perPrice, perPreference } = request.weights ?? DEFAULT_WEIGHTS;
    const { preferred } = placement.sites;
    const asked = Object.keys(preferred).length;
    const parts = Math.max(1, replicaRange(placement).min);
    const egress = (perPrice * placement.traffic.egressGiBMonth) / parts;
    const score = new Float64Array(index.sites.length);
    const [cores, memoryGiB, gpus] = pricedParts(resources);
    const [cpuPrice, memoryPrice, gpuPrice] = index.prices;
    for (let n = 0; n < feasible.length; n += 1) {
      const i = feasible[n] ?? 0;
      const price =
        cores * (cpuPrice[i] ?? 0) + memoryGiB * (memoryPrice[i] ?? 0) + gpus * (gpuPrice[i] ?? 0);
      score[i] = perPrice * price + egress * (index.egressPrice[i] ?? 0);
    }
    if (asked > 0) this.#addLacking(score, perPreference / parts / asked);
    return score;
  }

  /** What a site lacks of the preferred labels, asked once for all that have the same values of them. */
  #addLacking(score: Float64Array, perLabel: number): void {
    const { request, index, feasible } = this.sifted;
    const { preferred } = request.workload.spec.placement.sites;
    const classes = index.classes(labelFacet(Object.keys(preferred)));
    const cost = classes?.examples.map((facts) => perLabel * lacking(facts, preferred).length);
    for (const i of feasible) {
      const facts = index.sites[i];
      const lacks =
        classes && cost ? cost[classes.of[i] ?? 0] : facts && perLabel * lacking(facts, preferred).length;
      score[i] = (score[i] ?? 0) + (lacks ?? 0);
    }
  }

  #forUsers(): void {
    const near = this.#nearest();
    const pool = new Set([...this.#kept, ...near, ...this.#cellBest()]);
    const sites = Int32Array.from(pool).toSorted(
      (a, b) => (this.#score[a] ?? 0) - (this.#score[b] ?? 0) || a - b,
    );
    const places = new Users(clusterUsers(this.users, PLACES), this.users.index);
    const best = new BestOf(BEST_PER_PLACE);
    for (let p = 0; p < places.count; p += 1) {
      best.clear();
      for (let n = 0; n < sites.length; n += 1) {
        const i = sites[n] ?? 0;
        const score = this.#score[i] ?? 0;
        // Sorted by score: from here on even no way at all would not make up for it.
        if (score >= best.highest) break;
        best.offer(i, score + this.#perMs * msBetween(places, p, i));
      }
      for (const i of best.items) this.#kept.add(i);
    }
  }

  /** The best of those around each user location, by cost and way together and by the way alone; the heaviest are kept. */
  #nearest(): number[] {
    const { users, sifted } = this;
    const { maxLatencyMs } = sifted.request.workload.spec.placement;
    const heaviest = [...users.weight.keys()].toSorted(
      (a, b) => (users.weight[b] ?? 0) - (users.weight[a] ?? 0) || a - b,
    );
    const found: number[] = [];
    const around = new Int32Array(AROUND_MAX);
    for (const [rank, p] of heaviest.entries()) {
      let [near, nearMs, good, goodCost] = [-1, Number.POSITIVE_INFINITY, -1, Number.POSITIVE_INFINITY];
      const count = sifted.index.grid.around(users.x[p] ?? 0, users.y[p] ?? 0, users.z[p] ?? 0, around);
      for (let n = 0; n < count; n += 1) {
        const i = around[n] ?? 0;
        if ((sifted.ceiling[i] ?? 0) <= 0) continue;
        const ms = msBetween(users, p, i);
        const cost = (this.#score[i] ?? 0) + this.#perMs * ms;
        if (ms < nearMs) [near, nearMs] = [i, ms];
        if (cost < goodCost) [good, goodCost] = [i, cost];
      }
      if (near < 0) continue;
      found.push(near, good);
      if (rank < NEAREST_TO || maxLatencyMs !== undefined) this.#kept.add(near);
    }
    return found;
  }

  /** In every cell of the globe the sites that cost least. */
  #cellBest(): number[] {
    const { feasible, index } = this.sifted;
    const best = new Int32Array(CELLS ** 3 * BEST_PER_CELL).fill(-1);
    const cost = (i: number) => (i < 0 ? Number.POSITIVE_INFINITY : (this.#score[i] ?? 0));
    for (let n = 0; n < feasible.length; n += 1) {
      const i = feasible[n] ?? 0;
      const cell = (cellOf(index.x[i]) * CELLS + cellOf(index.y[i])) * CELLS + cellOf(index.z[i]);
      let at = (cell + 1) * BEST_PER_CELL - 1;
      if (cost(i) >= cost(best[at] ?? -1)) continue;
      for (; at > cell * BEST_PER_CELL && cost(best[at - 1] ?? -1) > cost(i); at -= 1)
        best[at] = best[at - 1] ?? -1;
      best[at] = i;
    }
    return Array.from(best.filter((i) => i >= 0));
  }

  #forGroups(): void {
    const { spread, distinct } = this.sifted.request.workload.spec.placement;
    if (spread) this.#bestOfEach(spread.over);
    if (distinct !== undefined) this.#bestOfEach(distinct);
  }

  #bestOfEach(label: string): void {
    const groups = new Map<string, BestOf>();
    for (const i of this.sifted.feasible) {
      const facts = this.sifted.index.sites[i];
      if (!facts) continue;
      const group = spreadDomain(facts, label);
      const best = groups.get(group) ?? new BestOf(BEST_PER_GROUP);
      groups.set(group, best);
      best.offer(i, this.#score[i] ?? 0);
      if (groups.size > GROUPS_MAX) return;
    }
    for (const best of groups.values()) for (const i of best.items) this.#kept.add(i);
  }

  /** What costs least by its price alone: within a budget nothing else may do. */
  #forBudget(): void {
    const { resources, placement } = this.sifted.request.workload.spec;
    if (placement.budgetPerMonth === undefined) return;
    const cheapest = new BestOf(CHEAPEST);
    for (const i of this.sifted.feasible) {
      const facts = this.sifted.index.sites[i];
      if (facts) cheapest.offer(i, replicaPrice(facts.site.prices, resources));
    }
    for (const i of cheapest.items) this.#kept.add(i);
  }

  /** Together the kept have room for twice what is wanted, if all have. */
  #forRoom(): void {
    const { request, feasible } = this.sifted;
    const { max } = replicaRange(request.workload.spec.placement);
    let room = 0;
    for (const i of this.#kept) room += Math.min(max, this.sifted.ceilingOf(i));
    if (room >= 2 * max) return;
    const byScore = feasible.toSorted((a, b) => (this.#score[a] ?? 0) - (this.#score[b] ?? 0) || a - b);
    for (const i of byScore) {
      if (room >= 2 * max) return;
      if (this.#kept.has(i)) continue;
      this.#kept.add(i);
      room += Math.min(max, this.sifted.ceilingOf(i));
    }
  }
}

function cellOf(coordinate = 0): number {
  return Math.max(0, Math.min(CELLS - 1, Math.floor(((coordinate + 1) / 2) * CELLS)));
}

function msBetween(users: Users, p: number, site: number): number {
  const { index } = users;
  const dx = (users.x[p] ?? 0) - (index.x[site] ?? 0);
  const dy = (users.y[p] ?? 0) - (index.y[site] ?? 0);
  const dz = (users.z[p] ?? 0) - (index.z[site] ?? 0);
  return rttMsOfSquaredChord(dx * dx + dy * dy + dz * dz);
}
