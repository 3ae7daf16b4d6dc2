import { describe, expect, it } from '@jest/globals';
import type { Placement } from '@skerry/contracts';
import * as fc from 'fast-check';
import { cloud, NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { wantedPart } from './handover.js';
import { nextPlacement } from './next-placement.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };
const SITES = ['a', 'b', 'c'];
const POLICIES = ['keep-original', 'keep-replacement', 'keep-newest'] as const;

type Step =
  | { kind: 'lose'; name: string; dies: boolean }
  | { kind: 'return'; name: string }
  | { kind: 'start'; name: string }
  | { kind: 'scale'; replicas: number }
  | { kind: 'wait'; ms: number };

const name = fc.constantFrom(...SITES);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('lose' as const), name, dies: fc.boolean() }),
    fc.record({ kind: fc.constant('return' as const), name }),
    fc.record({ kind: fc.constant('start' as const), name }),
    fc.record({ kind: fc.constant('scale' as const), replicas: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 200_000) }),
  ),
  { minLength: 1, maxLength: 40 },
);

/** One service at sites that are cut off, or die, and return. What is cut off runs on as it was last told. */
class Life {
  placement: Placement | undefined;
  /** What truly runs and is healthy. */
  readonly running = new Map<string, number>();
  readonly #silent = new Set<string>();
  #replicas = 2;
  #generation = 1;
  #now = NOW;

  constructor(readonly rejoin: (typeof POLICIES)[number]) {}

  live(step: Step): void {
    switch (step.kind) {
      case 'lose':
        this.#silent.add(step.name);
        if (step.dies) this.running.delete(step.name);
        return;
      case 'return':
        this.#silent.delete(step.name);
        return;
      case 'start':
        if (!this.#silent.has(step.name)) this.running.set(step.name, this.#toldAt(step.name));
        return;
      case 'scale':
        this.#replicas = step.replicas;
        this.#generation += 1;
        return;
      case 'wait':
        this.#now += step.ms;
    }
  }

  /** Decides by what can be seen; sites that hear of it stop what is not wanted of them. */
  decide(): void {
    const rules = { replicas: this.#replicas, onSiteLoss: { rejoin: this.rejoin } };
    const asked = { ...workload({ rules }), generation: this.#generation };
    const sites = SITES.map((s): SiteExample => ({ name: s, phase: this.#silent.has(s) ? 'lost' : 'ready' }));
    const snapshot = cloud(sites.map(site));
    snapshot.ledger.hold('default.web', asked.spec.resources, this.placement?.shares ?? []);
    this.placement =
      nextPlacement({
        workload: asked,
        previous: this.placement,
        refusals: new Map(),
        healthy: new Map([...this.running].filter(([s]) => !this.#silent.has(s))),
        snapshot,
        now: this.#now,
        term: 1,
        epoch: 7,
        inputs: () => DIGESTS,
      }) ?? this.placement;
    this.listen();
  }

  listen(): void {
    for (const s of SITES) {
      if (this.#silent.has(s)) continue;
      this.running.set(s, Math.min(this.running.get(s) ?? 0, this.#toldAt(s)));
    }
  }

  total(): number {
    return [...this.running.values()].reduce((a, b) => a + b, 0);
  }

  #toldAt(at: string): number {
    return this.placement?.shares.find((s) => s.site === at)?.replicas ?? 0;
  }
}

describe.each(POLICIES)('sites that are lost and return, with %s', (policy) => {
  it('never end the last replica that runs, seen or not, and want no more than is asked for', () => {
    fc.assert(
      fc.property(steps, (lived) => {
        const life = new Life(policy);
        life.decide();
        for (const step of lived) {
          life.live(step);
          // A new generation must pass every check where it stays, and scaling down stops at once.
          const least = step.kind === 'scale' ? 0 : Math.min(1, life.total());
          // What returns hears at once what it was told while it was away.
          life.listen();
          life.decide();
          expect(life.total()).toBeGreaterThanOrEqual(least);
          const { shares = [], wanted = 0 } = life.placement ?? {};
          const placed = wantedPart(shares).reduce((sum, s) => sum + s.replicas, 0);
          expect(placed).toBeLessThanOrEqual(wanted);
          expect(new Set(shares.map((s) => s.site)).size).toBe(shares.length);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('come to rest: when all are back and all is healthy, exactly what is wanted runs', () => {
    fc.assert(
      fc.property(steps, (lived) => {
        const life = new Life(policy);
        life.decide();
        for (const step of lived) {
          life.live(step);
          life.decide();
        }
        for (const s of SITES) life.live({ kind: 'return', name: s });
        for (let round = 0; round < 4; round += 1) {
          for (const s of SITES) life.live({ kind: 'start', name: s });
          life.decide();
        }
        const { shares = [], wanted = 0 } = life.placement ?? {};
        expect(shares.filter((s) => s.until)).toEqual([]);
        expect(life.total()).toBe(wanted);
      }),
      { numRuns: 60 },
    );
  });
});
