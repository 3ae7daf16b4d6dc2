import * as fc from 'fast-check';
import { mayOwn, ownershipEndedAfterMs } from './lease.js';
import { CUT_OFF_MS, STOP_MARGIN_MS } from './timings.js';

describe('a lease', () => {
  it('lasts from when its ping was sent, and covers what knows of as many losses', () => {
    const grant = { sentAtMs: 1_000, losses: 2 };
    expect(mayOwn(1_000 + CUT_OFF_MS - 1, grant, 2)).toBe(true);
    expect(mayOwn(1_000 + CUT_OFF_MS, grant, 2)).toBe(false);
    expect(mayOwn(1_001, grant, 3)).toBe(true);
    expect(mayOwn(1_001, grant, 1)).toBe(false);
    expect(mayOwn(1_001, undefined, 9)).toBe(false);
  });

  it('has ended at the site before the centre gives ownership away, at whatever moment and rate the clocks run', () => {
    const rate = fc.double({ min: 0.95, max: 1.05, noNaN: true });
    const offset = fc.integer({ min: -1e9, max: 1e9 });
    const graceMs = fc.integer({ min: 0, max: 600_000 });
    const delay = fc.integer({ min: 0, max: 60_000 });
    fc.assert(
      fc.property(
        fc.record({ site: rate, centre: rate, siteFrom: offset, graceMs, there: delay, back: delay }),
        ({ site, centre, siteFrom, graceMs, there, back }) => {
          // True time 0: the last ping is sent; it is answered at `there`, heard at `there + back`.
          const siteClock = (at: number) => siteFrom + at * site;
          const grant = { sentAtMs: siteClock(0), losses: 0 };
          const lapsed = CUT_OFF_MS / site;
          expect(mayOwn(siteClock(lapsed + 1), grant, 0)).toBe(false);
          // An answer that comes later never counts.
          expect(mayOwn(siteClock(lapsed + 1 + back), grant, 0)).toBe(false);
          const ended = lapsed + (graceMs + STOP_MARGIN_MS) / site;
          const handedOver = there + ownershipEndedAfterMs(graceMs) / centre;
          expect(handedOver).toBeGreaterThan(ended);
        },
      ),
    );
  });
});
