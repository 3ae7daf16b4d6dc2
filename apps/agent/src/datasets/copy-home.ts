import { isDeepStrictEqual } from 'node:util';
import { Refusal, type Copy, type Holder, type RecordState, type Stamp } from '@skerry/contracts';
import { endedEpoch, isEpochOver, laterHolder } from '@skerry/domain';
import type { Aside, CopyDraft, Word } from './copy-draft.js';
import type { CopyKeys } from './copy-keys.js';
import { asideLine, type HomeLine, type Line, type Siblings } from './kept-lines.js';
import type { Waiting } from './waiting.js';
import { withDeclared } from './with-declared.js';

/** Anything that the hub has is newer than this. */
const BEFORE_ALL: Stamp = [0, 0];
/** How long what was set aside is kept for people. */
const KEPT_MS = 30 * 86_400_000;

/** What this store has written that the hub has not got, as far as is known; of that the hub has what was written up to `stored`. */
export interface OwnWrites {
  waiting: Waiting;
  keys: CopyKeys;
  origin: string;
  stored: number;
}

/** Whether a lease of this site covers who knows of so many losses. */
export type Covers = (losses: number) => boolean;

/**
 * One copy's part in a home that moves: whether it may write, and what it wrote as a home that was cut off until another had
 * begun. That is set aside for people, since it would come after what it never saw; in its place comes what the hub has.
 */
export class CopyHome {
  /** Written down, so that it holds after a restart too. */
  private settled: Holder | undefined;
  private readonly aside = new Map<string, Word>();
  /** Those that the hub may have nevertheless, with the number of their write. */
  private readonly doubts = new Map<string, number>();
  /** Keys that show what was set aside until the hub has said what they hold. */
  private readonly hollow = new Set<string>();

  constructor(
    private readonly site: string,
    private readonly covers: Covers,
  ) {}

  /** A line of the file; the rule with what it says. */
  restore(line: HomeLine, known: Copy): Copy {
    if (line[0] === 'a') {
      if (line[2].rule === 'single-writer') this.aside.set(line[1], line[2]);
      return known;
    }
    const holder = laterHolder(known.holder, line[1]);
    this.settle(holder);
    return { ...known, ...(holder && { holder }) };
  }

  /** Read from the disk, or written to it. */
  settle(holder: Holder | undefined): void {
    this.settled = holder;
  }

  /** Whether what it goes by is written down. */
  hasSettled({ holder }: Copy): boolean {
    return isDeepStrictEqual(this.settled, holder);
  }

  /** The newest epoch in which this copy writes no more, for good; undefined: its home does not move. */
  get ended(): number | undefined {
    return this.settled && endedEpoch(this.settled);
  }

  /** What there is to say to people. */
  get trouble(): string | undefined {
    const { size } = this.aside;
    if (size === 0) return undefined;
    const keys = size === 1 ? '1 key was' : `${size} keys were`;
    return `${keys} written here while cut off and another site was home since: see "skerry data conflicts --at ${this.site}"`;
  }

  /** Why a workload that writes has to wait; undefined: it need not. */
  waits({ project, name, holder }: Copy): string | undefined {
    if (holder === undefined || (holder.site === this.site && holder.pen === true)) return undefined;
    return `waits until this site is home of ${project}/${name}`;
  }

  /** Throws a `Refusal` unless this copy may write now. */
  check({ project, name, holder }: Copy): void {
    if (holder === undefined) return;
    const what = `${project}/${name} (conflicts: single-writer, home with ${holder.with})`;
    const { site, epoch } = holder;
    if (site === undefined)
      throw new Refusal('unavailable', `nobody writes ${what}: ${holder.with} is placed nowhere yet`, {
        hint: `see "skerry why ${project}/${holder.with}"`,
      });
    if (site !== this.site)
      throw new Refusal(
        'conflict',
        `only site ${site} writes ${what}, since epoch ${epoch}; this is ${this.site}`,
        {
          hint: `write at ${site}; here it can be read`,
        },
      );
    const hint = 'try again in a moment';
    if (holder.closing === true)
      throw new Refusal(
        'unavailable',
        `nobody writes ${what} now: its home leaves ${site} with ${holder.with}`,
        {
          hint,
        },
      );
    if (holder.pen !== true)
      throw new Refusal(
        'unavailable',
        `nobody writes ${what} yet: ${site} is home in epoch ${epoch}, and is catching up`,
        {
          hint,
        },
      );
    if (!this.covers(holder.losses))
      throw new Refusal(
        'unavailable',
        `${site} may not write ${what} any more: it has not heard the hub for longer than its lease as home lasts`,
        {
          hint: 'it writes again, or another site does, once it hears the hub',
        },
      );
  }

  /** Whether the hub may have what was set aside. */
  get inDoubt(): boolean {
    return this.doubts.size > 0;
  }

  /**
   * Sets aside what was written in an epoch that is over and the hub has not got: nothing of it is ever sent. Returns whether the
   * file has something as set aside that the hub has.
   */
  setAside(draft: CopyDraft, { holder }: Copy, of: OwnWrites): boolean {
    if (holder === undefined) return false;
    const isLess = this.settleDoubts(draft, holder, of.stored);
    let found = false;
    // The oldest that is sent later still: of the present epoch, or of a key that another has written since.
    let stays = Infinity;
    for (const { own } of draft.keys.values()) if (own > of.stored) stays = Math.min(stays, own);
    for (const [key, write] of of.waiting.entries()) {
      const held = draft.keys.get(key) ?? of.keys.get(key);
      const word =
        held?.state.rule === 'single-writer' && held.state.by === of.origin ? held.state : undefined;
      if (word === undefined || !isEpochOver(word.epoch, holder)) stays = Math.min(stays, write);
      else if (write > of.stored) {
        draft.aside.set(key, { word });
        draft.keys.set(key, { state: { ...word, epoch: 1, at: BEFORE_ALL }, own: 0 });
        found = true;
      }
    }
    if (!found) return isLess;
    // What the hub has of these keys was written over here.
    draft.cursor = 0;
    draft.sent = Math.max(draft.sent, Math.min(draft.writes, stays - 1));
    draft.durable = true;
    return isLess;
  }

  install(aside: ReadonlyMap<string, Aside>): void {
    for (const [key, { word, write }] of aside) {
      this.aside.set(key, word);
      if (write === undefined) this.doubts.delete(key);
      else this.doubts.set(key, write);
    }
  }

  /** A key holds this now. */
  holds(key: string, state: RecordState): void {
    const empty = state.rule === 'single-writer' && state.at[0] === 0 && state.at[1] === 0;
    if (empty) this.hollow.add(key);
    else this.hollow.delete(key);
  }

  /** Of an epoch that is over the hub gets no more: what it has then up to `stored` need not be set aside. */
  private settleDoubts(draft: CopyDraft, holder: Holder, stored: number): boolean {
    for (const [key, { word, write }] of draft.aside) {
      if (write === undefined || word.epoch >= holder.epoch) continue;
      if (write <= stored) draft.aside.delete(key);
      else draft.aside.set(key, { word });
    }
    let isLess = false;
    for (const [key, write] of this.doubts) {
      if ((this.aside.get(key)?.epoch ?? 0) >= holder.epoch) continue;
      this.doubts.delete(key);
      if (write <= stored) isLess = this.aside.delete(key) || isLess;
    }
    return isLess;
  }

  /** Everything that the hub has is here: what is still hollow it never had. Their keys. */
  takeHollow(): string[] {
    const keys = [...this.hollow];
    this.hollow.clear();
    return keys;
  }

  /** Whether something was set aside, or may turn out to be. */
  get hasAside(): boolean {
    return this.aside.size > 0;
  }

  /** Keys that were set aside, in their order, with what was written. */
  list(): [string, Siblings[number]][] {
    const words = [...this.aside].toSorted(([a], [b]) => (a < b ? -1 : 1));
    return words.map(([key, { by, at, value = '' }]) => [key, { by, write: 1, at, value }]);
  }

  /** For the file. */
  *lines(): Generator<Line> {
    for (const [key, word] of this.aside) yield asideLine(key, word);
  }

  sweep(nowMs: number): void {
    for (const [key, { at }] of this.aside) if (at[0] + KEPT_MS < nowMs) this.aside.delete(key);
  }
}

/** What a copy goes by from now on; undefined: what it did. `isOther`: not by its holder alone. */
export function changedRule(known: Copy, rule: Copy): { next: Copy; isOther: boolean } | undefined {
  const { holder: before } = known;
  const holder = laterHolder(before, rule.holder);
  const next = { ...withDeclared(rule, known), ...(holder && { holder }) };
  if (isDeepStrictEqual(next, known)) return undefined;
  const isOther = !isDeepStrictEqual({ ...next, holder: before }, { ...known, holder: before });
  return { next, isOther };
}

/** What it goes by when that was not written down: all of it is heard again; who may write is never again what it was. */
export function undoneRule(before: Copy, { holder }: Copy): Copy {
  return { ...before, ...(holder && { holder }) };
}

/** Has it written down: what is said of it then holds after a restart. */
export function noteHolder(draft: CopyDraft, holder: Holder | undefined): void {
  if (holder === undefined) return;
  draft.holder = holder;
  draft.durable = true;
}
