import type { EntriesRequest, OwnEntry } from '@skerry/contracts';

/** What the hub makes of a batch of a store that it has up to `stored`. */
export type EntriesJudgement =
  | { verdict: 'take'; from: number; upTo: number; entries: OwnEntry[] }
  /** All of it is there already. */
  | { verdict: 'known' }
  /** Something is missing before it. */
  | { verdict: 'behind' }
  | { verdict: 'refuse'; reason: string };

/**
 * Whether a batch goes into the hub's stream, and what of it is new there: an entry is stored once however often it comes, and
 * none before those that it follows.
 */
export function judgeEntries(
  { from, upTo, entries }: Pick<EntriesRequest, 'from' | 'upTo' | 'entries'>,
  { stored, valueBytes }: { stored: number; valueBytes: number },
): EntriesJudgement {
  let last = from - 1;
  for (const { number, value } of entries) {
    if (number <= last || number > upTo) return { verdict: 'refuse', reason: `entry ${number} out of order` };
    // Each character is at least one byte; the exact count is the site's business.
    if (value.length > valueBytes) return { verdict: 'refuse', reason: `entry ${number} is too large` };
    last = number;
  }
  if (upTo <= stored) return { verdict: 'known' };
  if (from > stored + 1) return { verdict: 'behind' };
  return { verdict: 'take', from: stored + 1, upTo, entries: entries.filter((e) => e.number > stored) };
}
