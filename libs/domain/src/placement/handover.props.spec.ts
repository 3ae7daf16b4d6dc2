import { describe, expect, it } from '@jest/globals';
import type { Placement } from '@skerry/contracts';
import * as fc from 'fast-check';
import { cloud, NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { wantedPart } from './handover.js';
import { nextPlacement } from './next-placement.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };
const SITES = ['a', 'b', 'c'];

/** No site or node is ever lost and nothing is forbidden: whatever moves could stay where it is. */
type Step =
  | { kind: 'change'; name: string; cordoned: boolean; leaving: boolean }
  | { kind: 'start'; name: string }
  | { kind: 'fail'; name: string }
  | { kind: 'scale'; replicas: number }
  | { kind: 'wait'; ms: number };

const name = fc.constantFrom(...SITES);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('change' as const),
      name,
      cordoned: fc.boolean(),
      leaving: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('start' as const), name }),
    fc.record({ kind: fc.constant('fail' as const), name }),
    fc.record({ kind: fc.constant('scale' as const), replicas: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 200_000) }),
  ),
  { minLength: 1, maxLength: 40 },
);

/** One workload whose replicas start and fail at the sites where they are placed. */
class Life {
  placement: Placement | undefined;
  healthy = new Map<string, number>();
  readonly #sites = new Map<string, SiteExample>(SITES.map((s) => [s, { name: s }]));
  #replicas = 2;
  #generation = 1;
  #now = NOW;

  live(step: Step): void {
    switch (step.kind) {
      case 'change':
        this.#sites.set(step.name, {
          name: step.name,
          cordoned: step.cordoned,
          membership: step.leaving ? 'leaving' : 'joined',
        });
        return;
      case 'start':
        this.healthy.set(step.name, this.#placedAt(step.name));
        return;
      case 'fail':
        this.healthy.delete(step.name);
        return;
      case 'scale':
        this.#replicas = step.replicas;
        this.#generation += 1;
        return;
      case 'wait':
        this.#now += step.ms;
    }
  }

  /** Decides, then has what is not placed any more end at once. */
  decide(): void {
    const asked = { ...workload({ rules: { replicas: this.#replicas } }), generation: this.#generation };
    const snapshot = cloud([...this.#sites.values()].map(site));
    snapshot.ledger.hold('default.web', asked.spec.resources, this.placement?.shares ?? []);
    this.placement =
      nextPlacement({
        workload: asked,
        previous: this.placement,
        refusals: new Map(),
        healthy: this.healthy,
        snapshot,
        now: this.#now,
        term: 1,
        epoch: 7,
        inputs: () => DIGESTS,
      }) ?? this.placement;
    for (const s of SITES) this.healthy.set(s, Math.min(this.healthy.get(s) ?? 0, this.#placedAt(s)));
  }

  running(): number {
    return [...this.healthy.values()].reduce((a, b) => a + b, 0);
  }

  #placedAt(at: string): number {
    return this.placement?.shares.find((s) => s.site === at)?.replicas ?? 0;
  }
}

describe('make before break', () => {
  it('never ends the last healthy replica of a service by a decision of its own', () => {
    fc.assert(
      fc.property(steps, (lived) => {
        const life = new Life();
        life.decide();
        for (const step of lived) {
          life.live(step);
          // A new generation must pass every check where it stays; all else keeps what runs.
          const least = step.kind === 'scale' ? 0 : Math.min(1, life.running());
          life.decide();
          expect(life.running()).toBeGreaterThanOrEqual(least);
          const { shares = [], wanted = 0 } = life.placement ?? {};
          const placed = wantedPart(shares).reduce((sum, s) => sum + s.replicas, 0);
          expect(placed).toBeLessThanOrEqual(wanted);
          expect(shares.filter((s) => s.until && s.deadline === undefined)).toEqual([]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
