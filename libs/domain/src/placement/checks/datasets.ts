import type { Check } from '../types.js';

/** Every dataset that the workload needs has a copy at the site. */
export const datasets: Check = {
  name: 'datasets',
  reads: () => ({ key: 'datasets', of: ({ site }) => site.datasets.join(' ') }),
  prepare({ workload }) {
    const wanted = workload.spec.placement.datasets;
    if (wanted.length === 0) return undefined;
    return ({ site }) => (wanted.every((d) => site.datasets.includes(d)) ? Number.POSITIVE_INFINITY : 0);
  },
  explain({ facts, request }) {
    const wanted = request.workload.spec.placement.datasets;
    const missing = wanted.filter((d) => !facts.site.datasets.includes(d));
    return {
      has: facts.site.datasets.slice(0, 8).join(', ') || 'no dataset',
      needs:
        wanted.length === 0
          ? 'no dataset'
          : `a copy of ${(missing.length > 0 ? missing : wanted).join(', ')}`,
      ...(missing.length > 0 ? { remedy: `copy ${missing.join(', ')} to ${facts.name}` } : {}),
    };
  },
};
