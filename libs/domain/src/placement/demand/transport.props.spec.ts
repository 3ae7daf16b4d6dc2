import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { Transport } from './transport.js';

/** Whole numbers, so that the cheapest way is found by trying all of them unit by unit. */
const scene = fc
  .record({
    weights: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 4 }),
    capacities: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 3 }),
    costs: fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 12, maxLength: 12 }),
  })
  .map(({ weights, capacities, costs }) => ({
    weights: Float64Array.from(weights),
    capacities: Float64Array.from(capacities),
    rows: capacities.map((_, i) => Float64Array.from(weights, (_w, p) => costs[i * 4 + p] ?? 0)),
  }));
const sum = (numbers: Iterable<number>) => [...numbers].reduce((a, b) => a + b, 0);

function cheapest(rows: readonly Float64Array[], weights: Float64Array, capacities: Float64Array): number {
  const units = [...weights].flatMap((w, p) => Array.from({ length: w }, () => p));
  const serve = (unit: number, left: readonly number[]): number => {
    const p = units[unit];
    if (p === undefined) return 0;
    const ways = left.map((room, i) =>
      room < 1
        ? Number.POSITIVE_INFINITY
        : (rows[i]?.[p] ?? 0) +
          serve(
            unit + 1,
            left.map((r, j) => (i === j ? r - 1 : r)),
          ),
    );
    return Math.min(...ways);
  };
  return serve(0, [...capacities]);
}

describe('Transport', () => {
  it('serves all demand at the least cost that capacities allow', () => {
    fc.assert(
      fc.property(scene, ({ weights, capacities, rows }) => {
        fc.pre(sum(capacities) >= sum(weights));
        const flow = new Transport(weights).solveInDetail(rows, capacities);
        expect(flow.cost).toBeCloseTo(cheapest(rows, weights, capacities), 9);
        for (const [i, load] of flow.load.entries())
          expect(load).toBeLessThanOrEqual((capacities[i] ?? 0) + 1e-9);
        for (const [p, weight] of weights.entries()) {
          const served = [...flow.amount].filter((_, n) => flow.point[n] === p);
          expect(sum(served)).toBeCloseTo(weight, 9);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('bounds the cost from below by its prices, so that they are a dual solution', () => {
    fc.assert(
      fc.property(scene, ({ weights, capacities, rows }) => {
        fc.pre(sum(capacities) >= sum(weights));
        const flow = new Transport(weights).solve(rows, capacities);
        const prices = flow?.prices ?? new Float64Array(rows.length);
        const perUser = [...weights].map(
          (w, p) => w * Math.min(...rows.map((row, i) => (row[p] ?? 0) + (prices[i] ?? 0))),
        );
        const dual = sum(perUser) - sum([...capacities].map((c, i) => c * (prices[i] ?? 0)));
        expect(dual).toBeCloseTo(flow?.cost ?? Number.NaN, 9);
        expect(Math.min(...prices)).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 300 },
    );
  });

  it('gives up exactly when the cost is not below the limit', () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 0, max: 60 }), ({ weights, capacities, rows }, limit) => {
        fc.pre(sum(capacities) >= sum(weights));
        const { cost = 0 } = new Transport(weights).solve(rows, capacities) ?? {};
        fc.pre(Math.abs(cost - limit) > 1e-6);
        expect(new Transport(weights).solve(rows, capacities, limit) === undefined).toBe(cost > limit);
      }),
      { numRuns: 300 },
    );
  });

  it('works out what a move of capacity changes as if it were solved from nothing', () => {
    const numbers = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 6, maxLength: 6 });
    const moved = fc.record({
      weights: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 6, maxLength: 6 }),
      rows: fc.array(numbers, { minLength: 3, maxLength: 5 }),
      counts: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 5, maxLength: 5 }),
      carries: fc.integer({ min: 4, max: 9 }),
      from: fc.nat(1),
      all: fc.boolean(),
      limit: fc.integer({ min: 0, max: 400 }),
    });
    fc.assert(
      fc.property(moved, fc.boolean(), ({ carries, from, all, limit, ...of }, opens) => {
        const weights = Float64Array.from(of.weights);
        const rows = of.rows.map((row) => Float64Array.from(row));
        const last = rows.length - 1;
        // The last site is the one that replicas move to; opened by it, or there before.
        const before = rows.map((_, i) => (opens && i === last ? 0 : (of.counts[i] ?? 0)));
        const replicas = all ? (before[from] ?? 0) : 1;
        const after = before.map((n, i) => n + (i === last ? replicas : i === from ? -replicas : 0));
        fc.pre(sum(before) * carries >= sum(weights));
        const open = rows.filter((_, i) => (before[i] ?? 0) > 0);
        const transport = new Transport(weights);
        const capacities = before.filter((n) => n > 0).map((n) => n * carries);
        transport.solve(open, Float64Array.from(capacities));
        const row = opens ? rows[last] : undefined;
        const shift = { from, to: opens ? -1 : last, row, amount: replicas * carries };
        const { cost = 0 } =
          new Transport(weights).solve(
            rows,
            Float64Array.from(after, (n) => n * carries),
          ) ?? {};
        expect(transport.shifted(shift)).toBeCloseTo(cost, 9);
        fc.pre(Math.abs(cost - limit) > 1e-6);
        expect(transport.shifted(shift, limit) === Number.POSITIVE_INFINITY).toBe(cost > limit);
        transport.release();
      }),
      { numRuns: 500 },
    );
  });

  it('shares what is too much in proportion to the capacities', () => {
    const rows = [Float64Array.of(1, 1), Float64Array.of(5, 5)];
    const { load } = new Transport(Float64Array.of(2, 2)).solveInDetail(rows, Float64Array.of(1, 1));
    expect([...load]).toEqual([2, 2]);
  });
});
