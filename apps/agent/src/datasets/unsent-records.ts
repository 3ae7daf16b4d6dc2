import { LIMITS, type OwnRecord } from '@skerry/contracts';
import { ownState } from '@skerry/domain';
import type { CopyKeys } from './copy-keys.js';
import type { Waiting } from './waiting.js';

/** What of a copy the hub has not got, oldest first, as much as one message holds; and up to which write that is. */
export function unsentRecords(
  waiting: Waiting,
  keys: CopyKeys,
  origin: string,
): { records: OwnRecord[]; upTo: number } {
  const records: OwnRecord[] = [];
  let upTo = 0;
  let bytes = 0;
  for (const [key, write] of waiting.entries()) {
    const held = keys.get(key);
    const state = held && ownState(held.state, origin);
    if (state !== undefined) {
      bytes += Buffer.byteLength(JSON.stringify(state)) + key.length * 3;
      const full = records.length > 0 && bytes > LIMITS.recordsBytes;
      if (full || records.length === LIMITS.recordsPerMessage) break;
      records.push({ key, write, state });
    }
    // Another's word is newer: nobody needs to hear the own one any more.
    upTo = write;
  }
  return { records, upTo };
}
