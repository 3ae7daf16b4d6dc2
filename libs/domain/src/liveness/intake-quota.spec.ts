import * as fc from 'fast-check';
import { beginSending, INTAKE_QUOTA, judgeSending, type Sending } from './intake-quota.js';
import { fullBucket, take } from './token-bucket.js';

const QUOTA = {
  messages: { perSecond: 100, burst: 50 },
  bytes: { perSecond: 10_000, burst: 5_000 },
  cutOffFactor: 5,
  cutOffWindowMs: 2_000,
  cutOffForMs: 60_000,
};

function send(messages: number, everyMs: number, bytes = 10) {
  let sending: Sending = beginSending(0, QUOTA);
  const kinds: Record<string, number> = {};
  for (let i = 0; i < messages; i += 1) {
    const judged = judgeSending(sending, bytes, i * everyMs, QUOTA);
    sending = judged.sending;
    kinds[judged.verdict.kind] = (kinds[judged.verdict.kind] ?? 0) + 1;
  }
  return kinds;
}

describe('the quota of a site', () => {
  it('takes what stays within it, for ever', () => {
    expect(send(5_000, 10)).toEqual({ take: 5_000 });
  });

  it('asks a site beyond it to wait, and takes the rest at the quota', () => {
    const { take: taken = 0, wait = 0 } = send(400, 5);
    expect(wait).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(50 + 200 + 1);
    expect(taken).toBeGreaterThanOrEqual(200);
  });

  it('cuts a site off that sends five times its quota for two seconds', () => {
    expect(send(1_001, 0.1)['cut-off']).toBe(1);
  });

  it('counts bytes as well as messages', () => {
    expect(send(10, 10, 4_000)['wait']).toBeGreaterThan(0);
  });

  it('takes a single message larger than the burst when nothing else was sent', () => {
    expect(take(fullBucket({ perSecond: 10, burst: 100 }, 0), { perSecond: 10, burst: 100 }, 500, 0).ok).toBe(
      true,
    );
  });

  it('never lets more pass than burst and rate allow', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 400 });
    fc.assert(
      fc.property(gaps, (ms) => {
        let bucket = fullBucket(QUOTA.messages, 0);
        let now = 0;
        let passed = 0;
        for (const gap of ms) {
          now += gap;
          const taken = take(bucket, QUOTA.messages, 1, now);
          bucket = taken.bucket;
          if (taken.ok) passed += 1;
        }
        expect(passed).toBeLessThanOrEqual(QUOTA.messages.burst + (now * QUOTA.messages.perSecond) / 1_000);
      }),
    );
  });

  it('says how long to wait, and after that takes it', () => {
    const quota = { perSecond: 3, burst: 1 };
    const first = take(fullBucket(quota, 0), quota, 1, 0);
    const refused = take(first.bucket, quota, 1, 10);
    expect(refused.ok).toBe(false);
    expect(take(refused.bucket, quota, 1, 10 + refused.retryAfterMs).ok).toBe(true);
  });

  it('lets a site send 2,000 messages a second', () => {
    expect(INTAKE_QUOTA.messages.perSecond).toBe(2_000);
  });
});
