import type { RecordState } from '@skerry/contracts';
import { firstKeys, type CopyKeys, type FirstKeys } from './copy-keys.js';
import type { EarlyWrites } from './early-writes.js';
import type { Siblings } from './kept-lines.js';

/** The keys of a copy as who reads them sees them: what it holds, and over it what came early. */
export class ShownKeys {
  constructor(
    private readonly keys: CopyKeys,
    private readonly early: EarlyWrites,
  ) {}

  get(key: string): RecordState | undefined {
    return this.early.over(key, this.keys.get(key)?.state);
  }

  /** Of what it holds alone, which is what copies are compared by; by ranges of keys, see `StateDigest`. */
  ranges(): string[] {
    return this.keys.ranges();
  }

  /** The values of a key that sites wrote without knowing of each other. */
  siblings(key: string): Siblings {
    const state = this.get(key);
    return state?.rule === 'keep-both' ? state.siblings : [];
  }

  /** The first keys in their order after one, at most `limit`. */
  firstAfter(asked: FirstKeys): string[] {
    const held = this.keys.firstAfter(asked);
    if (!this.early.any) return held;
    const all = new Set([...held, ...firstKeys(this.early.all(), asked)]);
    return [...all].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, asked.limit);
  }
}
