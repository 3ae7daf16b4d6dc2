import { setImmediate } from 'node:timers/promises';
import type { ElsewhereRecord, RecordState } from '@skerry/contracts';
import { isDroppable, mergeStates, showState, type Shown } from '@skerry/domain';
import { firstKeys, type FirstKeys } from './copy-keys.js';
import { elsewhereLine, type Line } from './kept-lines.js';

/** What a key may be known to hold in another area. */
export interface ShownElsewhere {
  area: string;
  shown: Shown;
}

/** Keys that are looked at before others have their turn. */
const AT_ONCE = 5_000;

/** When it is shown, and how long a value of the dataset lives. */
interface Moment {
  ttlMs: number | undefined;
  nowMs: number;
}

/**
 * What may be known here of records that were written in other areas (`residency.origin`), each area by itself: read here, never
 * merged with what is held, never in its digest and never sent on. As texts, like `CopyKeys`.
 */
export class Elsewhere {
  private readonly areas = new Map<string, Map<string, string>>();
  private total = 0;

  /** About what it takes on the disk. */
  get bytes(): number {
    return this.total;
  }

  take(records: readonly Pick<ElsewhereRecord, 'area' | 'key' | 'state'>[]): void {
    for (const { area, key, state } of records) {
      const keys = this.areas.get(area) ?? new Map<string, string>();
      this.areas.set(area, keys);
      const before = keys.get(key);
      const merged = before === undefined ? state : mergeStates(stateIn(before), state);
      this.put(keys, key, JSON.stringify(merged));
    }
  }

  /** By the name of the area. */
  show(key: string, moment: Moment): ShownElsewhere[] {
    return [...this.areas]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([area, keys]) => {
        const text = keys.get(key);
        const shown = text === undefined ? undefined : showState(stateIn(text), moment);
        return shown === undefined ? [] : [{ area, shown }];
      });
  }

  /** See `CopyKeys.firstAfter`. */
  firstAfter(asked: FirstKeys): string[] {
    const found = [...this.areas.values()].flatMap((keys) => firstKeys(keys.keys(), asked));
    return [...new Set(found)].toSorted((a, b) => (a < b ? -1 : 1)).slice(0, asked.limit);
  }

  /** Forgets what has run out, and old deletions. */
  async sweep({ ttlMs, nowMs }: Moment): Promise<void> {
    let looked = 0;
    for (const keys of this.areas.values())
      for (const [key, text] of keys) {
        looked += 1;
        if (looked % AT_ONCE === 0) await setImmediate();
        if (!isDroppable(stateIn(text), ttlMs, nowMs) || keys.get(key) !== text) continue;
        keys.delete(key);
        this.total -= key.length + text.length;
      }
  }

  *lines(): Generator<Line> {
    for (const [area, keys] of this.areas)
      for (const [key, text] of keys) yield elsewhereLine({ area, key, state: stateIn(text) });
  }

  private put(keys: Map<string, string>, key: string, text: string): void {
    const before = keys.get(key);
    this.total += text.length - (before === undefined ? -key.length : before.length);
    keys.set(key, text);
  }
}

function stateIn(text: string): RecordState {
  const state: RecordState = JSON.parse(text);
  return state;
}
