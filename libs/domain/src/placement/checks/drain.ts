import type { Check } from '../types.js';

/** A draining site takes nothing and gives away what it has. */
export const drain: Check = {
  name: 'drain',
  reads: () => ({ key: 'drain', of: ({ site }) => String(site.draining === true) }),
  prepare:
    () =>
    ({ site }) =>
      site.draining === true ? 0 : Number.POSITIVE_INFINITY,
  explain: ({ facts }) => ({
    has: facts.site.draining === true ? 'draining' : 'not draining',
    needs: 'not draining',
    ...(facts.site.draining === true ? { remedy: `uncordon ${facts.name}` } : {}),
  }),
};
