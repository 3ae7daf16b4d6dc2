import { Serving } from './serving.js';

/** The cheapest way to serve all demand within the capacities. */
export interface Flow {
  /** Sum over all demand of amount times cost. */
  readonly cost: number;
  /** What a unit of capacity more would save at each site; 0 where some is spare. A dual of the problem. */
  readonly prices: Float64Array;
}

/** A flow with who is served where: pieces of demand, by point, site and amount. A point in more than one piece is split. */
export interface DetailedFlow extends Flow {
  /** Demand at each site. */
  readonly load: Float64Array;
  readonly pieces: number;
  readonly point: Int32Array;
  readonly site: Int32Array;
  readonly amount: Float64Array;
}

/** Capacity that moves from one site to another: -1 for from nowhere or to nowhere. */
export interface Shift {
  readonly from: number;
  readonly to: number;
  /** Of `to` where it is a site that has no capacity yet; then `to` is ignored. */
  readonly row?: Float64Array | undefined;
  readonly amount: number;
}

/** Columns that nobody uses at the moment: a decision leaves its own to the next one, so that none become garbage. */
const spare: Serving[] = [];
const SPARE_MAX = 4;

/**
 * Serves demand at the least cost with no site above its capacity: a transportation problem, solved exactly by
 * successive shortest paths (Ahuja, Magnanti, Orlin, Network Flows, 1993, 9.7) over the graph of the sites alone, whose
 * edges are the cheapest piece that one site can hand to another. A point may be split. Capacities that cannot carry the
 * demand together are raised in proportion: overload comes last and is even. One solver serves one demand many times.
 */
export class Transport {
  readonly #demand: number;
  readonly #serving = spare.pop() ?? new Serving();
  #trial: Serving | undefined;

  constructor(private readonly weights: Float64Array) {
    let demand = 0;
    for (let p = 0; p < weights.length; p += 1) demand += weights[p] ?? 0;
    this.#demand = demand;
  }

  /** Leaves its columns to the next solver: this one is not used any more. Without it they are garbage, no more. */
  release(): void {
    for (const serving of [this.#serving, this.#trial]) {
      if (serving && spare.length < SPARE_MAX) spare.push(serving);
    }
    this.#trial = undefined;
  }

  /** `rows[site][point]` are costs per unit; of `capacities` there may be more than sites. The answer's arrays are its own. Undefined as soon as it is sure that the cost is `limit` or more. */
  solve(
    rows: readonly Float64Array[],
    capacities: Float64Array,
    limit = Number.POSITIVE_INFINITY,
  ): Flow | undefined {
    this.#serving.toCheapest(rows, evenly(capacities, rows.length, this.#demand), this.weights);
    return this.#serving.send(limit) ? this.#flow() : undefined;
  }

  /** As `solve`, with who is served where. */
  solveInDetail(rows: readonly Float64Array[], capacities: Float64Array): DetailedFlow {
    this.solve(rows, capacities);
    const { load, handovers } = this.#serving;
    const { pieces, sites, point, site, amount } = handovers;
    const { cost, prices } = this.#flow();
    return {
      cost,
      prices,
      load: load.slice(0, sites),
      pieces,
      point: point.slice(0, pieces),
      site: site.slice(0, pieces),
      amount: amount.slice(0, pieces),
    };
  }

  /**
   * What serving would cost after capacity moved, from what `solve` found last (without a limit) and which stays as it is;
   * Infinity as soon as it is sure to be `limit` or more. Before and after, the capacities have to carry the demand.
   */
  shifted({ from, to, row, amount }: Shift, limit = Number.POSITIVE_INFINITY): number {
    this.#serving.handovers.findAllEdges();
    const trial = (this.#trial ??= spare.pop() ?? new Serving());
    trial.copy(this.#serving);
    if (row) trial.open(row, amount);
    else if (to >= 0) trial.enlarge(to, amount);
    if (from >= 0) trial.lessen(from, amount);
    return trial.send(limit) ? trial.cost : Number.POSITIVE_INFINITY;
  }

  #flow(): Flow {
    const { handovers, potential, top } = this.#serving;
    const { pieces, sites, amount, rows, site, point } = handovers;
    let cost = 0;
    for (let piece = 0; piece < pieces; piece += 1) {
      const row = rows[site[piece] ?? 0];
      cost += (amount[piece] ?? 0) * (row?.[point[piece] ?? 0] ?? 0);
    }
    const prices = new Float64Array(sites);
    for (let i = 0; i < sites; i += 1) prices[i] = top - (potential[i] ?? 0);
    return { cost, prices };
  }
}

/** Capacities of so many sites that carry the demand together; those that do not are raised in proportion. */
function evenly(capacities: Float64Array, sites: number, demand: number): Float64Array {
  let total = 0;
  for (let i = 0; i < sites; i += 1) total += capacities[i] ?? 0;
  if (total >= demand) return capacities;
  return capacities.slice(0, sites).map((c) => (total > 0 ? (c / total) * demand : demand));
}
