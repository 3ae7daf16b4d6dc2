import { LIMITS, type Copy as CopyRule, type OwnRecord } from '@skerry/contracts';
import { ownState } from '@skerry/domain';
import type { HeldKey } from './kept-lines.js';

/**
 * Numbers of writes that are passed over when a copy is opened: others may have been given writes of those numbers that this disk has
 * not. More than can be under way at once.
 */
export const PASSED_OVER = 1_024;

/** As much of a draft as is looked at. */
interface Batch {
  keys: ReadonlyMap<string, HeldKey>;
  durable: boolean;
}

/** Gives writes that follow another; says whether it did. */
type Giver = (records: OwnRecord[], before: number) => boolean;

/**
 * Tells who gives to other sites of a few writes that are about to be on the disk, so that they get there meanwhile; as the leader of a
 * consensus group does with its followers (Ongaro, Consensus: Bridging Theory and Practice, 10.2.1). There they are only shown: who
 * wrote is answered, and the hub hears of them, when they are on the disk.
 */
export class WritesUnderWay {
  private giver: Giver = () => false;

  constructor(private readonly origin: string) {}

  /** From now on these are given to others by this, which says whether it did. */
  givenBy(giver: Giver): void {
    this.giver = giver;
  }

  /** Called with what a batch is about to write, and the newest write before it; says whether others are given them. */
  begin({ keys, durable }: Batch, { conflicts, holder }: CopyRule, before: number): boolean {
    // Of a home that moves the term may end meanwhile.
    if (!durable || keys.size > LIMITS.givenRecords || holder !== undefined) return false;
    const records: OwnRecord[] = [];
    for (const [key, { own: write, state: all }] of keys) {
      const state = write > before && all.rule === conflicts ? ownState(all, this.origin) : undefined;
      if (state !== undefined) records.push({ key, write, state });
    }
    try {
      return records.length > 0 && this.giver(records, before);
    } catch {
      // Some may have been given it. What is written here goes by the hub.
      return true;
    }
  }
}
