import type { LatencyTable } from './latency-table.js';
import type { Choice, DemandServer } from './types.js';

/** A replica serves at most this many times an even share of the users; beyond, they go to the next nearest. */
export const HEADROOM = 1.5;
const EPSILON = 1e-9;

/** Serves users from the nearest chosen site that has headroom for them. */
export class NearestWithHeadroom implements DemandServer {
  readonly #table: LatencyTable;
  readonly #load: Float64Array;
  /** Nearest chosen candidate by point. */
  readonly #nearest: Int32Array;

  constructor(table: LatencyTable, candidates: number) {
    this.#table = table;
    this.#load = new Float64Array(candidates);
    this.#nearest = new Int32Array(table.points.length);
  }

  get hasUsers(): boolean {
    return this.#table.points.length > 0;
  }

  /** Round trip in ms from a user location to a candidate. */
  pointMs(site: number, point: number): number {
    return this.#table.ms[site * this.#table.points.length + point] ?? 0;
  }

  meanMs(choice: Choice): number {
    let mean = 0;
    this.#walk(choice, (_site, _point, amount, ms) => {
      mean += amount * ms;
    });
    return mean;
  }

  serve(choice: Choice): { share: Float64Array; ms: Float64Array; measured: boolean[] } {
    const size = choice.counts.length;
    const share = new Float64Array(size);
    const ms = new Float64Array(size);
    const measured = Array.from({ length: size }, () => true);
    this.#walk(choice, (site, point, amount, latency) => {
      share[site] = (share[site] ?? 0) + amount;
      ms[site] = (ms[site] ?? 0) + amount * latency;
      if (this.#table.measured[site * this.#table.points.length + point] === 0) measured[site] = false;
    });
    for (const [i, s] of share.entries()) if (s > 0) ms[i] = (ms[i] ?? 0) / s;
    return { share, ms, measured };
  }

  /** Visits who is served where: an amount of the demand (all amounts add up to 1). */
  #walk(choice: Choice, visit: (site: number, point: number, amount: number, ms: number) => void): void {
    if (choice.total === 0) return;
    const { open } = choice;
    this.#toNearest(open);
    const perReplica = HEADROOM / choice.total;
    const full = open.filter((i) => (this.#load[i] ?? 0) > (choice.counts[i] ?? 0) * perReplica + EPSILON);
    const moved = full.length === 0 ? undefined : this.#relieve(choice, open, full, perReplica);
    const { points } = this.#table;
    for (const [p, point] of points.entries()) {
      const away = moved?.get(p);
      let left = point.weight;
      for (const { to, amount } of away ?? []) {
        visit(to, p, amount, this.pointMs(to, p));
        left -= amount;
      }
      const site = this.#nearest[p] ?? 0;
      if (left > EPSILON) visit(site, p, left, this.pointMs(site, p));
    }
  }

  #toNearest(open: readonly number[]): void {
    this.#load.fill(0);
    for (const [p, point] of this.#table.points.entries()) {
      let best = open[0] ?? 0;
      for (const site of open) if (this.pointMs(site, p) < this.pointMs(best, p)) best = site;
      this.#nearest[p] = best;
      this.#load[best] = (this.#load[best] ?? 0) + point.weight;
    }
  }

  /**
   * Takes demand off the overloaded sites, the users first who lose least by it. A heuristic: the exact answer is a
   * transportation problem.
   */
  #relieve(
    choice: Choice,
    open: readonly number[],
    full: readonly number[],
    perReplica: number,
  ): Map<number, { to: number; amount: number }[]> {
    const moved = new Map<number, { to: number; amount: number }[]>();
    const spare = (i: number) => (choice.counts[i] ?? 0) * perReplica - (this.#load[i] ?? 0);
    for (const { from, point, to } of this.#moves(open, full)) {
      const already = (moved.get(point) ?? []).reduce((sum, m) => sum + m.amount, 0);
      const weight = (this.#table.points[point]?.weight ?? 0) - already;
      const amount = Math.min(weight, -spare(from), spare(to));
      if (amount <= EPSILON) continue;
      moved.set(point, [...(moved.get(point) ?? []), { to, amount }]);
      this.#load[from] = (this.#load[from] ?? 0) - amount;
      this.#load[to] = (this.#load[to] ?? 0) + amount;
    }
    return moved;
  }

  /** Every way to take users off a full site, the least loss first. */
  #moves(open: readonly number[], full: readonly number[]): { from: number; point: number; to: number }[] {
    const moves: { from: number; point: number; to: number; loss: number }[] = [];
    for (const point of this.#table.points.keys()) {
      const from = this.#nearest[point] ?? 0;
      if (!full.includes(from)) continue;
      for (const to of open) {
        if (!full.includes(to))
          moves.push({ from, point, to, loss: this.pointMs(to, point) - this.pointMs(from, point) });
      }
    }
    return moves.toSorted((a, b) => a.loss - b.loss || a.point - b.point || a.to - b.to);
  }
}
