import { LIMITS, type Copy, type OwnRecord } from '@skerry/contracts';
import { aheadBy } from './clock.js';
import { sealingProblem } from './sealing/bare-state.js';
import { notOfHome } from './home.js';
import { claimsOf, stampOf } from './states.js';

/** What the hub says to a record of a store. `wait`: it knows of writes that are not here yet. */
export type Judgement =
  | { verdict: 'take' }
  | { verdict: 'wait'; reason: string }
  | { verdict: 'ahead'; aheadMs: number }
  | { verdict: 'refuse'; reason: string };

/**
 * Whether a record may go to the other sites. A store speaks for itself alone, of others only what they have said, and of no
 * moment that is not yet there: who could name a write that is to come, or a time to come, would suppress what others write.
 */
export function judgeRecord(
  record: OwnRecord,
  by: { origin: string; site: string; nowMs: number; known: (origin: string) => number },
  copy: Pick<Copy, 'conflicts' | 'home' | 'holder' | 'limits' | 'encryption'>,
): Judgement {
  const { key, write, state } = record;
  const inClear = sealingProblem(record, copy.encryption);
  if (inClear !== undefined) return refuse(inClear);
  if (state.rule !== copy.conflicts)
    return refuse(`${key}: a record of ${state.rule}, not of ${copy.conflicts}`);
  const elsewhere = notOfHome(record, by.site, copy);
  // Not for good: the copy learns what is so when it asks, and sets aside what comes too late.
  if (elsewhere !== undefined) return { verdict: 'wait', reason: elsewhere.slice(0, 300) };
  if (copy.conflicts === 'single-writer' && copy.holder === undefined && by.site !== copy.home)
    return refuse(`${key}: only ${copy.home ?? 'its home'} writes`);
  const { seen, by: authors } = claimsOf(state);
  if (Object.keys(seen).length > LIMITS.storesPerKey) return refuse(`${key}: more stores than storesPerKey`);
  const single = state.rule !== 'set' && state.rule !== 'keep-both';
  for (const [origin, number] of [...Object.entries(authors), ...Object.entries(seen)]) {
    if (origin === by.origin) {
      if (number > write) return refuse(`${key}: a write of its own that is not made yet`);
    } else if (single) return refuse(`${key}: in the name of another`);
    else if (number > by.known(origin))
      return { verdict: 'wait', reason: `${key}: has seen more of ${origin}` };
  }
  const at = stampOf(state);
  const aheadMs = at === undefined ? 0 : aheadBy(at, by.nowMs);
  return aheadMs > 0 ? { verdict: 'ahead', aheadMs } : { verdict: 'take' };
}

function refuse(reason: string): Judgement {
  return { verdict: 'refuse', reason: reason.slice(0, 300) };
}
