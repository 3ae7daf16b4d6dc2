import type { EntriesRequest, OwnEntry } from '@skerry/contracts';

/** Salt, nonce and tag of what is sealed. */
const SEAL_BYTES = 44;

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
  { stored, ...log }: { stored: number; valueBytes: number; encrypted?: boolean },
): EntriesJudgement {
  let last = from - 1;
  for (const entry of entries) {
    const { number } = entry;
    if (number <= last || number > upTo) return { verdict: 'refuse', reason: `entry ${number} out of order` };
    const problem = problemOf(entry, log);
    if (problem !== undefined) return { verdict: 'refuse', reason: `entry ${number} ${problem}` };
    last = number;
  }
  if (upTo <= stored) return { verdict: 'known' };
  if (from > stored + 1) return { verdict: 'behind' };
  return { verdict: 'take', from: stored + 1, upTo, entries: entries.filter((e) => e.number > stored) };
}

/** How long a value of so many bytes is when it is sealed, in characters. */
export function sealedChars(bytes: number): number {
  return Math.ceil(((bytes + SEAL_BYTES) * 4) / 3);
}

function problemOf(
  { value, sealed }: OwnEntry,
  { valueBytes, encrypted = false }: { valueBytes: number; encrypted?: boolean },
): string | undefined {
  if (encrypted && (sealed === undefined || value !== ''))
    return 'is in clear, and the log is encrypted (spec.encryption)';
  if (!encrypted && sealed !== undefined) return 'is sealed, and the log is not encrypted';
  // Each character is at least one byte; the exact count is the site's business.
  const isLarge = value.length > valueBytes || (sealed?.box.length ?? 0) > sealedChars(valueBytes);
  return isLarge ? 'is too large' : undefined;
}
