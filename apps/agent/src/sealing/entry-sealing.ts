import type { LogItem, OwnEntry } from '@skerry/contracts';
import type { Log } from '../log.js';
import type { CopySealing } from './copy-sealing.js';
import { openEntry, sealEntry, type Entry } from './entry-box.js';

/** Entries come in their order, so what cannot be opened holds up what follows it; for so long at most, then it is a gap here. */
const PATIENCE_MS = 10 * 60_000;

/** What of a log leaves this node is sealed, what comes is opened before it is kept here. */
export class EntrySealing {
  /** By key that was missing, since when. */
  private readonly waiting = new Map<string, number>();
  /** Keys that are waited for no more. */
  private readonly without = new Set<string>();

  constructor(
    private readonly keys: Pick<CopySealing, 'rule' | 'current' | 'keyFor'>,
    private readonly log: Log,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Entries as they may leave, of the store that wrote them; undefined while there is no key to seal with. */
  seal(entries: readonly OwnEntry[], origin: string): OwnEntry[] | undefined {
    const { current } = this.keys;
    return current && entries.map((entry) => sealEntry(entry, origin, current));
  }

  /**
   * Items of others as they are kept here; undefined while a key is waited for: then nothing of them is taken. What is not sealed,
   * or not by a site that has the key, is a gap, and said.
   */
  open(items: readonly LogItem[]): LogItem[] | undefined {
    const opened: LogItem[] = [];
    for (const item of items) {
      const open = 'gap' in item ? item : this.opened(item);
      if (open === undefined) return undefined;
      opened.push(open);
    }
    return opened;
  }

  private opened(item: Entry): LogItem | undefined {
    const { sealed } = item;
    if (sealed === undefined) return this.forged(item, 'in clear');
    const key = this.keys.keyFor(sealed.key);
    if (key !== undefined) return openEntry(item, key) ?? this.forged(item, 'not what was sealed');
    const since = this.waiting.get(sealed.key) ?? this.now();
    this.waiting.set(sealed.key, since);
    if (this.now() - since < PATIENCE_MS) return undefined;
    if (!this.without.has(sealed.key))
      this.said(item, 'entry-without-key', 'nobody has brought the key of it and of others');
    this.without.add(sealed.key);
    return gapOf(item);
  }

  private forged(item: Entry, reason: string): LogItem {
    this.said(item, 'entry-forged', reason);
    return gapOf(item);
  }

  private said({ origin, number }: Entry, alarm: string, reason: string): void {
    const { project, name } = this.keys.rule;
    this.log.error('an entry is left out', { alarm, project, name, origin, number, reason });
  }
}

const gapOf = ({ origin, number }: Entry): LogItem => ({ gap: { origin, from: number, to: number } });
