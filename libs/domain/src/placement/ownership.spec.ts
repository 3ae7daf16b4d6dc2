import { describe, expect, it } from '@jest/globals';
import type { Placement, SiteState } from '@skerry/contracts';
import { OWNERSHIP_ENDED_AFTER_MS } from '../liveness/lease.js';
import { cloud, NOW, site, workload, type SiteExample } from './example-cloud.suite.js';
import { nextPlacement, reviewAt } from './next-placement.js';
import type { SiteFacts } from './types.js';

const DIGESTS = { workload: `sha256:${'1'.repeat(64)}`, sites: `sha256:${'2'.repeat(64)}` };
const ENDED_MS = OWNERSHIP_ENDED_AFTER_MS;

type Spec = Record<string, unknown>;

/** One workload at two sites of which anything can be said. */
class One {
  placement: Placement | undefined;
  now = NOW;
  healthy = new Map<string, number>();
  readonly #sites = new Map<string, SiteFacts>();
  readonly workload;

  constructor(type: 'singleton' | 'job', more: Spec = {}) {
    this.workload = workload({
      more: { type, run: { driver: 'mock', stop: { graceMs: 5_000 } }, ...more },
    });
    this.site({ name: 'a' }).site({ name: 'b' });
  }

  site(example: SiteExample, state: Partial<SiteState> = {}): this {
    const facts = site(example);
    this.#sites.set(example.name, facts.state ? { ...facts, state: { ...facts.state, ...state } } : facts);
    return this;
  }

  /** Declared lost now, after its `losses`-th loss; no lease was given to it for `silentMs`. */
  lose(name: string, losses: number, silentMs = 0): this {
    const since = new Date(this.now).toISOString();
    const silentSince = new Date(this.now - silentMs).toISOString();
    return this.site({ name, phase: 'lost', since }, { losses, silentSince });
  }

  decide(term = 1): Placement | undefined {
    const snapshot = cloud([...this.#sites.values()]);
    snapshot.ledger.hold('default.web', this.workload.spec.resources, this.placement?.shares ?? []);
    const next = nextPlacement({
      workload: this.workload,
      previous: this.placement,
      refusals: new Map(),
      healthy: this.healthy,
      snapshot,
      now: this.now,
      term,
      epoch: 7,
      inputs: () => DIGESTS,
    });
    this.placement = next ?? this.placement;
    return next;
  }
}

const at = (name: string, epoch: number, losses = 0) => ({
  shares: [{ site: name, replicas: 1 }],
  owner: { site: name, epoch, losses },
});

describe('the owner of a singleton', () => {
  it('is another site only when the one before must have ended it by itself, under a higher epoch', () => {
    const one = new One('singleton');
    expect(one.decide()).toMatchObject(at('a', 1));
    one.lose('a', 1, 1_000);
    one.now += ENDED_MS - 1_001;
    expect(one.decide()).toBeUndefined();
    one.now += 1;
    const moved = one.decide();
    expect(moved).toMatchObject(at('b', 2));
    expect(moved?.after).toBeUndefined();
  });

  it('goes on where it was when that site is back in time: the same epoch, and knowing of the loss', () => {
    const one = new One('singleton');
    one.decide();
    one.lose('a', 1);
    expect(one.decide()).toBeUndefined();
    one.site({ name: 'a' }, { losses: 1 });
    expect(one.decide()).toMatchObject(at('a', 1, 1));
    expect(one.decide()).toBeUndefined();
  });

  it('is never told of a loss while its site is lost, not by a new generation either', () => {
    const one = new One('singleton');
    one.decide();
    one.lose('a', 1);
    Object.assign(one.workload, { generation: 2 });
    expect(one.decide()).toMatchObject(at('a', 1, 0));
  });

  it('moves by a drain only after it has ended, and when its site is lost meanwhile only after its lease', () => {
    const one = new One('singleton');
    one.decide();
    one.site({ name: 'a', draining: true });
    expect(one.decide()).toMatchObject({ ...at('b', 2), after: ['a'] });
    one.lose('a', 1);
    expect(one.decide()).toBeUndefined();
    one.now += ENDED_MS;
    const moved = one.decide();
    expect(moved).toMatchObject(at('b', 2));
    expect(moved?.after).toBeUndefined();
  });

  it('at a site that was forced out begins elsewhere only when that site must have ended it by itself', () => {
    const one = new One('singleton', { placement: { onSiteLoss: { replaceAfterMs: 600_000 } } });
    one.decide();
    const forcedAt = new Date(one.now).toISOString();
    one.site({ name: 'a', membership: 'removed', phase: 'lost' }, { silentSince: forcedAt });
    const moved = one.decide();
    expect(moved).toMatchObject({ ...at('b', 2), after: ['a'] });
    const snapshot = cloud([site({ name: 'a', phase: 'lost' })]);
    expect(reviewAt(one.workload, [{ site: 'a' }], snapshot, one.now)).toBe(one.now + ENDED_MS);
    one.now += ENDED_MS - 1;
    expect(one.decide()).toBeUndefined();
    one.now += 1;
    expect(one.decide()?.after).toBeUndefined();
    expect(one.placement).toMatchObject(at('b', 2));
  });

  it('has a higher epoch in a later term of the hub than any of an earlier one, whatever the backup had forgotten', () => {
    const one = new One('singleton');
    one.decide();
    one.site({ name: 'a', draining: true });
    expect(one.decide(2)?.owner?.epoch).toBe(1_000_001);
  });

  it('has a higher epoch in a later term also where it was by the backup: another may have had it since', () => {
    const one = new One('singleton');
    one.decide();
    expect(one.decide(2)?.owner).toEqual({ site: 'a', epoch: 1_000_001, losses: 1_000_000 });
    Object.assign(one.workload, { generation: 2 });
    expect(one.decide(2)?.owner).toEqual({ site: 'a', epoch: 1_000_001, losses: 1_000_000 });
  });

  it('has to end where it was also when it was stopped or placed nowhere in between', () => {
    const one = new One('singleton');
    one.decide();
    Object.assign(one.workload, { generation: 2, stopped: true });
    expect(one.decide()).toMatchObject({ state: 'stopped', after: ['a'] });
    Object.assign(one.workload, { generation: 3, stopped: false });
    one.site({ name: 'a', cordoned: true });
    expect(one.decide()).toMatchObject({ ...at('b', 2), after: ['a'] });
  });

  it('at a site with an agent that stops it later is given away later', () => {
    const one = new One('singleton');
    one.site({ name: 'a' }, { agentVersion: '0.1.9' });
    one.decide();
    const state = { agentVersion: '0.1.9', losses: 1, silentSince: new Date(NOW).toISOString() };
    one.site({ name: 'a', phase: 'lost' }, state);
    // 10 s of silence, 5 s of grace, 2 s to be sure, and an eighth.
    one.now = NOW + 19_124;
    expect(one.decide()).toBeUndefined();
    one.now += 1;
    expect(one.decide()).toMatchObject({ shares: [{ site: 'b' }] });
  });

  it('has a higher epoch when it begins again where it had ended: what the site counted of its own begins anew', () => {
    const one = new One('singleton');
    one.decide();
    const { workload: asked } = one;
    Object.assign(asked, { stopped: true, generation: asked.generation + 1 });
    expect(one.decide()).toMatchObject({ state: 'stopped', owner: { site: 'a', epoch: 1 } });
    Object.assign(asked, { stopped: false, generation: asked.generation + 1 });
    expect(one.decide()).toMatchObject(at('a', 2));
  });

  it('keeps its epoch on record while it is placed nowhere', () => {
    const one = new One('singleton');
    one.decide();
    one.site({ name: 'a', cordoned: true, draining: true }).site({ name: 'b', cordoned: true });
    expect(one.decide()).toMatchObject({ state: 'unplaceable', owner: { site: 'a', epoch: 1 } });
    one.site({ name: 'b' });
    expect(one.decide()).toMatchObject(at('b', 2));
  });
});

describe('a job', () => {
  it('that has completed is not run again, whatever becomes of its site', () => {
    const one = new One('job');
    expect(one.decide()).toMatchObject({ shares: [{ site: 'a' }] });
    one.healthy.set('a', 1);
    one.lose('a', 1);
    expect(one.decide()).toBeUndefined();
    one.site({ name: 'a', draining: true });
    expect(one.decide()).toBeUndefined();
  });

  it('runs elsewhere as far as it is not known to have completed', () => {
    const one = new One('job', { placement: { replicas: 3 } });
    const first = one.decide()?.shares ?? [];
    expect(first.reduce((sum, s) => sum + s.replicas, 0)).toBe(3);
    const done = first.find((s) => s.replicas > 1);
    if (!done) throw new Error('not two of them at one site');
    one.healthy.set(done.site, 1);
    one.lose(done.site, 1);
    const shares = one.decide()?.shares ?? [];
    expect(shares.find((s) => s.site === done.site)?.replicas).toBe(1);
    expect(shares.reduce((sum, s) => sum + s.replicas, 0)).toBe(3);
    expect(one.decide()).toBeUndefined();
  });
});
