import { fullBucket, take, type Bucketful, type Quota } from './token-bucket.js';

/** What one site may send up. Beyond it the site is asked to wait; far beyond it for a while, it is cut off. */
export interface IntakeQuota {
  messages: Quota;
  bytes: Quota;
  /** This many times the quota ... */
  cutOffFactor: number;
  /** ... over this long cuts a site off ... */
  cutOffWindowMs: number;
  /** ... for this long. */
  cutOffForMs: number;
}

const MIB = 1024 * 1024;
export const INTAKE_QUOTA: IntakeQuota = {
  messages: { perSecond: 2_000, burst: 10_000 },
  bytes: { perSecond: 8 * MIB, burst: 16 * MIB },
  cutOffFactor: 5,
  cutOffWindowMs: 2_000,
  cutOffForMs: 60_000,
};

/** What is remembered of one site's sending. */
export interface Sending {
  readonly messages: Bucketful;
  readonly bytes: Bucketful;
  /** Everything offered, taken or not, since `windowFrom`. */
  readonly windowFrom: number;
  readonly offeredMessages: number;
  readonly offeredBytes: number;
}

export type Verdict =
  { kind: 'take' } | { kind: 'wait'; retryAfterMs: number } | { kind: 'cut-off'; reason: string };

export function beginSending(now: number, quota: IntakeQuota = INTAKE_QUOTA): Sending {
  return {
    messages: fullBucket(quota.messages, now),
    bytes: fullBucket(quota.bytes, now),
    windowFrom: now,
    offeredMessages: 0,
    offeredBytes: 0,
  };
}

/**
 * Judges one message of `bytes`. Instances judge alone: with n of them a site gets up to n times its quota, which
 * is still a bound. `now` is monotonic milliseconds.
 */
export function judgeSending(
  before: Sending,
  bytes: number,
  now: number,
  quota: IntakeQuota = INTAKE_QUOTA,
): { sending: Sending; verdict: Verdict } {
  const offered = offer(before, bytes, now, quota);
  const reason = tooFast(offered, quota);
  if (reason !== undefined)
    return { sending: beginSending(now, quota), verdict: { kind: 'cut-off', reason } };
  const count = take(offered.messages, quota.messages, 1, now);
  const size = take(offered.bytes, quota.bytes, bytes, now);
  if (count.ok && size.ok) {
    return { sending: { ...offered, messages: count.bucket, bytes: size.bucket }, verdict: { kind: 'take' } };
  }
  const retryAfterMs = Math.max(count.retryAfterMs, size.retryAfterMs);
  return { sending: offered, verdict: { kind: 'wait', retryAfterMs } };
}

function offer(before: Sending, bytes: number, now: number, quota: IntakeQuota): Sending {
  const over = now - before.windowFrom >= quota.cutOffWindowMs;
  return {
    ...before,
    windowFrom: over ? now : before.windowFrom,
    offeredMessages: (over ? 0 : before.offeredMessages) + 1,
    offeredBytes: (over ? 0 : before.offeredBytes) + bytes,
  };
}

/** A whole window's worth of `cutOffFactor` times the quota, reached within the window. */
function tooFast(sending: Sending, quota: IntakeQuota): string | undefined {
  const seconds = quota.cutOffWindowMs / 1_000;
  const messages = quota.messages.perSecond * quota.cutOffFactor * seconds;
  const bytes = quota.bytes.perSecond * quota.cutOffFactor * seconds;
  if (sending.offeredMessages > messages) return `more than ${messages} messages in ${seconds} s`;
  if (sending.offeredBytes > bytes) return `more than ${bytes} bytes in ${seconds} s`;
  return undefined;
}
