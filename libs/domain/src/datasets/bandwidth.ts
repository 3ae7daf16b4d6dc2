import type { BandwidthRule } from '@skerry/contracts';
import { fullBucket, take, type Bucketful } from '../liveness/token-bucket.js';

const DAY_MINUTES = 1_440;
const MINUTE_MS = 60_000;
/** Chunks under way at once, and how fast one has to come for more of them: heartbeats go the same way. */
const WINDOW_MAX = 8;
const FAST_MS = 500;

/** What applies at a moment: the first rule that matches; `bytesPerSecond` undefined: nothing is held back. */
export interface Bandwidth {
  bytesPerSecond: number | undefined;
  /** How long that holds at least, ms. */
  forMs: number;
}

/** Looks up what applies at a moment of the wall clock. */
export function bandwidthAt(rules: readonly BandwidthRule[], wallMs: number): Bandwidth {
  const minute = (wallMs / MINUTE_MS) % DAY_MINUTES;
  const found = rules.find((rule) => applies(rule, minute));
  const edges = rules.flatMap(({ from, to }) =>
    [from, to].flatMap((t) => (t === undefined ? [] : minuteOf(t))),
  );
  const next = edges.map((edge) => (edge > minute ? edge - minute : edge + DAY_MINUTES - minute));
  return {
    bytesPerSecond: found?.bytesPerSecond,
    forMs: Math.ceil(Math.min(DAY_MINUTES, ...next) * MINUTE_MS),
  };
}

/**
 * Whether so many bytes may go now; if not, when to ask again. At a rate of r, in any t seconds at most r·(t + 1) bytes go, and
 * what one message has beyond a second's.
 */
export function permit(
  rules: readonly BandwidthRule[],
  bucket: Bucketful | undefined,
  bytes: number,
  { wallMs, now }: { wallMs: number; now: number },
): { ok: boolean; bucket: Bucketful | undefined; waitMs: number } {
  const { bytesPerSecond, forMs } = bandwidthAt(rules, wallMs);
  // Free of limits it owes nothing either.
  if (bytesPerSecond === undefined) return { ok: true, bucket: undefined, waitMs: 0 };
  if (bytesPerSecond === 0) return { ok: false, bucket, waitMs: forMs };
  const quota = { perSecond: bytesPerSecond, burst: bytesPerSecond };
  const taken = take(bucket ?? fullBucket(quota, now), quota, bytes, now);
  return { ok: taken.ok, bucket: taken.bucket, waitMs: taken.ok ? 0 : Math.min(taken.retryAfterMs, forMs) };
}

/** How many chunks may be under way, after one took so long: one more while they come fast, half as many when they do not. */
export function nextWindow(window: number, tookMs: number): number {
  return tookMs <= FAST_MS ? Math.min(window + 1, WINDOW_MAX) : Math.max(1, Math.floor(window / 2));
}

function applies({ from, to }: BandwidthRule, minute: number): boolean {
  if (from === undefined || to === undefined) return true;
  const [begin, end] = [minuteOf(from), minuteOf(to)];
  return begin < end ? minute >= begin && minute < end : minute >= begin || minute < end;
}

function minuteOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}
