import type { Taint } from '@skerry/contracts';
import type { Check, PlaceRequest, SiteFacts } from '../types.js';

/** Every taint of the site is tolerated. What runs where nothing new may come stays; a `no-run` taint moves it away. */
export const taints: Check = {
  name: 'taints',
  reads: () => ({ key: 'taints', of: ({ site }) => site.taints.map(inWords).join(' ') }),
  prepare: (request) => (facts, present) => {
    if (facts.site.taints.length === 0) return Number.POSITIVE_INFINITY;
    const minded = mindedBy(request, facts);
    if (minded.length === 0) return Number.POSITIVE_INFINITY;
    return minded.some((taint) => taint.effect === 'no-run') ? 0 : present;
  },
  explain({ facts, request, present }) {
    const minded = mindedBy(request, facts);
    const [first] = minded;
    const stays = first !== undefined && present > 0 && minded.every((taint) => taint.effect === 'no-new');
    return {
      has: facts.site.taints.map(inWords).join(', ') || 'no taint',
      needs: `${minded.map(inWords).join(', ') || 'every taint'} tolerated${stays ? ', or what runs there' : ''}`,
      ...(first
        ? {
            remedy: `tolerate it: tolerations: [{key: ${first.key}${first.value === '' ? '' : `, value: ${first.value}`}}]`,
          }
        : {}),
    };
  },
};

function mindedBy({ workload }: PlaceRequest, { site }: SiteFacts): Taint[] {
  const { tolerations } = workload.spec.placement;
  return site.taints.filter(
    ({ key, value }) =>
      !tolerations.some((t) => t.key === key && (t.value === undefined || t.value === value)),
  );
}

function inWords({ key, value, effect }: Taint): string {
  return `${key}${value === '' ? '' : `=${value}`}:${effect}`;
}
