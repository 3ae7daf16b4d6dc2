import * as fc from 'fast-check';
import { leaseOf, SINGLETON_LEASE } from '../site-control/timings.js';
import { mayOwn, OWNERSHIP_ENDED_AFTER_MS } from './lease.js';

describe('a lease', () => {
  it('lasts from when its ping was sent until there is just time to stop, and covers what knows of as many losses', () => {
    const grant = { sentAtMs: 1_000, losses: 2 };
    const { stopAtMs, untilMs } = leaseOf(1_000);
    expect(untilMs - stopAtMs).toBe(SINGLETON_LEASE.graceMs + SINGLETON_LEASE.marginMs);
    expect(mayOwn(stopAtMs - 1, grant, 2)).toBe(true);
    expect(mayOwn(stopAtMs, grant, 2)).toBe(false);
    expect(mayOwn(1_001, grant, 3)).toBe(true);
    expect(mayOwn(1_001, grant, 1)).toBe(false);
    expect(mayOwn(1_001, undefined, 9)).toBe(false);
  });

  it('leaves its holder the time of an election of the hub, and its keeper kills nothing that is still given its grace', () => {
    const { stopAtMs, killAtMs, untilMs } = leaseOf(0);
    const [electionMs, pingMs, agentLooksMs] = [9_000, 2_000, 500];
    expect(stopAtMs).toBeGreaterThan(electionMs + pingMs);
    expect(killAtMs).toBeGreaterThanOrEqual(stopAtMs + agentLooksMs + SINGLETON_LEASE.graceMs);
    expect(killAtMs + SINGLETON_LEASE.keeperLooksMs).toBeLessThanOrEqual(untilMs);
    expect(OWNERSHIP_ENDED_AFTER_MS).toBe(20_250);
  });

  it('has ended at the site before the centre gives ownership away, whatever the clocks show and at rates 5 % off', () => {
    const rate = fc.double({ min: 0.95, max: 1.05, noNaN: true });
    const offset = fc.integer({ min: -1e9, max: 1e9 });
    const delay = fc.integer({ min: 0, max: 60_000 });
    fc.assert(
      fc.property(
        fc.record({ site: rate, centre: rate, siteFrom: offset, there: delay, back: delay }),
        ({ site, centre, siteFrom, there, back }) => {
          // True time 0: the last ping is sent; it is answered at `there`.
          const siteClock = (at: number) => siteFrom + at * site;
          const grant = { sentAtMs: siteClock(0), losses: 0 };
          const stopsAt = (leaseOf(0).stopAtMs + 1) / site;
          expect(mayOwn(siteClock(stopsAt), grant, 0)).toBe(false);
          // An answer that comes later never counts.
          expect(mayOwn(siteClock(stopsAt + back), grant, 0)).toBe(false);
          const ended = stopsAt + (SINGLETON_LEASE.graceMs + SINGLETON_LEASE.marginMs) / site;
          expect(there + OWNERSHIP_ENDED_AFTER_MS / centre).toBeGreaterThan(ended);
        },
      ),
    );
  });
});
