import type { Check } from '../types.js';

/** A cordoned site takes no new work and keeps what it has. */
export const cordon: Check = {
  name: 'cordon',
  reads: () => ({ key: 'cordon', of: ({ site }) => String(site.cordoned) }),
  prepare:
    () =>
    ({ site }, present) =>
      site.cordoned ? present : Number.POSITIVE_INFINITY,
  explain: ({ facts }) => ({
    has: facts.site.cordoned ? 'cordoned' : 'not cordoned',
    needs: 'not cordoned',
    ...(facts.site.cordoned ? { remedy: `uncordon ${facts.name}` } : {}),
  }),
};
