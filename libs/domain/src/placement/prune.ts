import { ascending } from './ascending.js';
import { labelFacet } from './checks/facets.js';
import { lacking } from './checks/labels.js';
import { copiesLacking, preferredCopies } from './preferred-copies.js';
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
    const copies = preferredCopies(request);
    const asked = Object.keys(preferred).length + copies.length;
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
    if (asked > copies.length) this.#addLacking(score, perPreference / parts / asked);
    for (const i of copies.length > 0 ? feasible : []) {
      const facts = index.sites[i];
      score[i] =
        (score[i] ?? 0) + (facts ? (perPreference / parts / asked) * copiesLacking(facts, copies) : 0);
    }
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
    const pool = new Uint8Array(this.#score.length);
    this.#addNearest(pool);
    this.#addCellBest(pool);
    for (const i of this.#kept) pool[i] = 1;
    const sites = ascending(this.#score, marked(pool));
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
  #addNearest(pool: Uint8Array): void {
    const { users, sifted } = this;
    const { grid } = sifted.index;
    const { maxLatencyMs } = sifted.request.workload.spec.placement;
    const lightness = users.weight.map((w) => -w);
    const heaviest = ascending(
      lightness,
      Int32Array.from(lightness, (_, p) => p),
    );
    const around = new Int32Array(AROUND_MAX);
    for (let rank = 0; rank < heaviest.length; rank += 1) {
      const p = heaviest[rank] ?? 0;
      const count = grid.around(users, p, around);
      const near = this.#addBestOf(around, count, p, pool);
      if (near >= 0 && (rank < NEAREST_TO || maxLatencyMs !== undefined)) this.#kept.add(near);
    }
  }

  /** Of the first `count` of some sites; returns the nearest, -1 when none passes. */
  #addBestOf(around: Int32Array, count: number, p: number, pool: Uint8Array): number {
    const { ceiling } = this.sifted;
    const score = this.#score;
    let near = -1;
    let nearMs = Number.POSITIVE_INFINITY;
    let good = -1;
    let goodCost = Number.POSITIVE_INFINITY;
    for (let n = 0; n < count; n += 1) {
      const i = around[n] ?? 0;
      if ((ceiling[i] ?? 0) <= 0) continue;
      const ms = msBetween(this.users, p, i);
      const cost = (score[i] ?? 0) + this.#perMs * ms;
      if (ms < nearMs) {
        near = i;
        nearMs = ms;
      }
      if (cost < goodCost) {
        good = i;
        goodCost = cost;
      }
    }
    if (near >= 0) pool[near] = 1;
    if (good >= 0) pool[good] = 1;
    return near;
  }

  /** In every cell of the globe the sites that cost least. */
  #addCellBest(pool: Uint8Array): void {
    const { feasible, index } = this.sifted;
    const best = new Int32Array(CELLS ** 3 * BEST_PER_CELL).fill(-1);
    const score = this.#score;
    const cost = (i: number) => (i < 0 ? Number.POSITIVE_INFINITY : (score[i] ?? 0));
    for (let n = 0; n < feasible.length; n += 1) {
      const i = feasible[n] ?? 0;
      const cell = (cellOf(index.x[i]) * CELLS + cellOf(index.y[i])) * CELLS + cellOf(index.z[i]);
      let at = (cell + 1) * BEST_PER_CELL - 1;
      if (cost(i) >= cost(best[at] ?? -1)) continue;
      for (; at > cell * BEST_PER_CELL && cost(best[at - 1] ?? -1) > cost(i); at -= 1)
        best[at] = best[at - 1] ?? -1;
      best[at] = i;
    }
    for (let n = 0; n < best.length; n += 1) {
      const i = best[n] ?? -1;
      if (i >= 0) pool[i] = 1;
    }
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

/** The indexes that are not 0, ascending. */
function marked(marks: Uint8Array): Int32Array {
  const found = new Int32Array(marks.length);
  let n = 0;
  for (let i = 0; i < marks.length; i += 1) {
    if (marks[i] === 0) continue;
    found[n] = i;
    n += 1;
  }
  return found.subarray(0, n);
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
