import { describe, expect, it } from '@jest/globals';
import type { SiteState } from '@skerry/contracts';
import { OWNERSHIP_ENDED_AFTER_MS } from '@skerry/domain';
import { siteOf, type SiteExample } from '../cloud.suite.js';
import { SitesStore } from './sites.store.js';
import { SteadyClock } from './steady-clock.js';

/** The sites of a scheduler whose clocks are as the test says. */
function sitesAt() {
  const machine = { wall: Date.now(), steady: 1_000 };
  const clock = SteadyClock.by({ wallMs: () => machine.wall, steadyMs: () => machine.steady });
  const pass = (ms: number) => {
    machine.wall += ms;
    machine.steady += ms;
  };
  const sites = new SitesStore(clock);
  let revision = 0;
  const entry = <T>(key: string, value: T) =>
    ({ kind: 'put', key, value, revision: ++revision, headers: {}, at: 0 }) as const;
  const spec = (name: string, change: SiteExample['change'] = {}) =>
    sites.applySpec(entry(name, siteOf(name, { change }).site));
  const state = (name: string, phase: SiteState['phase'], silentMs?: number) => {
    const given = { revision: ++revision, ...(silentMs === undefined ? {} : { silentMs }) };
    sites.applyState(entry(name, siteOf(name, { phase, state: given }).state));
  };
  const silentMs = (name: string) => clock.now() - Date.parse(sites.get(name)?.state?.silentSince ?? '');
  return { machine, clock, pass, sites, spec, state, silentMs };
}

describe('how long a site is silent', () => {
  it('goes on counting when the wall clock is set, and deadlines come by that', () => {
    const { machine, clock, pass, sites, spec, state, silentMs } = sitesAt();
    spec('a');
    state('a', 'lost', 3_000);
    pass(2_000);
    expect(silentMs('a')).toBe(5_000);
    for (const byMs of [3_600_000, -86_400_000]) {
      machine.wall += byMs;
      expect(clock.follow()).toBe(byMs);
      sites.shift(byMs);
      expect([clock.now(), silentMs('a')]).toEqual([machine.wall, 5_000]);
    }
    machine.wall += 900;
    expect(clock.follow()).toBe(0);
  });
});

describe('a site that was forced out', () => {
  it('is seen as lost since then until it can own nothing any more', () => {
    const { pass, sites, spec, state, silentMs } = sitesAt();
    spec('a');
    state('a', 'ready');
    pass(1_000);
    spec('a', { membership: 'removed' });
    expect(sites.get('a')).toMatchObject({ site: { membership: 'removed' }, state: { phase: 'lost' } });
    pass(5_000);
    // Inventory clears up behind it, and its specification is written again.
    state('a', 'left');
    spec('a', { membership: 'removed', generation: 3 });
    expect([sites.get('a')?.state?.phase, silentMs('a')]).toEqual(['lost', 5_000]);
    expect(sites.dropAfterMs('a')).toBe(OWNERSHIP_ENDED_AFTER_MS - 5_000);
    sites.drop('a');
    expect([sites.all(), sites.dropAfterMs('a')]).toEqual([[], undefined]);
  });

  it('is seen no longer than its silence from before asks for', () => {
    const { sites, spec, state } = sitesAt();
    for (const [name, silentMs] of [
      ['a', 5_000],
      ['b', OWNERSHIP_ENDED_AFTER_MS],
    ] as const) {
      spec(name);
      state(name, 'lost', silentMs);
      spec(name, { membership: 'removed' });
    }
    expect(sites.all().map(({ name }) => name)).toEqual(['a']);
    expect(sites.dropAfterMs('a')).toBe(OWNERSHIP_ENDED_AFTER_MS - 5_000);
  });

  it('before this process began is seen for as long from its beginning on, unless that was long ago', () => {
    const { sites, spec } = sitesAt();
    spec('a', { membership: 'removed', updatedAt: new Date(Date.now() - 60_000).toISOString() });
    spec('b', { membership: 'removed' });
    expect(sites.all().map(({ name }) => name)).toEqual(['a']);
    expect(sites.dropAfterMs('a')).toBe(OWNERSHIP_ENDED_AFTER_MS);
  });
});
