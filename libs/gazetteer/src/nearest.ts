/** The names nearest to `text` by edit distance (Levenshtein), nearest first, ties by name; at most `most`. */
export function nearest(text: string, names: Iterable<string>, most: number): string[] {
  const scored = [...names].map((name) => ({ name, distance: distance(text, name) }));
  return scored
    .toSorted((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .map(({ name }) => name);
}

/** Characters of either name that are compared. */
const COMPARED = 40;

function distance(a: string, b: string): number {
  const [left, right] = [a.slice(0, COMPARED), b.slice(0, COMPARED)];
  let row = Array.from({ length: right.length + 1 }, (_, j) => j);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const swap = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
