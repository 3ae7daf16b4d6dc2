import { setImmediate } from 'node:timers/promises';
import type { RecordState } from '@skerry/contracts';
import { StateDigest } from '@skerry/domain';
import { keyLine, type HeldKey, type Line } from './kept-lines.js';

/** What a key costs beside its own text and its value's: origin, moment and the rest, on the disk. */
const FRAME_BYTES = 100;
/** Where a write's number has ended for certain. */
const OWN_END = 20;
/** Keys that are looked at before others have their turn. */
const AT_ONCE = 5_000;
/** Of a value's text: rule, own write, moment (two numbers), origin by its number, and epoch. */
const WORD = /^([ns]) (\d+) (\d+) (\d+) (\d+) (\d+)( |$)/;

/**
 * The keys of a copy with all that is known of each, packed: a state is one text, made into objects when it is asked for. As
 * objects a million keys take three times the memory.
 */
export class CopyKeys {
  private readonly texts = new Map<string, string>();
  private readonly digests = new StateDigest();
  /** Origins by number: the same few stand in all states. */
  private readonly origins: string[] = [];
  private readonly numbers = new Map<string, number>();
  private total = 0;

  get count(): number {
    return this.texts.size;
  }

  /** About what they take on the disk. */
  get bytes(): number {
    return this.total;
  }

  get root(): string {
    return this.digests.root();
  }

  /** By ranges of keys, see `StateDigest`. */
  ranges(): string[] {
    return this.digests.ranges();
  }

  get(key: string): HeldKey | undefined {
    const text = this.texts.get(key);
    return text === undefined ? undefined : this.unpacked(text);
  }

  set(key: string, held: HeldKey): void {
    const old = this.texts.get(key);
    const text = this.packed(held);
    if (old !== undefined) this.total -= bytesOf(key, old);
    this.total += bytesOf(key, text);
    this.digests.change(key, old === undefined ? undefined : this.unpacked(old).state, held.state);
    this.texts.set(key, text);
  }

  delete(key: string): void {
    const old = this.texts.get(key);
    if (old === undefined) return;
    this.total -= bytesOf(key, old);
    this.digests.change(key, this.unpacked(old).state, undefined);
    this.texts.delete(key);
  }

  /** Puts these back as they are now. */
  undoing(keys: Iterable<string>): () => void {
    const before = [...keys].map((key) => [key, this.get(key)] as const);
    return () => {
      for (const [key, held] of before)
        if (held === undefined) this.delete(key);
        else this.set(key, held);
    };
  }

  /** As they lie in a file, in no order. */
  *lines(): Generator<Line> {
    for (const [key, held] of this.all()) yield keyLine(key, held);
  }

  /** In no order; what is added or deleted meanwhile may be seen or not. */
  *all(): Generator<[string, HeldKey]> {
    for (const [key, text] of this.texts) yield [key, this.unpacked(text)];
  }

  /** Keys whose newest write here is after this one. */
  *writtenAfter(write: number): Generator<[string, HeldKey]> {
    for (const [key, text] of this.texts) if (ownIn(text) > write) yield [key, this.unpacked(text)];
  }

  /** Deletes those of which it is said, with turns for others in between; until it is told to stop. */
  async sweep(isOver: (key: string, held: HeldKey) => boolean | 'stop'): Promise<void> {
    for await (const [key, held] of this.slowly()) {
      const over = isOver(key, held);
      if (over === 'stop') return;
      if (over) this.delete(key);
    }
  }

  /** As `all`, with turns for others in between: a million at once would hold everything up. */
  async *slowly(): AsyncGenerator<[string, HeldKey]> {
    let looked = 0;
    for (const entry of this.all()) {
      yield entry;
      looked += 1;
      if (looked % AT_ONCE === 0) await setImmediate();
    }
  }

  /**
   * The first keys in their order after one, at most `limit`. Looks at every key once and sorts few: ordering a million would hold
   * up everything else for seconds.
   */
  firstAfter(asked: FirstKeys): string[] {
    return firstKeys(this.texts.keys(), asked);
  }

  private packed({ state, own }: HeldKey): string {
    if (state.rule !== 'newest' && state.rule !== 'single-writer') return JSON.stringify([own, state]);
    const [ms, count] = state.at;
    const epoch = state.rule === 'newest' ? 0 : state.epoch;
    const head = [state.rule === 'newest' ? 'n' : 's', own, ms, count, this.numberOf(state.by), epoch];
    // Joined, not added up: it is one piece of memory then.
    return (state.value === undefined ? head : [...head, state.value]).join(' ');
  }

  private unpacked(text: string): HeldKey {
    const word = WORD.exec(text);
    if (word === null) {
      const [own, state]: [number, RecordState] = JSON.parse(text);
      return { own, state };
    }
    const [head, rule, own, ms, count, number, epoch, hasValue] = word;
    const state = {
      at: [Number(ms), Number(count)] satisfies [number, number],
      by: this.origins[Number(number)] ?? '',
      ...(hasValue === ' ' ? { value: text.slice(head.length) } : {}),
    };
    return {
      own: Number(own),
      state:
        rule === 'n'
          ? { rule: 'newest', ...state }
          : { rule: 'single-writer', epoch: Number(epoch), ...state },
    };
  }

  private numberOf(origin: string): number {
    const known = this.numbers.get(origin);
    if (known !== undefined) return known;
    this.numbers.set(origin, this.origins.length);
    return this.origins.push(origin) - 1;
  }
}

/** Read without the rest: it stands first in both kinds of text, behind one or two characters. */
function ownIn(text: string): number {
  return Number.parseInt(text.slice(text.startsWith('[') ? 1 : 2, OWN_END), 10);
}

export interface FirstKeys {
  after: string;
  limit: number;
  accepts: (key: string) => boolean;
}

/** See `CopyKeys.firstAfter`. */
export function firstKeys(keys: Iterable<string>, { after, limit, accepts }: FirstKeys): string[] {
  let found: string[] = [];
  let bound: string | undefined;
  const sorted = () => found.toSorted((a, b) => (a < b ? -1 : 1)).slice(0, limit);
  for (const key of keys) {
    if (key <= after || (bound !== undefined && key >= bound) || !accepts(key)) continue;
    found.push(key);
    if (found.length < limit * 2) continue;
    found = sorted();
    bound = found.at(-1);
  }
  return sorted();
}

function bytesOf(key: string, text: string): number {
  if (text.startsWith('[')) return FRAME_BYTES + key.length + text.length;
  const word = WORD.exec(text);
  return FRAME_BYTES + key.length + text.length - (word?.[0].length ?? 0);
}
