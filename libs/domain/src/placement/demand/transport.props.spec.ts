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

  it('shares what is too much in proportion to the capacities', () => {
    const rows = [Float64Array.of(1, 1), Float64Array.of(5, 5)];
    const flow = new Transport(Float64Array.of(2, 2)).solve(rows, Float64Array.of(1, 1));
    expect([...(flow?.load ?? [])]).toEqual([2, 2]);
  });
});
