import * as fc from 'fast-check';
import { beginSending, INTAKE_QUOTA, judgeSending, type IntakeQuota, type Sending } from './intake-quota.js';
import { fullBucket, take } from './token-bucket.js';

const QUOTA: IntakeQuota = {
  messages: { perSecond: 100, burst: 50 },
  bytes: { perSecond: 10_000, burst: 5_000 },
  underWay: 10,
  patience: { messages: { perSecond: 200, burst: 100 }, bytes: { perSecond: 40_000, burst: 20_000 } },
  cutOffForMs: 60_000,
};

/** Sends so many messages that far apart; how many got which verdict. */
function send(messages: number, everyMs: number, options: { bytes?: number; underWay?: number } = {}) {
  const { bytes = 10, underWay = 0 } = options;
  let sending: Sending = beginSending(0, QUOTA);
  const kinds: Record<string, number> = {};
  for (let i = 0; i < messages; i += 1) {
    const judged = judgeSending(sending, { bytes, underWay, now: i * everyMs }, QUOTA);
    sending = judged.sending;
    kinds[judged.verdict.kind] = (kinds[judged.verdict.kind] ?? 0) + 1;
  }
  return { kinds, sending };
}

describe('the quota of a site', () => {
  it('takes what stays within it, for ever', () => {
    expect(send(5_000, 10).kinds).toEqual({ take: 5_000 });
  });

  it('asks a site beyond it to wait, and takes the rest at the quota', () => {
    const { take: taken = 0, wait = 0 } = send(400, 5).kinds;
    expect(wait).toBeGreaterThan(0);
    expect(taken).toBeLessThanOrEqual(50 + 200 + 1);
    expect(taken).toBeGreaterThanOrEqual(200);
  });

  it('never cuts a site off that sends three times its quota', () => {
    expect(send(6_000, 1_000 / 290).kinds['cut-off']).toBeUndefined();
  });

  it('cuts a site off, once, that goes on although it was asked to wait', () => {
    const { kinds } = send(1_000, 0.1);
    expect(kinds['cut-off']).toBe(1);
    expect(kinds['take']).toBeLessThanOrEqual(QUOTA.messages.burst + 10);
  });

  it('takes nothing of a site that was cut off, until its time is over', () => {
    const { sending } = send(1_000, 0.1);
    const at = (now: number) => judgeSending(sending, { bytes: 10, underWay: 0, now }, QUOTA).verdict.kind;
    expect(at(sending.heldUntil - 1)).toBe('wait');
    expect(at(sending.heldUntil)).toBe('take');
  });

  it('asks a site to wait while as much of it as may be is under way', () => {
    expect(send(20, 1, { underWay: 10 }).kinds).toEqual({ wait: 20 });
    expect(send(20, 1, { underWay: 9 }).kinds).toEqual({ take: 20 });
  });

  it('counts bytes as well as messages', () => {
    expect(send(5, 10, { bytes: 4_000 }).kinds['wait']).toBeGreaterThan(0);
    expect(send(40, 10, { bytes: 4_000 }).kinds['cut-off']).toBe(1);
  });

  it('has patience with all that an honest outbox has on its way', () => {
    const { underWay, patience } = INTAKE_QUOTA;
    expect(patience.messages.burst).toBeGreaterThan(underWay);
    // Each message that was not taken comes again after a second.
    expect(patience.messages.perSecond).toBeGreaterThan(underWay);
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
