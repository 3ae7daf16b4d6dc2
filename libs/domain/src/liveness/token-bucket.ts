/** How much may pass: a burst, and what flows back each second. */
export interface Quota {
  perSecond: number;
  burst: number;
}

/** What is left, and when that was so (monotonic ms). */
export interface Bucketful {
  readonly left: number;
  readonly at: number;
}

export const fullBucket = (quota: Quota, now: number): Bucketful => ({ left: quota.burst, at: now });

/**
 * Takes `amount` if it is there; else says how long until it will be. An amount above the burst passes when the
 * bucket is full, and then leaves it in debt, so that no message is refused for ever.
 */
export function take(
  bucket: Bucketful,
  quota: Quota,
  amount: number,
  now: number,
): { ok: boolean; bucket: Bucketful; retryAfterMs: number } {
  const elapsed = Math.max(0, now - bucket.at);
  const left = Math.min(quota.burst, bucket.left + (elapsed * quota.perSecond) / 1_000);
  const needed = Math.min(amount, quota.burst);
  if (left >= needed) return { ok: true, bucket: { left: left - amount, at: now }, retryAfterMs: 0 };
  const retryAfterMs = Math.ceil(((needed - left) * 1_000) / quota.perSecond);
  return { ok: false, bucket: { left, at: now }, retryAfterMs };
}
