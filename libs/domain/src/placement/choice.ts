import type { Candidate, Choice } from './types.js';

/** A choice of nothing yet. */
export function emptyChoice(candidates: number): Choice {
  return { counts: new Int32Array(candidates), open: [], total: 0 };
}

/** Candidates with at least one replica, ascending. */
export function openOf(counts: Int32Array): number[] {
  const open: number[] = [];
  for (let at = 0; at < counts.length; at += 1) if ((counts[at] ?? 0) > 0) open.push(at);
  return open;
}

/** The choice of so many replicas by candidate. */
export function choiceOf(counts: Int32Array): Choice {
  let total = 0;
  for (let at = 0; at < counts.length; at += 1) total += counts[at] ?? 0;
  return { counts: counts.slice(), open: openOf(counts), total };
}

/** `choice` with `replicas` more at candidate `at` (fewer when negative). */
export function withMore(choice: Choice, at: number, replicas: number): Choice {
  const counts = choice.counts.slice();
  const before = counts[at] ?? 0;
  counts[at] = before + replicas;
  const total = choice.total + replicas;
  if (before > 0 && before + replicas > 0) return { counts, open: choice.open, total };
  const open = choice.open.filter((i) => i !== at);
  if (before + replicas > 0) open.push(at);
  return { counts, open: open.toSorted((a, b) => a - b), total };
}

/** `choice` with `replicas` moved from one candidate to another. */
export function withMove(choice: Choice, from: number, to: number, replicas: number): Choice {
  return withMore(withMore(choice, from, -replicas), to, replicas);
}

/** The mean of a number over all replicas; 0 for none. */
export function meanOver(
  candidates: readonly Candidate[],
  { counts, open, total }: Choice,
  of: (candidate: Candidate, replicas: number) => number,
): number {
  if (total === 0) return 0;
  let sum = 0;
  for (const i of open) {
    const candidate = candidates[i];
    const n = counts[i] ?? 0;
    if (candidate) sum += n * of(candidate, n);
  }
  return sum / total;
}
