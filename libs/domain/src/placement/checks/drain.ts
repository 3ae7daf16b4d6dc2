import type { Check } from '../types.js';

/** A draining site, or one of draining nodes alone, takes nothing and gives away what it has. */
export const drain: Check = {
  name: 'drain',
  reads: () => ({ key: 'drain', of: ({ site, state }) => `${site.draining === true} ${state?.standing}` }),
  prepare:
    () =>
    ({ site }) =>
      site.draining === true ? 0 : Number.POSITIVE_INFINITY,
  explain: ({ facts: { name, site, state } }) => ({
    has: site.draining === true ? 'draining' : 'not draining',
    needs: 'not draining',
    ...(site.draining === true
      ? { remedy: state?.standing === 'draining' ? `uncordon a node of ${name}` : `uncordon ${name}` }
      : {}),
  }),
};
