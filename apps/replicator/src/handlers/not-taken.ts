const REASON_CHARS = 300;

/** For good: the site tells its people. */
export function refused(reason: string) {
  return { ok: false, code: 'refused', retryAfterMs: 0, reason: reason.slice(0, REASON_CHARS) } as const;
}

/** Not now: the site tries it again. */
export function later(retryAfterMs: number, reason: string) {
  return { ok: false, code: 'unavailable', retryAfterMs, reason: reason.slice(0, REASON_CHARS) } as const;
}
