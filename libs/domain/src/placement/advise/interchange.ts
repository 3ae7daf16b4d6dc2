/** The least change of the objective that counts as one. */
const EPSILON = 1e-9;
/** Exchanges of one search; then what was found so far stands. Each costs sites times locations. */
const EXCHANGES_MAX = 256;

/** Where sites carry all users that are nearest to them: an uncapacitated problem in numbers. */
export interface OpenProblem {
  /** By site: what opening it costs. */
  readonly fixed: readonly number[];
  /** Shares of the users by location. */
  readonly demand: Float64Array;
  /** By site and location: what it costs to serve all users from there as if they were at the location. */
  readonly costs: readonly Float64Array[];
}

/** A set of open sites, ascending, and what it costs. */
export interface OpenSet {
  readonly open: readonly number[];
  readonly cost: number;
}

/**
 * Exchanges an open site for a closed one as long as that gains: the best exchange each time, so that the end is a local
 * optimum. Fast interchange for k-median: Whitaker 1983; Resende and Werneck 2007. Deterministic; ties go to the lower index.
 */
export function interchange(problem: OpenProblem, start: readonly number[]): OpenSet {
  let now = new Serving(problem, start);
  for (let n = 0; n < EXCHANGES_MAX; n += 1) {
    const best = bestExchange(problem, now);
    if (best === undefined) break;
    now = new Serving(
      problem,
      now.open.map((site) => (site === best.out ? best.in : site)),
    );
  }
  return { open: now.open, cost: now.cost };
}

/** The set with the one site more that costs least; undefined when all are open. */
export function withOneMore(problem: OpenProblem, open: readonly number[]): readonly number[] | undefined {
  const now = new Serving(problem, open);
  let best: number | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const site of problem.costs.keys()) {
    if (open.includes(site)) continue;
    const gain = now.gainOf(site);
    if (best === undefined || gain > most + EPSILON) [best, most] = [site, gain];
  }
  return best === undefined ? undefined : [...open, best];
}

/** Who serves whom while some sites are open, and who would after them. */
class Serving {
  readonly open: readonly number[];
  readonly cost: number;
  /** By location: position in `open` of the cheapest site, its cost, and that of the next. */
  readonly first: Int32Array;
  readonly firstCost: Float64Array;
  readonly nextCost: Float64Array;

  constructor(
    private readonly problem: OpenProblem,
    open: readonly number[],
  ) {
    const { demand, costs, fixed } = problem;
    this.open = open.toSorted((a, b) => a - b);
    this.first = new Int32Array(demand.length).fill(-1);
    this.firstCost = new Float64Array(demand.length).fill(Number.POSITIVE_INFINITY);
    this.nextCost = new Float64Array(demand.length).fill(Number.POSITIVE_INFINITY);
    for (const [at, site] of this.open.entries()) this.take(at, costs[site] ?? new Float64Array());
    let cost = this.open.reduce((sum, site) => sum + (fixed[site] ?? 0), 0);
    for (let p = 0; p < demand.length && this.open.length > 0; p += 1)
      cost += (demand[p] ?? 0) * (this.firstCost[p] ?? 0);
    this.cost = cost;
  }

  private take(at: number, row: Float64Array): void {
    for (let p = 0; p < row.length; p += 1) {
      const own = row[p] ?? 0;
      const least = this.firstCost[p] ?? 0;
      if (own < least) {
        this.nextCost[p] = least;
        this.firstCost[p] = own;
        this.first[p] = at;
      } else if (own < (this.nextCost[p] ?? 0)) this.nextCost[p] = own;
    }
  }

  /** What opening a site gains with the others left open; of the first site of all, less its whole cost. */
  gainOf(site: number): number {
    const { demand, costs, fixed } = this.problem;
    const row = costs[site] ?? new Float64Array();
    const alone = this.open.length === 0;
    let gain = -(fixed[site] ?? 0);
    for (let p = 0; p < row.length; p += 1) {
      const nearer = alone ? -(row[p] ?? 0) : (this.firstCost[p] ?? 0) - (row[p] ?? 0);
      if (alone || nearer > 0) gain += (demand[p] ?? 0) * nearer;
    }
    return gain;
  }
}

function bestExchange(problem: OpenProblem, now: Serving): { in: number; out: number } | undefined {
  const { demand, costs, fixed } = problem;
  const losses = new Float64Array(now.open.length);
  const isOpen = new Set(now.open);
  let best: { in: number; out: number } | undefined;
  let most = EPSILON;
  for (const [site, row] of costs.entries()) {
    if (isOpen.has(site)) continue;
    let gain = -(fixed[site] ?? 0);
    // What closing each open site loses, with this one open in its place.
    for (const [at, open] of now.open.entries()) losses[at] = -(fixed[open] ?? 0);
    for (let p = 0; p < row.length; p += 1) {
      const own = row[p] ?? 0;
      const least = now.firstCost[p] ?? 0;
      const weight = demand[p] ?? 0;
      if (own < least) {
        gain += weight * (least - own);
        continue;
      }
      const at = now.first[p] ?? 0;
      losses[at] = (losses[at] ?? 0) + weight * (Math.min(own, now.nextCost[p] ?? 0) - least);
    }
    for (const [at, open] of now.open.entries()) {
      const net = gain - (losses[at] ?? 0);
      if (net > most + EPSILON) [best, most] = [{ in: site, out: open }, net];
    }
  }
  return best;
}
