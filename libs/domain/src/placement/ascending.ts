/**
 * `places` by what `worth` has there, the least first and equal ones in the order in which they come. A merge sort of
 * numbers alone: a comparing function would make an object of every difference.
 */
export function ascending(worth: Float64Array, places: Int32Array): Int32Array {
  let from = places.slice();
  let into = new Int32Array(places.length);
  for (let width = 1; width < places.length; width *= 2) {
    for (let start = 0; start < places.length; start += 2 * width) merge(worth, from, into, start, width);
    [from, into] = [into, from];
  }
  return from;
}

function merge(
  worth: Float64Array,
  from: Int32Array,
  into: Int32Array,
  ...[start, width]: readonly [start: number, width: number]
): void {
  const middle = Math.min(start + width, from.length);
  const end = Math.min(middle + width, from.length);
  let left = start;
  let right = middle;
  for (let n = start; n < end; n += 1) {
    const a = from[left] ?? 0;
    const b = from[right] ?? 0;
    const first = left < middle && (right >= end || (worth[a] ?? 0) <= (worth[b] ?? 0));
    into[n] = first ? a : b;
    if (first) left += 1;
    else right += 1;
  }
}
