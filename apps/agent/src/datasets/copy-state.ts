import type { CopyState } from '@skerry/contracts';
import type { CopyKeys } from './copy-keys.js';
import type { Waiting } from './waiting.js';

/** How a copy stands, as it is told. */
export function copyState(
  { keys, waiting }: { keys: CopyKeys; waiting: Waiting },
  { cursor, since, trouble }: { cursor: number; since: string; trouble: string | undefined },
): Omit<CopyState, 'site' | 'node'> {
  const { sinceMs } = waiting;
  return {
    keys: keys.count,
    bytes: keys.bytes,
    digest: keys.root,
    cursor,
    unsent: waiting.count,
    ...(sinceMs === undefined ? {} : { unsentSince: new Date(sinceMs).toISOString() }),
    since,
    ...(trouble === undefined ? {} : { trouble }),
  };
}
