import type { Check } from '../types.js';

/** Only a site that has joined and is not on its way out holds anything. */
export const membership: Check = {
  name: 'membership',
  reads: () => ({ key: 'membership', of: ({ site }) => site.membership }),
  prepare:
    () =>
    ({ site }) =>
      site.membership === 'joined' ? Number.POSITIVE_INFINITY : 0,
  explain: ({ facts }) => ({
    has: facts.site.membership,
    needs: 'joined',
    ...(facts.site.membership === 'pending' ? { remedy: `join ${facts.name}` } : {}),
  }),
};
