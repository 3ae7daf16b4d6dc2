import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { cloud, request, site, workload, type Rules, type SiteExample } from './example-cloud.suite.js';
import { explain, explanation } from './explain.js';
import { lint } from './lint.js';
import { nextPlacement } from './next-placement.js';
import { place } from './place.js';
import type { LedgerView, PlaceRequest, Snapshot } from './types.js';

const JURISDICTIONS = ['eu', 'us', 'jp'];
const lat = fc.integer({ min: -80, max: 80 });
const lon = fc.integer({ min: -180, max: 180 });

const siteExample = fc.record({
  lat,
  lon,
  jurisdictions: fc.subarray(JURISDICTIONS),
  phase: fc.constantFrom('ready' as const, 'ready' as const, 'suspect' as const, 'lost' as const),
  cordoned: fc.boolean(),
  nodes: fc.integer({ min: 1, max: 4 }),
  cpuMillicores: fc.integer({ min: 0, max: 6_000 }),
  cpuCoreMonth: fc.integer({ min: 0, max: 50 }),
  labels: fc.constantFrom({ zone: 'x' }, { zone: 'y' }, {}),
});
const rules: fc.Arbitrary<Rules> = fc.record(
  {
    replicas: fc.integer({ min: 0, max: 12 }),
    residency: fc.constantFrom({ allow: ['eu'] }, { deny: ['us'] }, { allow: ['eu', 'jp'], deny: ['us'] }),
    spread: fc.record({ over: fc.constantFrom('site', 'zone'), maxSkew: fc.integer({ min: 1, max: 3 }) }),
    budgetPerMonth: fc.integer({ min: 0, max: 300 }),
  },
  { requiredKeys: ['replicas'] },
);
const scene = fc
  .record({
    sites: fc.array(siteExample, { maxLength: 8 }),
    rules,
    users: fc.array(fc.record({ lat, lon, weight: fc.integer({ min: 1, max: 9 }) }), { maxLength: 6 }),
    present: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 8 }),
    others: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 }),
  })
  .map(build);

function build(made: {
  sites: Omit<SiteExample, 'name'>[];
  rules: Rules;
  users: { lat: number; lon: number; weight: number }[];
  present: number[];
  others: number[];
}): { asked: PlaceRequest; snapshot: Snapshot } {
  const snapshot = cloud(made.sites.map((s, i) => site({ ...s, name: `s${i}` })));
  const named = (counts: number[]) =>
    counts.slice(0, made.sites.length).flatMap((n, i) => (n > 0 ? [{ site: `s${i}`, replicas: n }] : []));
  const asked = workload({ rules: made.rules, users: made.users });
  snapshot.ledger.hold('default.other', workload({ cpuMillicores: 700 }).spec.resources, named(made.others));
  snapshot.ledger.hold('default.web', asked.spec.resources, named(made.present));
  const present = new Map(named(made.present).map((s) => [s.site, s.replicas]));
  return { asked: request(asked, { present }), snapshot };
}

const DIGEST = `sha256:${'0'.repeat(64)}`;
const inputs = () => ({ workload: DIGEST, sites: DIGEST });

describe('every decision', () => {
  it('keeps every invariant: capacity, residency, readiness, spread, budget, totals', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        expect(lint(place(asked, snapshot), asked, snapshot)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('is the same for the same input, in whatever order the sites come', () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 0, max: 7 }), ({ asked, snapshot }, turn) => {
        const turned = [...snapshot.sites.slice(turn), ...snapshot.sites.slice(0, turn)].toReversed();
        const again = place(asked, { ...snapshot, sites: turned });
        expect(JSON.stringify(again)).toBe(JSON.stringify(place(asked, snapshot)));
      }),
      { numRuns: 150 },
    );
  });

  it('stands when it is looked at again and nothing has changed', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const { workload: web, refusals, now } = asked;
        const input = { workload: web, refusals, now, snapshot, term: 1, epoch: 1, inputs };
        const first = nextPlacement({ ...input, previous: undefined });
        fc.pre(first?.state === 'placed');
        expect(nextPlacement({ ...input, previous: first })).toBeUndefined();
      }),
      { numRuns: 150 },
    );
  });

  it('says unplaceable or partial only with a check that stood in the way', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const decision = place(asked, snapshot);
        fc.pre(decision.state !== 'placed' && snapshot.sites.length > 0);
        expect(Object.keys(decision.failedChecks)).not.toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it('explains every site, the chosen before the others', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const decision = place(asked, snapshot);
        const sites = explain(asked, snapshot);
        expect(sites.map((s) => s.site).toSorted()).toEqual(snapshot.sites.map((s) => s.name).toSorted());
        const chosen = sites.filter((s) => s.chosen > 0);
        expect(sites.slice(0, chosen.length)).toEqual(chosen);
        expect(chosen.every((s) => s.feasible)).toBe(true);
        expect(new Map(chosen.map((s) => [s.site, s.chosen]))).toEqual(
          new Map(decision.shares.map((s) => [s.site, s.replicas])),
        );
      }),
      { numRuns: 150 },
    );
  });

  it('explains a site alone as among all, and whether the ledger tells of all at once or of each', () => {
    fc.assert(
      fc.property(scene, ({ asked, snapshot }) => {
        const { ledger } = snapshot;
        const plain: LedgerView = {
          fitting: (...of) => ledger.fitting(...of),
          use: (...of) => ledger.use(...of),
          heldBy: (key) => ledger.heldBy(key),
        };
        const all = explanation(asked, snapshot);
        const sites = explain(asked, { ...snapshot, ledger: plain });
        expect(sites.map(({ site: name }) => all.of(name))).toEqual(sites);
        expect(all.of('nowhere')).toBeUndefined();
      }),
      { numRuns: 150 },
    );
  });
});
