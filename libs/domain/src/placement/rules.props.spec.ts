import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { contradictions } from '../admission/contradictions.js';
import { cloud, request, site, workload, type Rules, type SiteExample } from './example-cloud.suite.js';
import { lint } from './lint.js';
import { place } from './place.js';
import { preempt } from './preempt.js';
import type { Decision, PlaceRequest, Snapshot } from './types.js';

/** Clouds in which every kind of rule has something to decide. */
const PROVIDERS = ['p', 'q', 'r'];
const siteExample: fc.Arbitrary<Omit<SiteExample, 'name'>> = fc.record({
  lat: fc.integer({ min: -80, max: 80 }),
  lon: fc.integer({ min: -180, max: 180 }),
  jurisdictions: fc.constantFrom(['eu'], ['us'], ['de', 'eu'], []),
  provider: fc.constantFrom(...PROVIDERS),
  phase: fc.constantFrom('ready' as const, 'ready' as const, 'ready' as const, 'suspect' as const),
  cordoned: fc.constantFrom(false, false, true),
  draining: fc.constantFrom(false, false, true),
  nodes: fc.integer({ min: 0, max: 3 }).map((n) => Math.max(1, n)),
  cpuMillicores: fc.integer({ min: 0, max: 6_000 }),
  cpuCoreMonth: fc.integer({ min: 0, max: 30 }),
  labels: fc.constantFrom({ zone: 'x', cores: '8' }, { zone: 'y', cores: '16' }, { zone: 'z' }),
  more: fc.record({
    taints: fc.constantFrom(
      [],
      [],
      [{ key: 'quiet', effect: 'no-new' }],
      [{ key: 'quiet', effect: 'no-run' }],
    ),
    datasets: fc.constantFrom([], ['maps']),
  }),
});
const over = fc.constantFrom('site', 'zone', 'provider', 'jurisdiction');
const targets = fc.constantFrom({ x: 50, y: 50 }, { x: 70, '*': 30 }, { y: 34, z: 66 });
const rules: fc.Arbitrary<Rules> = fc.record(
  {
    replicas: fc.oneof(
      fc.integer({ min: 1, max: 9 }),
      fc.tuple(fc.integer({ min: 1, max: 5 }), fc.nat(4)).map(([min, more]) => ({ min, max: min + more })),
    ),
    residency: fc.constantFrom({ allow: ['eu'] }, { deny: ['us'] }),
    spread: fc.oneof(
      fc.record({ over, maxSkew: fc.integer({ min: 1, max: 2 }) }),
      targets.map((shares) => ({ over: 'zone', targets: shares })),
    ),
    distinct: over,
    survive: fc.constant({ sites: 1 }),
    traffic: fc.record({ headroom: fc.constantFrom(1, 1.5, 2, 4), egressGiBMonth: fc.constantFrom(0, 50) }),
    budgetPerMonth: fc.integer({ min: 0, max: 200 }),
    tolerations: fc.constant([{ key: 'quiet' }]),
    datasets: fc.constant(['maps']),
    sites: fc.constantFrom(
      { match: [{ label: 'cores', op: 'gte', values: ['8'] }] },
      { providers: { deny: ['r'] } },
      { kinds: { allow: ['onprem'] } },
    ),
    antiAffinity: fc.constantFrom([{ workload: 'other' }], [{ workload: 'other', over: 'zone' }]),
    affinity: fc.constantFrom([{ workload: 'other', over: 'provider' }]),
  },
  { requiredKeys: ['replicas'] },
);
const scene = fc
  .record({
    sites: fc.array(siteExample, { minLength: 1, maxLength: 8 }),
    rules,
    users: fc.array(
      fc.record({
        lat: fc.integer({ min: -80, max: 80 }),
        lon: fc.integer({ min: -180, max: 180 }),
        weight: fc.integer({ min: 1, max: 9 }),
      }),
      { maxLength: 5 },
    ),
    present: fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 8 }),
    others: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 8 }),
    type: fc.constantFrom('service', 'service', 'service', 'job', 'daemon', 'singleton'),
    projectBudgetLeft: fc.option(fc.integer({ min: -5, max: 150 }), { nil: undefined }),
  })
  .map(build)
  // What admission refuses is never placed.
  .filter(({ asked }) => contradictions(asked.workload, AROUND).length === 0);

/** Sites of five cores that another workload of lower priority fills, here and there but for one replica. */
const crowded = fc
  .record({
    sites: fc.array(
      fc.record({
        provider: fc.constantFrom(...PROVIDERS),
        cpuMillicores: fc.constant(5_000),
        labels: fc.constantFrom({ zone: 'x' }, { zone: 'y' }),
      }),
      { minLength: 1, maxLength: 6 },
    ),
    rules: fc.record(
      {
        replicas: fc.integer({ min: 1, max: 4 }),
        distinct: over,
        spread: fc.record({ over, maxSkew: fc.constant(1) }),
        sites: fc.constant({ match: [{ label: 'zone', op: 'in', values: ['x'] }] }),
      },
      { requiredKeys: ['replicas'] },
    ),
    others: fc.array(fc.integer({ min: 4, max: 5 }), { minLength: 6, maxLength: 6 }),
  })
  .map((made) => build({ ...made, users: [], present: [], type: 'service', projectBudgetLeft: undefined }));

const AROUND = { at: 0, sites: () => [], workload: () => undefined };

function build(made: {
  sites: Omit<SiteExample, 'name'>[];
  rules: Rules;
  users: { lat: number; lon: number; weight: number }[];
  present: number[];
  others: number[];
  type: string;
  projectBudgetLeft: number | undefined;
}): { asked: PlaceRequest; snapshot: Snapshot } {
  const snapshot = cloud(made.sites.map((s, i) => site({ ...s, name: `s${i}` })));
  const named = (counts: number[]) =>
    counts.slice(0, made.sites.length).flatMap((n, i) => (n > 0 ? [{ site: `s${i}`, replicas: n }] : []));
  const replicas = made.type === 'daemon' || made.type === 'singleton' ? { replicas: 1 } : {};
  const web = workload({
    rules: { ...made.rules, ...replicas, priority: 5, preempts: true },
    users: made.users,
    more: { type: made.type },
  });
  snapshot.ledger.hold(
    'default.other',
    workload({ cpuMillicores: 900 }).spec.resources,
    named(made.others),
    1,
  );
  const { projectBudgetLeft } = made;
  return {
    asked: request(web, {
      present: new Map(named(made.present).map((s) => [s.site, s.replicas])),
      ...(projectBudgetLeft === undefined ? {} : { projectBudgetLeft }),
    }),
    snapshot,
  };
}

const total = ({ shares }: Decision) => shares.reduce((sum, s) => sum + s.replicas, 0);

describe('every decision, whatever the rules', () => {
  it('keeps every invariant', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        expect(lint(place(asked, snapshot), asked, snapshot)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('does not depend on the order of the sites', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const turned = { ...snapshot, sites: snapshot.sites.toReversed() };
        expect(JSON.stringify(place(asked, turned))).toBe(JSON.stringify(place(asked, snapshot)));
      }),
      { numRuns: 50 },
    );
  });

  it('is finite: no number of it is NaN or infinite', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const numbers: number[] = [];
        JSON.stringify(place(asked, snapshot), (_key, value: unknown) => {
          if (typeof value === 'number') numbers.push(value);
          return value;
        });
        expect(numbers.every((n) => Number.isFinite(n))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('preemption', () => {
  it('places all, keeps every invariant, and takes from lower priority only what it holds', () => {
    fc.assert(
      fc.property(crowded, ({ asked, snapshot }) => {
        const short = place(asked, snapshot);
        const found = preempt(asked, snapshot, short);
        fc.pre(found !== undefined);
        const { decision, snapshot: eased } = found;
        expect(total(decision)).toBeGreaterThan(total(short));
        expect(decision.state).toBe('placed');
        expect(lint(decision, asked, eased)).toEqual([]);
        expect(decision.preempted?.length).toBeGreaterThan(0);
        const held = new Map(snapshot.ledger.heldBy('default.other').map((h) => [h.site, h.replicas]));
        for (const { name, site: at, replicas } of decision.preempted ?? []) {
          expect(name).toBe('other');
          expect(replicas).toBeLessThanOrEqual(held.get(at) ?? 0);
        }
      }),
      { numRuns: 60 },
    );
  });
});
