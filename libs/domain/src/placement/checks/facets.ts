import type { Facet } from '../types.js';

/** Of a check that looks at nothing in this request: all sites are the same to it. */
export const UNREAD: Facet = { key: 'nothing', of: () => '' };

/** The values of some labels. */
export function labelFacet(labels: readonly string[]): Facet {
  if (labels.length === 0) return UNREAD;
  const keys = [...new Set(labels)].toSorted();
  return {
    key: `labels ${keys.join(' ')}`,
    // A label without a value is not the same as none.
    of: (facts) => keys.map((key) => facts.labels.get(key) ?? ABSENT).join('\n'),
  };
}

const ABSENT = '\u0000';
