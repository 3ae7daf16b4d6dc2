import type { PackingPolicy } from '../packing-policy.js';

/** The first node that has room, and the first GPU of it. */
export function firstFit(): PackingPolicy {
  return { name: 'first-fit', unit: 'order', score: () => 0 };
}
