import type { PackingPolicy, PackingSetup } from '../packing-policy.js';
import { bestFit } from './best-fit.js';
import { dotProduct } from './dot-product.js';
import { fgd } from './fgd.js';
import { firstFit } from './first-fit.js';
import { gpuPacking } from './gpu-packing.js';
import { leastStranded } from './least-stranded.js';
import { random } from './random.js';

/** Every way of packing there is; `least-stranded` is what the engine uses, the others are what it is measured against. */
export const PACKING_POLICIES = {
  'least-stranded': leastStranded,
  fgd,
  'best-fit': bestFit,
  'first-fit': firstFit,
  'dot-product': dotProduct,
  'gpu-packing': gpuPacking,
  random,
} satisfies Record<string, (setup: PackingSetup) => PackingPolicy>;
export type PackingPolicyName = keyof typeof PACKING_POLICIES;
