import { fullBucket, take, type Bucketful, type Quota } from './token-bucket.js';

/** What one site may send up. Beyond it the site is asked to wait; when it goes on all the same, it is cut off. */
export interface IntakeQuota {
  messages: Quota;
  bytes: Quota;
  /** Messages of the site taken and not yet stored: beyond, others would wait behind them. */
  underWay: number;
  /** What may come although it was asked to wait; more is no misunderstanding. */
  patience: { messages: Quota; bytes: Quota };
  /** A site that was cut off stays so for this long. */
  cutOffForMs: number;
}

const MIB = 1024 * 1024;
export const INTAKE_QUOTA: IntakeQuota = {
  messages: { perSecond: 2_000, burst: 10_000 },
  bytes: { perSecond: 8 * MIB, burst: 16 * MIB },
  // An honest site has at most 1,000 messages and 4 MiB on their way, and waits a second or more with each that was
  // not taken.
  underWay: 1_000,
  patience: {
    messages: { perSecond: 1_500, burst: 5_000 },
    bytes: { perSecond: 8 * MIB, burst: 32 * MIB },
  },
  cutOffForMs: 60_000,
};

/** What is remembered of one site's sending. */
export interface Sending {
  readonly messages: Bucketful;
  readonly bytes: Bucketful;
  readonly patience: { readonly messages: Bucketful; readonly bytes: Bucketful };
  /** Until then nothing is taken: it was cut off. Monotonic ms. */
  readonly heldUntil: number;
}

export type Verdict =
  { kind: 'take' } | { kind: 'wait'; retryAfterMs: number } | { kind: 'cut-off'; reason: string };

export function beginSending(now: number, quota: IntakeQuota = INTAKE_QUOTA): Sending {
  return {
    messages: fullBucket(quota.messages, now),
    bytes: fullBucket(quota.bytes, now),
    patience: {
      messages: fullBucket(quota.patience.messages, now),
      bytes: fullBucket(quota.patience.bytes, now),
    },
    heldUntil: 0,
  };
}

/**
 * Judges one message of `bytes` of a site that has `underWay` messages in work. Instances judge alone: with n of them a
 * site gets up to n times its quota, which is still a bound. `now` is monotonic milliseconds.
 */
export function judgeSending(
  before: Sending,
  message: { bytes: number; underWay: number; now: number },
  quota: IntakeQuota = INTAKE_QUOTA,
): { sending: Sending; verdict: Verdict } {
  const { bytes, underWay, now } = message;
  if (now < before.heldUntil) {
    return { sending: before, verdict: { kind: 'wait', retryAfterMs: Math.ceil(before.heldUntil - now) } };
  }
  const count = take(before.messages, quota.messages, 1, now);
  const size = take(before.bytes, quota.bytes, bytes, now);
  if (count.ok && size.ok && underWay < quota.underWay) {
    return { sending: { ...before, messages: count.bucket, bytes: size.bucket }, verdict: { kind: 'take' } };
  }
  const retryAfterMs = Math.max(count.retryAfterMs, size.retryAfterMs);
  return tooMuch(before, { bytes, now, retryAfterMs }, quota);
}

/** A message that is not taken costs patience; without any left the site is cut off. */
function tooMuch(
  before: Sending,
  message: { bytes: number; now: number; retryAfterMs: number },
  quota: IntakeQuota,
): { sending: Sending; verdict: Verdict } {
  const { bytes, now, retryAfterMs } = message;
  const count = take(before.patience.messages, quota.patience.messages, 1, now);
  const size = take(before.patience.bytes, quota.patience.bytes, bytes, now);
  if (count.ok && size.ok) {
    const sending = { ...before, patience: { messages: count.bucket, bytes: size.bucket } };
    return { sending, verdict: { kind: 'wait', retryAfterMs } };
  }
  const heldUntil = now + quota.cutOffForMs;
  return {
    // What it may send when it is let in again is as for a new one.
    sending: { ...beginSending(heldUntil, quota), heldUntil },
    verdict: { kind: 'cut-off', reason: reasonOf(count.ok ? 'bytes' : 'messages', quota) },
  };
}

function reasonOf(what: 'messages' | 'bytes', quota: IntakeQuota): string {
  const { perSecond } = quota[what];
  const { perSecond: more, burst } = quota.patience[what];
  return `asked to wait, it sent ${burst} ${what} and ${more} a second beyond its quota of ${perSecond} a second`;
}
