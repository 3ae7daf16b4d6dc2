import { LIMITS, type Replica } from '@skerry/contracts';
import { statusOf } from './stores/read-model.suite.js';
import { fitting, withFewReplicas } from './trim.js';

function replicas(count: number): Replica[] {
  return Array.from({ length: count }, (_, slot) => ({
    id: `shop.web.a.${slot}`,
    slot,
    node: 'n1',
    phase: 'running',
    version: { term: 1, generation: 1, revision: 1 },
    addresses: { http: '127.0.0.1:8080' },
    restarts: 0,
    since: '2026-01-01T00:00:00.000Z',
    message: 'x'.repeat(200),
  }));
}
const big = (count: number) =>
  statusOf('web', {
    sites: [{ site: 'a', phase: 'ready', why: '', wanted: count, running: count, replicas: replicas(count) }],
  });

describe('a status with many replicas', () => {
  it('is left alone when it fits', () => {
    expect(fitting(big(10))).toEqual(big(10));
  });

  it('loses replicas until it fits, keeps its numbers, and says so', () => {
    const fit = fitting(big(5_000));
    expect(Buffer.byteLength(JSON.stringify(fit))).toBeLessThanOrEqual(LIMITS.statusPageBytes);
    expect(fit.sites[0]?.running).toBe(5_000);
    expect(fit.reasons.at(-1)).toMatch(/^\d+ replicas are not shown$/);
  });

  it('shows as many as asked for at each site', () => {
    expect(withFewReplicas(big(40), 32).sites[0]?.replicas).toHaveLength(32);
  });
});
