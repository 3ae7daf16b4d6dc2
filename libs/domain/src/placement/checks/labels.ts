import type { Check, SiteFacts } from '../types.js';

type Selector = Readonly<Record<string, string | readonly string[]>>;

/** Every required label is there with the value, or one of the values, asked for. */
export const labels: Check = {
  name: 'labels',
  prepare({ workload }) {
    const { required } = workload.spec.placement.sites;
    if (Object.keys(required).length === 0) return undefined;
    return (facts) => (lacking(facts, required).length === 0 ? Number.POSITIVE_INFINITY : 0);
  },
  explain({ facts, request }) {
    const { required } = request.workload.spec.placement.sites;
    const missing = lacking(facts, required);
    const shown = missing.length > 0 ? missing : Object.keys(required);
    return {
      has: shown.map((k) => `${k}=${facts.labels.get(k) ?? '(none)'}`).join(', ') || 'no label asked for',
      needs: shown.map((k) => `${k}=${wanted(required, k).join('|')}`).join(', ') || 'nothing',
      ...(missing.length > 0
        ? {
            remedy: `label ${facts.name} ${missing.map((k) => `${k}=${wanted(required, k)[0] ?? ''}`).join(' ')}`,
          }
        : {}),
    };
  },
};

/** The keys of `selector` that the site does not meet. */
export function lacking(facts: SiteFacts, selector: Selector): string[] {
  const keys = Object.keys(selector);
  return keys.filter((key) => {
    const value = facts.labels.get(key);
    return value === undefined || !wanted(selector, key).includes(value);
  });
}

function wanted(selector: Selector, key: string): readonly string[] {
  const value = selector[key] ?? [];
  return typeof value === 'string' ? [value] : value;
}
