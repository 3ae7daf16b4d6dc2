import * as fc from 'fast-check';
import { beginLiveness, tickLiveness } from './liveness.js';
import { LIVENESS_TIMINGS } from './timings.js';

const SITES = ['a', 'b', 'c', 'd', 'e'];
const step = fc.record({
  ms: fc.integer({ min: 50, max: 2_500 }),
  connected: fc.boolean(),
  beating: fc.subarray(SITES),
});

/** Runs any history and tells each change with what was true at that moment. */
function play(
  steps: { ms: number; connected: boolean; beating: string[] }[],
  replicas?: ReadonlyMap<string, number>,
) {
  let now = 0;
  let state = beginLiveness(0, new Map(SITES.map((s) => [s, 'ready' as const])));
  const heard = new Map<string, number>();
  const seen: {
    site: string;
    to: string;
    now: number;
    silentMs: number;
    connected: boolean;
    silentSites: number;
  }[] = [];
  for (const { ms, connected, beating } of steps) {
    now += ms;
    if (connected) for (const s of beating) heard.set(s, now);
    const result = tickLiveness(state, {
      now,
      connected,
      sites: SITES,
      heard,
      ...(replicas ? { replicas } : {}),
    });
    state = result.state;
    const silentFor = (s: string) => now - (heard.get(s) ?? 0);
    const silentSites = SITES.filter((s) => silentFor(s) >= LIVENESS_TIMINGS.suspectAfterMs).length;
    for (const c of result.changes)
      seen.push({ now, site: c.site, to: c.to, silentMs: silentFor(c.site), connected, silentSites });
  }
  return seen;
}

describe('failure detection, over any history', () => {
  it('never calls a site lost that was silent for less than the time for it', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        for (const c of play(steps).filter((x) => x.to === 'lost'))
          expect(c.silentMs).toBeGreaterThanOrEqual(LIVENESS_TIMINGS.lostAfterMs);
      }),
    );
  });

  it('never changes anything while it is not connected', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        expect(play(steps).filter((c) => !c.connected)).toEqual([]);
      }),
    );
  });

  it('never calls a site lost when nobody at all is heard', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const alone = play(steps).filter((c) => c.to === 'lost' && c.silentSites === SITES.length);
        // The last of several that were lost long apart may go: no other was there to be heard.
        expect(alone.length).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('never moves more replicas within a minute than may be moved in two, and those of one site', () => {
    const replicas = new Map(SITES.map((s, i) => [s, 10 * (i + 1)]));
    const most = 150 * LIVENESS_TIMINGS.movesShareAMinute;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const lost = play(steps, replicas).filter((c) => c.to === 'lost');
        for (const first of lost) {
          const within = lost.filter((c) => c.now >= first.now && c.now < first.now + 60_000);
          const moved = within.reduce((sum, c) => sum + (replicas.get(c.site) ?? 0), 0);
          expect(moved).toBeLessThanOrEqual(2 * most + 50);
        }
      }),
    );
  });

  it('gives the same answer to the same history', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        expect(play(steps)).toEqual(play(steps));
      }),
    );
  });
});
