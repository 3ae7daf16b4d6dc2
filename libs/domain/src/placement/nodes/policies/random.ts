import type { PackingPolicy, PackingSetup } from '../packing-policy.js';
import { seededStream } from '../seeded-stream.js';

/** Any node that has room, by a seeded draw: what packing is measured against. */
export function random({ seed }: PackingSetup): PackingPolicy {
  const draw = seededStream(seed);
  return { name: 'random', unit: 'drawn', score: draw, draws: true };
}
