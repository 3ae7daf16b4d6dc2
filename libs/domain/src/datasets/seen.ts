import type { Seen } from './rule.js';

/** What either has seen. */
export function joinSeen(a: Seen, b: Seen): Record<string, number> {
  const joined = { ...a };
  for (const [origin, write] of Object.entries(b)) joined[origin] = Math.max(joined[origin] ?? 0, write);
  return joined;
}

/** Whether this write of a store was seen. */
export function hasSeen(seen: Seen, origin: string, write: number): boolean {
  return (seen[origin] ?? 0) >= write;
}
