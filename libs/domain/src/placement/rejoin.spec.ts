import { describe, expect, it } from '@jest/globals';
import type { Placement, Workload } from '@skerry/contracts';
import { cloud, NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { nextPlacement, reviewAt } from './next-placement.js';
import { AWAY_KEPT_MS } from './rejoin.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };
/** `update.healthyDeadlineMs`. */
const DEADLINE_MS = 120_000;
/** `a` is cheapest, then `b`, then `c`. */
const THREE: SiteExample[] = [
  { name: 'a', cpuCoreMonth: 1 },
  { name: 'b', cpuCoreMonth: 1_000 },
  { name: 'c', cpuCoreMonth: 2_000 },
];

/** One service, whose sites fall silent and return. */
class Away {
  placement: Placement | undefined;
  healthy = new Map<string, number>();
  now = NOW;
  #sites: SiteExample[];
  workload_: Workload;

  constructor(
    readonly rules: Record<string, unknown> = {},
    sites = THREE,
  ) {
    this.#sites = sites;
    this.workload_ = workload({ rules: { replicas: 3, ...rules } });
  }

  change(name: string, change: Partial<SiteExample>): this {
    this.#sites = this.#sites.map((s) => (s.name === name ? { ...s, ...change } : s));
    return this;
  }

  /** A silent site's replicas are not known to be healthy. */
  lose(name: string): this {
    this.healthy.delete(name);
    return this.change(name, { phase: 'lost' });
  }

  well(name: string, replicas: number): this {
    this.healthy.set(name, replicas);
    return this;
  }

  /** Decides; returns replicas by site, with `?` after what waits for its site and `~` after what stays until replaced. */
  decide(): string {
    const snapshot = cloud(this.#sites.map(site));
    snapshot.ledger.hold('default.web', this.workload_.spec.resources, this.placement?.shares ?? []);
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
    });
    this.placement = next ?? this.placement;
    return next ? this.where() : 'stands';
  }

  where(): string {
    const mark = { returned: '?', replaced: '~' };
    const shown = (this.placement?.shares ?? []).map(
      (s) => `${s.site} ${s.replicas}${s.until ? mark[s.until] : ''}`,
    );
    return shown.join(', ') || (this.placement?.state ?? 'nothing');
  }

  /** Placed at `a`, which is lost by now: `b` has taken over and is healthy. */
  static replaced(rules: Record<string, unknown> = {}): Away {
    const web = new Away(rules);
    expect(web.decide()).toBe('a 3');
    web.well('a', 3).lose('a');
    expect(web.decide()).toBe('b 3, a 3?');
    return web.well('b', 3);
  }
}

describe('a site that returns', () => {
  it('keeps its healthy originals, and the replacements go once these are known to be healthy', () => {
    const web = Away.replaced();
    expect(web.decide()).toBe('stands');
    web.change('a', { phase: 'ready' });
    // Only its deadline is new.
    expect(web.decide()).toBe('b 3, a 3?');
    web.well('a', 2);
    expect(web.decide()).toBe('stands');
    web.well('a', 3);
    expect(web.decide()).toBe('a 3');
    expect(web.placement?.origin).toBeUndefined();
  });

  it('is asked for as before while it is away, so that nothing is stopped when it is heard', () => {
    const web = Away.replaced();
    expect(web.placement?.shares.find((s) => s.site === 'a')).toMatchObject({ replicas: 3, costPerMonth: 0 });
    expect(web.placement).toMatchObject({ state: 'placed', wanted: 3, costPerMonth: 3_000 });
  });

  it('whose replicas are not healthy in time is replaced for good', () => {
    const web = Away.replaced();
    web.change('a', { phase: 'ready' });
    web.decide();
    const at = web.now + DEADLINE_MS;
    expect(reviewAt(web.workload_, web.placement?.shares ?? [], { sites: [] }, web.now)).toBe(at);
    web.now = at;
    expect(web.decide()).toBe('b 3');
  });

  it('keeps what it has not said how it fares, also when the time is over, while nothing else is healthy', () => {
    const web = Away.replaced();
    web.healthy.clear();
    web.change('a', { phase: 'ready' });
    expect(web.decide()).toBe('b 3, a 3?');
    web.now += DEADLINE_MS;
    expect(web.decide()).toBe('stands');
    expect(web.well('b', 1).decide()).toBe('b 3');
  });

  it('keeps those of its originals that are healthy when the time is over', () => {
    const web = Away.replaced();
    web.change('a', { phase: 'ready' });
    web.decide();
    web.well('a', 2);
    web.now += DEADLINE_MS;
    expect(web.decide()).toBe('a 2, b 1');
  });

  it('with keep-replacement gives up what it runs as soon as all of the replacements are healthy, though it is away', () => {
    const web = new Away({ onSiteLoss: { rejoin: 'keep-replacement' } });
    web.decide();
    web.well('a', 3).lose('a');
    expect(web.decide()).toBe('b 3, a 3?');
    web.well('b', 2);
    expect(web.decide()).toBe('stands');
    web.well('b', 3);
    expect(web.decide()).toBe('b 3');
  });

  it('with keep-replacement keeps its originals until the replacements are healthy', () => {
    const web = new Away({ onSiteLoss: { rejoin: 'keep-replacement' } });
    web.decide();
    web.well('a', 3).lose('a');
    web.decide();
    web.change('a', { phase: 'ready' }).well('a', 3);
    expect(web.decide()).toBe('b 3, a 3~');
    web.well('b', 3);
    expect(web.decide()).toBe('b 3');
  });

  it('with keep-replacement gives nothing up that has not said yet how it fares, while no replacement is healthy', () => {
    const web = new Away({ onSiteLoss: { rejoin: 'keep-replacement' } });
    web.decide();
    web.well('a', 3).lose('a');
    web.decide();
    web.change('a', { phase: 'ready' }).well('a', 0);
    expect(web.decide()).toBe('b 3, a 3?');
    web.well('a', 3);
    expect(web.decide()).toBe('b 3, a 3~');
    web.well('b', 3);
    expect(web.decide()).toBe('b 3');
  });

  it('with keep-newest keeps its originals, unless the workload was changed meanwhile', () => {
    const same = Away.replaced({ onSiteLoss: { rejoin: 'keep-newest' } });
    same.change('a', { phase: 'ready' }).well('a', 3);
    expect(same.decide()).toBe('a 3');
    const changed = Away.replaced({ onSiteLoss: { rejoin: 'keep-newest' } });
    changed.workload_ = { ...changed.workload_, generation: 2 };
    expect(changed.decide()).toBe('b 3');
    // What replaced them is not healthy yet: they may be the only ones that run.
    const alone = new Away({ onSiteLoss: { rejoin: 'keep-newest' } });
    alone.decide();
    alone.well('a', 3).lose('a').decide();
    alone.workload_ = { ...alone.workload_, generation: 2 };
    expect(alone.decide()).toBe('b 3, a 3?');
    alone.change('a', { phase: 'ready' }).well('a', 3);
    expect(alone.decide()).toBe('b 3, a 3~');
    alone.well('b', 3);
    expect(alone.decide()).toBe('b 3');
  });

  it('gets the newest version of what it runs', () => {
    const web = Away.replaced();
    web.workload_ = { ...web.workload_, generation: 2 };
    expect(web.decide()).toBe('b 3, a 3?');
    expect(web.placement?.version.generation).toBe(2);
  });

  it('takes back only what it had, and of the others those go that came in its place', () => {
    const spread = { spread: { over: 'site', maxSkew: 1 }, replicas: 4 };
    const web = new Away(spread, [...THREE.slice(0, 2), { name: 'c', cpuCoreMonth: 2_000, cordoned: true }]);
    expect(web.decide()).toBe('a 2, b 2');
    web.well('a', 2).well('b', 2).lose('a').change('c', { cordoned: false });
    expect(web.decide()).toBe('b 2, c 2, a 2?');
    web.well('c', 2).change('a', { phase: 'ready' }).well('a', 2);
    expect(web.decide()).toBe('a 2, b 2');
  });

  it('is the original also when what replaced it was lost in turn', () => {
    const web = Away.replaced();
    web.lose('b');
    expect(web.decide()).toBe('c 3, a 3?, b 3?');
    web.well('c', 3).change('b', { phase: 'ready' }).well('b', 3);
    // `b` only stood in for `a`: it is not preferred to `c`, and goes.
    expect(web.decide()).not.toContain('b 3,');
    web.change('a', { phase: 'ready' }).well('a', 3);
    expect(web.decide()).toBe('a 3');
  });

  it('does not keep what may not be there: residency, a drain, a removal, a rule that it breaks', () => {
    const rules = { residency: { allow: ['eu'] } };
    const eu = { jurisdictions: ['eu'] };
    const moved = new Away(
      rules,
      THREE.map((s) => ({ ...s, ...eu })),
    );
    moved.decide();
    moved.well('a', 3).lose('a').decide();
    expect(moved.change('a', { jurisdictions: ['us'] }).decide()).toBe('b 3');
    expect(Away.replaced().change('a', { draining: true }).decide()).toBe('b 3');
    expect(Away.replaced().change('a', { membership: 'leaving' }).decide()).toBe('b 3');
    const ruled = Away.replaced();
    ruled.workload_ = {
      ...workload({ rules: { replicas: 3, sites: { required: { name: 'b' } } } }),
      generation: 2,
    };
    expect(ruled.decide()).toBe('b 3');
  });

  it('keeps the last copy while it is drained or removed, until a replacement is healthy or it had to be empty', () => {
    const drain = {
      draining: true,
      departure: { kind: 'drain' as const, since: new Date(NOW).toISOString() },
    };
    for (const left of [drain, { membership: 'leaving' as const }]) {
      const web = Away.replaced();
      web.healthy.clear();
      expect(web.change('a', left).decide()).toBe('stands');
      expect(web.change('a', { phase: 'ready' }).decide()).toBe('b 3, a 3?');
      expect(web.well('a', 3).decide()).toBe('b 3, a 3~');
      expect(web.well('b', 3).decide()).toBe('b 3');
    }
    const over = Away.replaced();
    over.healthy.clear();
    const deadline = new Date(NOW).toISOString();
    const departure = { kind: 'evacuate' as const, since: deadline, deadline };
    expect(over.change('a', { draining: true, departure }).decide()).toBe('b 3');
  });

  it('keeps what it has not said how it fares when it has become smaller', () => {
    const web = Away.replaced();
    web.healthy.clear();
    expect(web.change('a', { phase: 'ready', cpuMillicores: 1 }).decide()).toBe('b 3, a 3?');
    expect(web.well('a', 3).decide()).toBe('b 3, a 3~');
    expect(web.well('b', 3).decide()).toBe('b 3');
  });

  it('is forgotten after a week, but not while nothing that replaces it is healthy', () => {
    const web = Away.replaced();
    web.now += AWAY_KEPT_MS;
    expect(web.decide()).toBe('b 3');
    const bare = Away.replaced();
    bare.healthy.clear();
    bare.now += AWAY_KEPT_MS;
    expect(bare.decide()).toBe('stands');
  });

  it('goes on with what could not be placed anywhere else', () => {
    const web = new Away({}, [{ name: 'a' }, { name: 'b', cordoned: true }]);
    web.decide();
    web.well('a', 3).lose('a');
    expect(web.decide()).toBe('a 3?');
    expect(web.placement).toMatchObject({ state: 'unplaceable', failedChecks: { cordon: 1, readiness: 1 } });
    web.change('a', { phase: 'ready' });
    expect(web.decide()).toBe('a 3');
    expect(web.placement?.state).toBe('placed');
  });

  it('stops what was stopped or removed meanwhile', () => {
    const web = Away.replaced();
    web.workload_ = { ...web.workload_, generation: 2, stopped: true };
    expect(web.decide()).toBe('stopped');
  });
});
