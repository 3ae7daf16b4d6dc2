import type { EdgeRule } from '@skerry/contracts';
import { numberIn, sensorIn, textIn, type Found } from './entry-values.js';

/** What a rule remembers of one sensor between two of its entries. */
export type Fold =
  /** How many came since the last that was kept, that one included. */
  | { keep: 'one-in'; count: number }
  /** What was kept last. */
  | { keep: 'changes'; last: string }
  /** The stretch of time that is open, from `start` to before `end`, ms since 1970; `last` is when its newest entry came. */
  | {
      keep: 'windows';
      start: number;
      end: number;
      last: number;
      count: number;
      min: number;
      max: number;
      mean: number;
    };

/** An entry that travels. */
export interface KeptEntry {
  at: number;
  value: string;
}

/** What an entry leads to: what is remembered from now on, and what travels; or why the rule has no use for such an entry. */
export type Folded =
  | { ok: true; sensor: string; fold: Fold; kept: KeptEntry[] }
  | { ok: false; problem: string; allowed: string };

/**
 * Applies the rule to one entry. `foldOf` says what is remembered of a sensor; `''` is the one sensor of a rule that tells none
 * apart. Of windows each entry is in exactly one, by its own time: one of another time closes the open one, be it earlier or later.
 */
export function foldEntry(
  rule: EdgeRule,
  entry: KeptEntry,
  foldOf: (sensor: string) => Fold | undefined,
): Folded {
  const sensor = rule.by === undefined ? found('') : sensorIn(entry.value, rule.by);
  if (!sensor.ok) return sensor;
  const before = foldOf(sensor.value);
  const folded = folding(rule, entry, before);
  if (!folded.ok) return folded;
  const { fold, kept } = folded.value;
  return { ok: true, sensor: sensor.value, fold, kept: kept.map((k) => named(k, rule, sensor.value)) };
}

/** What travels of a window that is over at this moment, whose sensor then has nothing open; undefined: it goes on. */
export function closeWindow(
  rule: EdgeRule,
  sensor: string,
  fold: Fold,
  nowMs: number,
): KeptEntry | undefined {
  if (fold.keep !== 'windows' || (nowMs >= fold.start && nowMs < fold.end)) return undefined;
  return named(summary(fold), rule, sensor);
}

/** What travels of a window, over or not, when the rule is another one from now on. */
export function endWindow(rule: EdgeRule, sensor: string, fold: Fold): KeptEntry | undefined {
  return fold.keep === 'windows' ? named(summary(fold), rule, sensor) : undefined;
}

interface Step {
  fold: Fold;
  kept: KeptEntry[];
}

function folding(rule: EdgeRule, entry: KeptEntry, before: Fold | undefined): Found<Step> {
  switch (rule.keep) {
    case 'one-in':
      return found(countOff(rule.n, entry, before));
    case 'changes':
      return ofChanges(rule, entry, before);
    case 'windows':
      return ofWindows(rule, entry, before);
  }
}

function countOff(n: number, entry: KeptEntry, before: Fold | undefined): Step {
  const count = before?.keep === 'one-in' ? before.count : n;
  return count >= n
    ? { fold: { keep: 'one-in', count: 1 }, kept: [entry] }
    : { fold: { keep: 'one-in', count: count + 1 }, kept: [] };
}

function ofChanges(
  { of, deadband }: Extract<EdgeRule, { keep: 'changes' }>,
  entry: KeptEntry,
  before: Fold | undefined,
): Found<Step> {
  const last = before?.keep === 'changes' ? before.last : undefined;
  if (deadband === undefined) {
    const text = textIn(entry.value, of);
    return text.ok ? found(changed(entry, text.value, last !== text.value)) : text;
  }
  const now = numberIn(entry.value, of);
  if (!now.ok) return now;
  // Against what travelled last, not what came last: a slow drift is seen too.
  const beyond = last === undefined || !(Math.abs(now.value - Number(last)) <= deadband);
  return found(changed(entry, beyond ? String(now.value) : last, beyond));
}

function changed(entry: KeptEntry, last: string, travels: boolean): Step {
  return { fold: { keep: 'changes', last }, kept: travels ? [entry] : [] };
}

function ofWindows(
  { of, everyMs }: Extract<EdgeRule, { keep: 'windows' }>,
  { at, value }: KeptEntry,
  before: Fold | undefined,
): Found<Step> {
  const number = numberIn(value, of);
  if (!number.ok) return number;
  const v = number.value;
  const open = before?.keep === 'windows' ? before : undefined;
  if (open !== undefined && at >= open.start && at < open.end) {
    const count = open.count + 1;
    const [min, max] = [Math.min(open.min, v), Math.max(open.max, v)];
    // In this form no sum is made that could be beyond all numbers.
    const mean = Math.min(max, Math.max(min, open.mean * (open.count / count) + v / count));
    return found({ fold: { ...open, last: Math.max(open.last, at), count, min, max, mean }, kept: [] });
  }
  const start = Math.floor(at / everyMs) * everyMs;
  const fold: Fold = {
    keep: 'windows',
    start,
    end: start + everyMs,
    last: at,
    count: 1,
    min: v,
    max: v,
    mean: v,
  };
  return found({ fold, kept: open === undefined ? [] : [summary(open)] });
}

function summary({ start, end, last, count, min, max, mean }: Extract<Fold, { keep: 'windows' }>): KeptEntry {
  const [from, to] = [start, end].map((ms) => new Date(ms).toISOString());
  return { at: last, value: JSON.stringify({ from, to, count, min, max, mean }) };
}

/** A summary says of which sensor it is; any other entry says that itself. */
function named(kept: KeptEntry, rule: EdgeRule, sensor: string): KeptEntry {
  if (rule.keep !== 'windows' || rule.by === undefined) return kept;
  return { at: kept.at, value: `${JSON.stringify({ sensor }).slice(0, -1)},${kept.value.slice(1)}` };
}

function found<T>(value: T): Found<T> {
  return { ok: true, value };
}
