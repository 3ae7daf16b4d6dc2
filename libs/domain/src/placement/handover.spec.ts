import { describe, expect, it } from '@jest/globals';
import type { Placement, Workload } from '@skerry/contracts';
import { cloud, NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { nextPlacement, reviewAt, type NextPlacementInput } from './next-placement.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };
/** `update.healthyDeadlineMs`. */
const DEADLINE_MS = 120_000;

/** A cloud in which one workload is placed over and over, as its sites and its replicas change. */
class Moving {
  placement: Placement | undefined;
  healthy = new Map<string, number>();
  now = NOW;
  #sites: SiteExample[];

  constructor(
    sites: SiteExample[],
    public workload_: Workload = workload(),
  ) {
    this.#sites = sites;
  }

  change(name: string, change: Partial<SiteExample>): void {
    this.#sites = this.#sites.map((s) => (s.name === name ? { ...s, ...change } : s));
  }

  /** Decides; returns replicas by site, with `~` after what only stays until it is replaced. */
  decide(more: Partial<NextPlacementInput> = {}): string {
    const snapshot = cloud(this.#sites.map(site));
    const key = `default.${this.workload_.name}`;
    snapshot.ledger.hold(key, this.workload_.spec.resources, this.placement?.shares ?? []);
    const next = nextPlacement({
      workload: this.workload_,
      previous: this.placement,
      refusals: new Map(),
      healthy: this.healthy,
      snapshot,
      now: this.now,
      term: 1,
      epoch: 7,
      inputs: () => DIGESTS,
      ...more,
    });
    this.placement = next ?? this.placement;
    return next ? this.where() : 'stands';
  }

  where(): string {
    const shown = (this.placement?.shares ?? []).map(
      (s) => `${s.site} ${s.replicas}${s.until ? `~${s.surplus ?? s.replicas}` : ''}`,
    );
    return shown.join(', ') || (this.placement?.state ?? 'nothing');
  }
}

const TWO = [{ name: 'a' }, { name: 'b' }];
/** Everything is placed at `a` first. */
const ONE_OPEN = [{ name: 'a' }, { name: 'b', cordoned: true }];
const LEAVES = { membership: 'leaving' } as const;

describe('make before break', () => {
  it('keeps a healthy replica where it is until what replaces it is healthy', () => {
    const web = new Moving(TWO);
    web.decide();
    web.healthy.set('a', 1);
    web.change('a', LEAVES);
    expect(web.decide()).toBe('b 1, a 1~1');
    expect(web.placement).toMatchObject({ state: 'placed', wanted: 1 });
    expect(web.decide()).toBe('stands');
    web.healthy.set('b', 1);
    expect(web.decide()).toBe('b 1');
    expect(web.decide()).toBe('stands');
  });

  it('keeps a healthy replica at a site that has become smaller until what replaces it is healthy', () => {
    const web = new Moving([{ name: 'a' }, { name: 'b', cordoned: true }]);
    web.decide();
    web.healthy.set('a', 1);
    // A node was lost; what is healthy is not what ran on it.
    web.change('a', { cpuMillicores: 1 });
    web.change('b', { cordoned: false });
    expect(web.decide()).toBe('b 1, a 1~1');
    web.healthy.set('b', 1);
    expect(web.decide()).toBe('b 1');
  });

  it('does not wait for what is not healthy itself, nor at a site that is lost', () => {
    const ill = new Moving(TWO);
    ill.decide();
    ill.change('a', LEAVES);
    expect(ill.decide()).toBe('b 1');
    const lost = new Moving(TWO);
    lost.decide();
    lost.healthy.set('a', 1);
    lost.healthy.delete('a');
    lost.change('a', { phase: 'lost' });
    expect(lost.decide()).toBe('b 1, a 1~1');
    expect(lost.placement?.shares[1]).toMatchObject({ until: 'returned' });
  });

  it('lets nothing stay where residency has come to forbid it', () => {
    const asked = workload({ rules: { residency: { allow: ['eu'] } } });
    const web = new Moving(
      [
        { name: 'a', jurisdictions: ['eu'] },
        { name: 'b', jurisdictions: ['eu'] },
      ],
      asked,
    );
    web.decide();
    web.healthy.set('a', 1);
    web.change('a', { jurisdictions: ['us'] });
    expect(web.decide()).toBe('b 1');
  });

  it('gives up as many as have been replaced, one after the other', () => {
    const web = new Moving(ONE_OPEN, workload({ rules: { replicas: 3 } }));
    web.decide();
    web.healthy.set('a', 3);
    web.change('b', { cordoned: false });
    web.change('a', LEAVES);
    expect(web.decide()).toBe('b 3, a 3~3');
    web.healthy.set('b', 1);
    expect(web.decide()).toBe('b 3, a 2~2');
    web.healthy.set('b', 3);
    expect(web.decide()).toBe('b 3');
  });

  it('ends at its deadline with all but the last copy, which stays until another is healthy', () => {
    const web = new Moving(ONE_OPEN, workload({ rules: { replicas: 2 } }));
    web.decide();
    web.healthy.set('a', 2);
    web.change('b', { cordoned: false });
    web.change('a', LEAVES);
    expect(web.decide()).toBe('b 2, a 2~2');
    const { shares } = web.placement ?? { shares: [] };
    const { sites } = cloud([]);
    expect(reviewAt(web.workload_, shares, { sites }, NOW)).toBe(NOW + DEADLINE_MS);
    web.now = NOW + DEADLINE_MS;
    expect(web.decide()).toBe('b 2, a 1~1');
    web.now += DEADLINE_MS;
    expect(web.decide()).toBe('stands');
    web.healthy.set('b', 1);
    expect(web.decide()).toBe('b 2');
  });

  it('keeps what runs when there is nowhere else to go, and says that it is not placed', () => {
    const web = new Moving([{ name: 'a' }]);
    web.decide();
    web.healthy.set('a', 1);
    web.change('a', LEAVES);
    expect(web.decide()).toBe('a 1~1');
    expect(web.placement?.state).toBe('unplaceable');
  });

  it('never runs a singleton or a job twice', () => {
    for (const type of ['singleton', 'job'] as const) {
      const asked = workload();
      const one = new Moving(TWO, { ...asked, spec: { ...asked.spec, type } });
      one.decide();
      one.healthy.set('a', 1);
      one.change('a', LEAVES);
      expect(one.decide()).toBe('b 1');
    }
  });

  it('scales down and stops at once', () => {
    const web = new Moving(ONE_OPEN, workload({ rules: { replicas: 3 } }));
    web.decide();
    web.healthy.set('a', 3);
    web.workload_ = { ...workload({ rules: { replicas: 1 } }), generation: 2 };
    expect(web.decide()).toBe('a 1');
    web.workload_ = { ...web.workload_, generation: 3, stopped: true };
    expect(web.decide()).toBe('stopped');
  });

  describe('at a site that is to be emptied', () => {
    const since = new Date(NOW).toISOString();
    const within = (ms: number) => ({ deadline: new Date(NOW + ms).toISOString() });
    /** Three healthy replicas at `a`, and nowhere else to go. */
    const full = () => {
      const web = new Moving(ONE_OPEN, workload({ rules: { replicas: 3 } }));
      web.decide();
      web.healthy.set('a', 3);
      return web;
    };

    it('a drain without a deadline keeps what fits nowhere else, as long as it takes', () => {
      const web = full();
      web.change('a', { draining: true, departure: { kind: 'drain', since } });
      expect(web.decide()).toBe('a 3~3');
      web.now += 30 * 86_400_000;
      web.decide();
      expect(web.where()).toBe('a 3~3');
      web.change('b', { cordoned: false });
      expect(web.decide()).toBe('b 3, a 3~3');
      web.healthy.set('b', 3);
      expect(web.decide()).toBe('b 3');
    });

    it('a site all of whose nodes are to be emptied gives away what it has, as with a drain', () => {
      const web = full();
      web.change('a', { standing: 'draining' });
      expect(web.decide()).toBe('a 3~3');
      web.now += 30 * 86_400_000;
      web.decide();
      expect(web.where()).toBe('a 3~3');
      web.change('b', { cordoned: false });
      expect(web.decide()).toBe('b 3, a 3~3');
      web.healthy.set('b', 3);
      expect(web.decide()).toBe('b 3');
    });

    it('a site of cordoned nodes keeps what it has and takes nothing more', () => {
      const web = new Moving([{ name: 'a', standing: 'cordoned' }, { name: 'b' }]);
      expect(web.decide()).toBe('b 1');
      const there = full();
      there.change('a', { standing: 'cordoned' });
      there.change('b', { cordoned: false });
      expect(there.decide()).toBe('stands');
    });

    it('a drain leaves the last healthy copy when its deadline has passed', () => {
      const web = full();
      web.change('a', { draining: true, departure: { kind: 'drain', since, ...within(60_000) } });
      expect(web.decide()).toBe('a 3~3');
      web.now += 60_000;
      expect(web.decide()).toBe('a 1~1');
    });

    it.each(['evacuate', 'retire'] as const)('%s leaves nothing when its deadline has passed', (kind) => {
      const web = full();
      web.change('a', { draining: true, departure: { kind, since, ...within(60_000) } });
      expect(web.decide()).toBe('a 3~3');
      web.now += 60_000;
      web.decide();
      expect(web.where()).toBe('unplaceable');
    });

    it('is looked at again when the deadline passes', () => {
      const asked = workload();
      const at = { name: 'a', departure: { kind: 'evacuate' as const, since, ...within(5_000) } };
      const sites = [site(at)];
      expect(reviewAt(asked, [{ site: 'a' }], { sites }, NOW)).toBe(NOW + 5_000);
      expect(reviewAt(asked, [{ site: 'a' }], { sites }, NOW + 5_000)).toBe(Number.POSITIVE_INFINITY);
    });

    it('taken back, everything stays where it is', () => {
      const web = full();
      web.change('a', { draining: true, departure: { kind: 'evacuate', since, ...within(60_000) } });
      expect(web.decide()).toBe('a 3~3');
      web.change('a', { draining: false, departure: undefined });
      expect(web.decide()).toBe('a 3');
    });
  });

  it('lets a new generation stay only where it may be', () => {
    const web = new Moving(TWO);
    web.decide();
    web.healthy.set('a', 1);
    web.workload_ = { ...workload({ rules: { sites: { required: { name: 'b' } } } }), generation: 2 };
    expect(web.decide()).toBe('b 1');
  });
});
