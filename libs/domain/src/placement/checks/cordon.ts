import type { Check } from '../types.js';

/** A cordoned site, or one of cordoned nodes alone, takes no new work and keeps what it has. */
export const cordon: Check = {
  name: 'cordon',
  reads: () => ({ key: 'cordon', of: ({ site, state }) => `${site.cordoned} ${state?.standing}` }),
  prepare:
    () =>
    ({ site }, present) =>
      site.cordoned ? present : Number.POSITIVE_INFINITY,
  explain: ({ facts: { name, site, state } }) => ({
    has: site.cordoned ? 'cordoned' : 'not cordoned',
    needs: 'not cordoned',
    ...(site.cordoned
      ? { remedy: state?.standing === 'cordoned' ? `uncordon a node of ${name}` : `uncordon ${name}` }
      : {}),
  }),
};
