import type { RecordState } from '@skerry/contracts';
import { showState } from './states.js';

/** Ranges of keys that a digest keeps apart. */
export const DIGEST_RANGES = 256;

/**
 * The digest of what a copy holds, kept with each change: the same for the same keys and states in whatever order they came, and
 * by ranges of keys, so that two that differ know where. It finds accidents, not forgery. Deletions are not in it: who forgot an
 * old one has the same digest as who remembers it.
 */
export class StateDigest {
  private readonly words = new Uint32Array(DIGEST_RANGES * 2);

  /** A key's state changed. */
  change(key: string, before: RecordState | undefined, after: RecordState | undefined): void {
    const range = digestRangeOf(key) * 2;
    for (const state of [before, after]) {
      const text = state === undefined ? undefined : shownText(state);
      if (text === undefined) continue;
      // Of its own inverse: what is taken out is what was put in.
      this.flip(range, `${key}\n${text}`);
    }
  }

  /** 16 hexadecimal digits for each range. */
  ranges(): string[] {
    return Array.from({ length: DIGEST_RANGES }, (_, range) =>
      hex(this.word(range * 2), this.word(range * 2 + 1)),
    );
  }

  /** 16 hexadecimal digits for all. */
  root(): string {
    const text = this.words.join(' ');
    return hex(hash(text, 1), hash(text, 2));
  }

  private flip(at: number, text: string): void {
    const [first, second] = hashTwice(text);
    this.words[at] = this.word(at) ^ first;
    this.words[at + 1] = this.word(at + 1) ^ second;
  }

  private word(at: number): number {
    return this.words[at] ?? 0;
  }
}

/** The range that a key is in. */
export function digestRangeOf(key: string): number {
  return hash(key, 0x9e3779b9) % DIGEST_RANGES;
}

/** Ranges in which two digests differ. */
export function differingRanges(a: readonly string[], b: readonly string[]): number[] {
  return a.flatMap((digest, range) => (digest === b[range] ? [] : [range]));
}

/** A state as text, the same for equal ones; undefined for a deletion. What was seen of others is not shown and not in it. */
function shownText(state: RecordState): string | undefined {
  if (state.rule === 'newest' || state.rule === 'single-writer') return wordText(state);
  if (showState(state, { nowMs: 0 }) === undefined) return undefined;
  return 'seen' in state ? canonical({ ...state, seen: undefined }) : canonical(state);
}

/** The same as `canonical` gives, of the states that there are most of. */
function wordText(state: Extract<RecordState, { rule: 'newest' | 'single-writer' }>): string | undefined {
  const { at, by, rule, value } = state;
  if (value === undefined) return undefined;
  const epoch = state.rule === 'newest' ? '' : `"epoch":${state.epoch},`;
  return `{"at":[${at[0]},${at[1]}],"by":"${by}",${epoch}"rule":"${rule}","value":${JSON.stringify(value)}}`;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}

/** Looked up once: it is asked for each character. */
const imul = Math.imul;

/** `hash` with seeds 3 and 4, over the text once. */
function hashTwice(text: string): [number, number] {
  const { length } = text;
  let [a, b] = [3, 4];
  for (let i = 0; i < length; i += 1) {
    const unit = text.charCodeAt(i);
    a = imul(a ^ unit, 0xcc9e2d51);
    a = imul((a << 15) | (a >>> 17), 0x1b873593);
    b = imul(b ^ unit, 0xcc9e2d51);
    b = imul((b << 15) | (b >>> 17), 0x1b873593);
  }
  return [finished(a, length), finished(b, length)];
}

/** 32 bits of a text (murmur3's mixing over its UTF-16 units). */
function hash(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i += 1) {
    h = imul(h ^ text.charCodeAt(i), 0xcc9e2d51);
    h = imul((h << 15) | (h >>> 17), 0x1b873593);
  }
  return finished(h, text.length);
}

function finished(mixed: number, length: number): number {
  let h = imul(mixed ^ (mixed >>> 16) ^ length, 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

function hex(...words: number[]): string {
  return words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}
