import { describe, expect, it } from '@jest/globals';
import {
  historyBlobSchema,
  historyEntrySchema,
  type DecidedEntry,
  type HistoryEntry,
  type Placement,
  type SnapshotSite,
  type Workload,
} from '@skerry/contracts';
import * as fc from 'fast-check';
import { NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { explain } from './explain.js';
import { canonical, decideAgain, Past, snapshotSite } from './history.js';
import { Ledger } from './ledger.js';
import { nextPlacement, placeRequest, type NextPlacementInput } from './next-placement.js';
import type { SiteFacts } from './types.js';

const SITES = ['a', 'b', 'c', 'd'];
const NAMES = ['web', 'db', 'job'];
const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };

/** One thing that happens: to a site, to a workload, to what runs, or to the log itself. */
type Step =
  | { kind: 'site'; name: string; change: Omit<SiteExample, 'name'> | undefined }
  | { kind: 'apply'; name: string; cpuMillicores: number; replicas: number; removed: boolean; users: boolean }
  | { kind: 'healthy'; name: string; site: string; count: number }
  | { kind: 'settle'; name: string }
  | { kind: 'snapshot' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('site' as const),
        name: fc.constantFrom(...SITES),
        change: fc.option(
          fc.record({
            cordoned: fc.boolean(),
            phase: fc.constantFrom('ready' as const, 'suspect' as const, 'lost' as const),
            nodes: fc.integer({ min: 1, max: 3 }),
            cpuMillicores: fc.constantFrom(1_000, 2_500, 4_000),
            lon: fc.integer({ min: -100, max: 100 }),
            cpuCoreMonth: fc.constantFrom(0, 7.5, 20),
          }),
          { nil: undefined, freq: 8 },
        ),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('apply' as const),
        name: fc.constantFrom(...NAMES),
        cpuMillicores: fc.constantFrom(300, 700, 1_100),
        replicas: fc.integer({ min: 1, max: 6 }),
        removed: fc.boolean(),
        users: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('healthy' as const),
        name: fc.constantFrom(...NAMES),
        site: fc.constantFrom(...SITES),
        count: fc.integer({ min: 0, max: 4 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('settle' as const), name: fc.constantFrom(...NAMES) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'snapshot' as const }) },
  ),
  { minLength: 5, maxLength: 40 },
);

interface Made {
  readonly at: number;
  readonly entry: DecidedEntry;
  readonly explained: string;
}

/** A scheduler without anything around it: it lives through the steps and logs them. */
class Recorder {
  readonly log: HistoryEntry[] = [];
  readonly made: Made[] = [];
  /** Each with how many entries came before it. */
  readonly snapshots: { before: number; sites: SnapshotSite[] }[] = [];
  readonly #ledger = new Ledger();
  readonly #sites = new Map<string, SiteFacts>();
  readonly #workloads = new Map<string, Workload>();
  readonly #placements = new Map<string, Placement>();
  readonly #healthy = new Map<string, Map<string, number>>();
  #now = NOW;

  constructor() {
    for (const name of SITES) this.#site(site({ name }), name);
    this.#snapshot();
  }

  live(step: Step): void {
    this.#now += 30_000;
    switch (step.kind) {
      case 'site':
        this.#site(step.change && site({ name: step.name, ...step.change }), step.name);
        for (const name of NAMES) this.#decide(name);
        return;
      case 'apply':
        this.#apply(step);
        return this.#decide(step.name);
      case 'healthy': {
        const healthy = this.#healthy.get(step.name) ?? new Map<string, number>();
        this.#healthy.set(step.name, healthy.set(step.site, step.count));
        return this.#decide(step.name);
      }
      case 'settle':
        return this.#settle(step.name);
      case 'snapshot':
        return this.#snapshot();
    }
  }

  #site(facts: SiteFacts | undefined, name: string): void {
    if (facts) this.#sites.set(name, facts);
    else this.#sites.delete(name);
    if (facts?.state) this.#ledger.setCapacity(name, facts.state.capacity);
    this.log.push(
      parsed({
        kind: 'site',
        name,
        ...(facts ? { site: facts.site } : {}),
        ...(facts?.state ? { state: facts.state } : {}),
      }),
    );
  }

  #apply({ name, cpuMillicores, replicas, removed, users }: Extract<Step, { kind: 'apply' }>): void {
    const generation = (this.#workloads.get(name)?.generation ?? 0) + 1;
    const rules = { replicas };
    const demand = users
      ? {
          users: [
            { lat: 50, lon: 8, weight: 2 },
            { lat: 40, lon: -80, weight: 1 },
          ],
        }
      : {};
    const made = workload({ name, cpuMillicores, rules, ...demand });
    this.#workloads.set(name, { ...made, generation, removed });
  }

  #decide(name: string): void {
    const asked = this.#workloads.get(name);
    if (!asked) return;
    const previous = this.#placements.get(name);
    const healthy = new Map(this.#healthy.get(name));
    const snapshot = { sites: [...this.#sites.values()], ledger: this.#ledger };
    const input: NextPlacementInput = {
      workload: asked,
      previous,
      refusals: new Map(),
      healthy,
      snapshot,
      now: this.#now,
      term: 1,
      epoch: 7,
      inputs: () => DIGESTS,
    };
    const placement = nextPlacement(input);
    if (!placement) return;
    const explained = canonical(explain(placeRequest(input), snapshot, placement.shares));
    const entry = parsed({
      kind: 'decided',
      placement,
      need: asked.spec.resources,
      workload: asked,
      ...(previous ? { previous } : {}),
      refusals: {},
      healthy: Object.fromEntries(healthy),
      now: this.#now,
    });
    if (entry.kind !== 'decided') throw new Error('parsed as something else');
    this.made.push({ at: this.log.length, entry, explained });
    this.log.push(entry);
    this.#ledger.hold(`default.${name}`, asked.spec.resources, placement.shares);
    this.#placements.set(name, placement);
  }

  /** What is held is held anew, as when something else was learned of it: it may lie on other nodes then. */
  #settle(name: string): void {
    const asked = this.#workloads.get(name);
    const shares = (this.#placements.get(name)?.shares ?? []).map(({ site: s, replicas }) => ({
      site: s,
      replicas,
    }));
    if (!asked) return;
    this.#ledger.hold(`default.${name}`, asked.spec.resources, shares);
    this.log.push(parsed({ kind: 'held', key: `default.${name}`, need: asked.spec.resources, shares }));
  }

  #snapshot(): void {
    const sites = SITES.flatMap((name) => {
      const { site: spec, state } = this.#sites.get(name) ?? { site: undefined, state: undefined };
      const made = snapshotSite(name, { site: spec, state }, this.#ledger.holdingsAt(name));
      return made.map((part) => {
        const blob = historyBlobSchema.parse(JSON.parse(JSON.stringify(part)));
        if (blob.kind !== 'SnapshotSite') throw new Error('parsed as something else');
        return blob;
      });
    });
    this.snapshots.push({ before: this.log.length, sites });
  }
}

/** As it comes back from where it is kept. */
function parsed(entry: HistoryEntry): HistoryEntry {
  return historyEntrySchema.parse(JSON.parse(JSON.stringify(entry)));
}

describe('the decision log', () => {
  it('makes every decision again bit for bit, with the same explanation, from any snapshot before it', () => {
    fc.assert(
      fc.property(steps, (lived) => {
        const recorder = new Recorder();
        for (const step of lived) recorder.live(step);
        for (const { at, entry, explained } of recorder.made) {
          for (const { before, sites } of recorder.snapshots.filter((s) => s.before <= at)) {
            const past = new Past(sites);
            for (const since of recorder.log.slice(before, at)) past.apply(since);
            if (typeof entry.workload === 'string') throw new Error('it was written out');
            const { request, reproduced } = decideAgain(entry, entry.workload, past);
            expect({ at, reproduced }).toEqual({ at, reproduced: true });
            const again = canonical(explain(request, past.snapshot(), entry.placement.shares));
            expect(again).toBe(explained);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('keeps a site that holds more than a message in parts that fit one, and packs it the same', () => {
    const facts = site({ name: 'a', nodes: 1_000 });
    const ledger = new Ledger();
    if (facts.state) ledger.setCapacity('a', facts.state.capacity);
    const need = workload().spec.resources;
    for (let i = 0; i < 1_700; i += 1)
      ledger.hold(`default.w${i}`, need, [{ site: 'a', replicas: 1 + (i % 3) }]);
    const parts = snapshotSite('a', { site: facts.site, state: facts.state }, ledger.holdingsAt('a'));
    expect(parts.length).toBeGreaterThan(1);
    for (const part of parts) expect(JSON.stringify(part).length).toBeLessThan(512 * 1024);
    const past = new Past(
      parts.map((part) => historyBlobSchema.parse(part)).filter((b) => b.kind === 'SnapshotSite'),
    );
    const packed = (l: Ledger) =>
      [...l.holdingsAt('a')].map(([key, h]) => `${key} ${h.replicas} ${h.packing.join()}`).toSorted();
    expect(packed(past.ledger)).toEqual(packed(ledger));
    expect(past.ledger.fitting('a', need, 20_000)).toBe(ledger.fitting('a', need, 20_000));
  });

  it('says that another version of the engine decided', () => {
    const recorder = new Recorder();
    recorder.live({
      kind: 'apply',
      name: 'web',
      cpuMillicores: 300,
      replicas: 2,
      removed: false,
      users: true,
    });
    const [made] = recorder.made;
    if (!made || typeof made.entry.workload === 'string') throw new Error('nothing was decided');
    const { entry } = made;
    const old = {
      ...entry,
      placement: { ...entry.placement, engine: { name: 'greedy-swap', version: '0' } },
    };
    const past = new Past(recorder.snapshots[0]?.sites ?? []);
    expect(decideAgain(old, made.entry.workload, past).reproduced).toBe(false);
  });
});
