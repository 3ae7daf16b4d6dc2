import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { withMove } from '../choice.js';
import { objectiveOf, termsOf } from '../evaluate.js';
import { cloud, request, site, workload } from '../example-cloud.suite.js';
import { place, work } from '../place.js';
import { asNumbers } from '../problem.js';
import type { PlaceRequest, Snapshot } from '../types.js';

const at = fc.record({ lat: fc.integer({ min: -60, max: 60 }), lon: fc.integer({ min: -180, max: 180 }) });
const scene = fc
  .record({
    sites: fc.array(
      fc.record({ at, cpuCoreMonth: fc.integer({ min: 0, max: 30 }), nodes: fc.integer({ min: 1, max: 3 }) }),
      { minLength: 2, maxLength: 7 },
    ),
    users: fc.array(fc.record({ at, weight: fc.integer({ min: 1, max: 9 }) }), {
      minLength: 1,
      maxLength: 8,
    }),
    min: fc.integer({ min: 1, max: 5 }),
    more: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ sites, users, min, more }): { asked: PlaceRequest; snapshot: Snapshot } => ({
    asked: request(
      workload({
        rules: { replicas: more === 0 ? min : { min, max: min + more } },
        users: users.map((u) => ({ ...u.at, weight: u.weight })),
      }),
    ),
    snapshot: cloud(
      sites.map((s, i) =>
        site({ name: `s${i}`, ...s.at, cpuCoreMonth: s.cpuCoreMonth, nodes: s.nodes, cpuMillicores: 1_000 }),
      ),
    ),
  }));

describe('the search', () => {
  it('ends where no move of one replica lowers the objective', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const { problem, chosen } = work(asked, snapshot);
        fc.pre(chosen.choice.total >= problem.wanted);
        for (const from of chosen.choice.open) {
          for (const [to, candidate] of problem.candidates.entries()) {
            if (to === from || (chosen.choice.counts[to] ?? 0) >= candidate.ceiling) continue;
            const moved = objectiveOf(problem, withMove(chosen.choice, from, to, 1));
            expect(moved).toBeGreaterThan(chosen.objective - 1e-6);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('says terms that add up to the objective', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const { problem, chosen } = work(asked, snapshot);
        const costs = termsOf(problem, chosen.choice).map((t) => t.cost);
        expect(costs.reduce((a, b) => a + b, 0)).toBeCloseTo(objectiveOf(problem, chosen.choice), 6);
      }),
      { numRuns: 100 },
    );
  });

  it('has marginal costs that never fall, which the numbers for an exact solver rely on', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const numbers = asNumbers(work(asked, snapshot).problem);
        for (const marginals of numbers.marginals) {
          for (let n = 1; n < marginals.length; n += 1) {
            expect(marginals[n] ?? 0).toBeGreaterThanOrEqual((marginals[n - 1] ?? 0) - 1e-12);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('moves what runs only when that gains more than it costs, and then stays', () => {
    fc.assert(
      fc.property(scene, fc.array(fc.nat(2), { minLength: 7, maxLength: 7 }), ({ asked, snapshot }, held) => {
        const present = new Map(
          snapshot.sites.flatMap((s, i) => ((held[i] ?? 0) > 0 ? [[s.name, held[i] ?? 0] as const] : [])),
        );
        const { problem, chosen } = work({ ...asked, present }, snapshot);
        const counts = Int32Array.from(problem.candidates, (c) => c.present);
        const open = [...counts.keys()].filter((i) => (counts[i] ?? 0) > 0);
        const total = counts.reduce((a, b) => a + b, 0);
        fc.pre(total >= problem.range.min && total <= problem.range.max);
        fc.pre(problem.candidates.every((c) => c.present <= c.ceiling));
        expect(chosen.objective).toBeLessThanOrEqual(objectiveOf(problem, { counts, open, total }) + 1e-9);
        const first = place({ ...asked, present }, snapshot);
        const settled = new Map(first.shares.map((s) => [s.site, s.replicas]));
        const again = place({ ...asked, present: settled }, snapshot);
        expect(new Map(again.shares.map((s) => [s.site, s.replicas]))).toEqual(settled);
      }),
      { numRuns: 100 },
    );
  });
});
