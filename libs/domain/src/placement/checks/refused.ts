import type { Check } from '../types.js';
import { UNREAD } from './facets.js';

/** The site itself has not said no to this generation. */
export const refused: Check = {
  name: 'refused',
  reads: ({ refusals }) => (refusals.size === 0 ? UNREAD : undefined),
  alike: () => 0,
  prepare: ({ refusals }) =>
    refusals.size === 0 ? undefined : ({ name }) => (refusals.has(name) ? 0 : Number.POSITIVE_INFINITY),
  explain({ facts, request }) {
    const refusal = request.refusals.get(facts.name);
    if (!refusal) return { has: 'not refused', needs: 'not refused' };
    return {
      has: `refused by the site: ${refusal.check}, ${refusal.has}`.slice(0, 300),
      needs: refusal.needs,
      ...(refusal.remedy === undefined ? {} : { remedy: refusal.remedy }),
    };
  },
};
