import { describe, expect, it } from '@jest/globals';
import type { Share } from '@skerry/contracts';
import * as fc from 'fast-check';
import { cloud, NOW, request, site, workload, type Rules } from './example-cloud.suite.js';
import { objectiveOf } from './evaluate.js';
import { lint } from './lint.js';
import { place } from './place.js';
import { problemOf } from './problem.js';
import { rebalance, type Rebalance, type RebalanceState, type Running } from './rebalance.js';
import { DEFAULT_WEIGHTS } from './weights.js';
import { choiceOf, movedBetween, type Counts } from './rebalance-steps.js';

/** Moving costs little, so that much is moved. */
const WEIGHTS = { ...DEFAULT_WEIGHTS, perMove: 0.5 };

const lat = fc.integer({ min: -60, max: 60 });
const lon = fc.integer({ min: -180, max: 180 });
const users = fc.array(fc.record({ lat, lon, weight: fc.integer({ min: 1, max: 9 }) }), {
  minLength: 1,
  maxLength: 4,
});
const JURISDICTIONS = ['eu', 'us'];

const siteExample = fc.record({
  lat,
  lon,
  jurisdictions: fc.subarray(JURISDICTIONS, { minLength: 1 }),
  nodes: fc.integer({ min: 1, max: 4 }),
  cpuMillicores: fc.integer({ min: 2, max: 6 }).map((n) => n * 1_000),
  cpuCoreMonth: fc.integer({ min: 0, max: 30 }),
  labels: fc.constantFrom({ zone: 'x' }, { zone: 'y' }),
});
const strict: fc.Arbitrary<Rules> = fc.record(
  {
    replicas: fc.oneof(
      fc.integer({ min: 1, max: 6 }),
      fc.record({ min: fc.integer({ min: 1, max: 2 }), max: fc.integer({ min: 3, max: 5 }) }),
    ),
    residency: fc.constantFrom({ allow: ['eu'] }, { deny: ['us'] }),
    spread: fc.record({ over: fc.constantFrom('site', 'zone'), maxSkew: fc.integer({ min: 1, max: 2 }) }),
    distinct: fc.constant('site'),
    survive: fc.constant({ sites: 1 }),
    budgetPerMonth: fc.integer({ min: 20, max: 200 }),
  },
  { requiredKeys: ['replicas'] },
);
const lenient: fc.Arbitrary<Rules> = fc.record({ replicas: fc.integer({ min: 1, max: 3 }) });
const rules = fc.oneof(lenient, strict);
const scene = fc
  .record({
    old: fc.array(siteExample, { minLength: 2, maxLength: 5 }),
    joined: fc.array(siteExample, { minLength: 1, maxLength: 5 }),
    workloads: fc.array(fc.record({ rules, users, cpuMillicores: fc.constantFrom(500, 1_000, 1_500) }), {
      minLength: 1,
      maxLength: 5,
    }),
    maxMoves: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ old, joined, workloads, maxMoves }) => ({ ...build(old, joined, workloads), maxMoves }));

type Sites = (typeof siteExample extends fc.Arbitrary<infer T> ? T : never)[];
interface Asked {
  rules: Rules;
  users: { lat: number; lon: number; weight: number }[];
  cpuMillicores: number;
}

/** Workloads that were placed before some of the sites joined. */
function build(old: Sites, joined: Sites, asked: Asked[]): { state: RebalanceState } {
  const sites = [...old, ...joined].map((s, i) => site({ ...s, name: `s${i}` }));
  const snapshot = cloud(sites);
  const first = { ...snapshot, sites: sites.slice(0, old.length) };
  const workloads = asked.map((example, i): Running => {
    const made = workload({ ...example, name: `w${i}` });
    const decision = place(request(made), first);
    snapshot.ledger.hold(`default.w${i}`, made.spec.resources, decision.shares);
    return { workload: made, placement: decision, refusals: new Map() };
  });
  return { state: { workloads, snapshot, now: NOW, weights: WEIGHTS } };
}

const countsOf = (shares: readonly Pick<Share, 'site' | 'replicas'>[]): Counts =>
  new Map(shares.map((s) => [s.site, s.replicas]));

/** Runs `look` while the ledger holds what the changes make of it. */
function withChanges<T>({ snapshot }: RebalanceState, { changes }: Rebalance, look: () => T): T {
  const held = changes.map(({ workload: w, decision }) => {
    const key = `${w.project}.${w.name}`;
    const before = snapshot.ledger.detach(key);
    snapshot.ledger.hold(key, w.spec.resources, decision.shares);
    return { key, before };
  });
  const seen = look();
  for (const { key } of held) snapshot.ledger.release(key);
  for (const { key, before } of held) snapshot.ledger.attach(key, before);
  return seen;
}

/** The sum of all objectives, of placements that stay where they are. */
function objectives(state: RebalanceState, changed: ReadonlyMap<string, Counts>): number {
  return state.workloads.reduce((sum, { workload: w, placement }) => {
    const counts = changed.get(w.name) ?? countsOf(placement.shares);
    if (counts.size === 0) return sum;
    const problem = problemOf(request(w, { present: counts }), state.snapshot);
    return sum + objectiveOf(problem, choiceOf(problem, counts));
  }, 0);
}

const RUNS = { numRuns: 60 };

describe('every rebalancing', () => {
  it('keeps every invariant, with all changes made', () => {
    fc.assert(
      fc.property(scene, ({ state, maxMoves }) => {
        const made = rebalance(state, { maxMoves });
        withChanges(state, made, () => {
          for (const { workload: w, decision } of made.changes) {
            const present = countsOf(state.workloads.find((r) => r.workload === w)?.placement.shares ?? []);
            expect(lint(decision, request(w, { present }), state.snapshot)).toEqual([]);
          }
        });
      }),
      RUNS,
    );
  });

  it('never moves more than its budget, and counts what it moves', () => {
    fc.assert(
      fc.property(scene, ({ state, maxMoves }) => {
        const { changes, moved } = rebalance(state, { maxMoves });
        const counted = changes.map(({ workload: w, decision }) => {
          const before = state.workloads.find((r) => r.workload === w)?.placement.shares ?? [];
          return movedBetween(countsOf(before), countsOf(decision.shares));
        });
        expect(changes.map((c) => c.moved)).toEqual(counted);
        expect(moved).toBe(counted.reduce((a, b) => a + b, 0));
        expect(moved).toBeLessThanOrEqual(maxMoves);
      }),
      RUNS,
    );
  });

  it('lowers the sum of all objectives by what it says, with each change', () => {
    fc.assert(
      fc.property(scene, ({ state, maxMoves }) => {
        const made = rebalance(state, { maxMoves });
        const changed = new Map(made.changes.map((c) => [c.workload.name, countsOf(c.decision.shares)]));
        const before = objectives(state, new Map());
        const after = withChanges(state, made, () => objectives(state, changed));
        expect(made.before.objective).toBeCloseTo(before, 5);
        expect(made.after.objective).toBeCloseTo(after, 5);
        expect(made.changes.every((c) => c.gain > 0)).toBe(true);
        expect(after < before || made.changes.length === 0).toBe(true);
      }),
      RUNS,
    );
  });

  it('is the same for the same state, in whatever order the workloads come, and leaves the ledger as it was', () => {
    fc.assert(
      fc.property(scene, ({ state, maxMoves }) => {
        const first = rebalance(state, { maxMoves });
        const turned = { ...state, workloads: state.workloads.toReversed() };
        expect(JSON.stringify(rebalance(turned, { maxMoves }).changes)).toBe(JSON.stringify(first.changes));
        for (const { workload: w, placement } of state.workloads) {
          expect(countsOf(state.snapshot.ledger.heldBy(`default.${w.name}`))).toEqual(
            countsOf(placement.shares),
          );
        }
      }),
      RUNS,
    );
  });
});
