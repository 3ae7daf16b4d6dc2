import type { Check, PlaceRequest, SiteFacts } from '../types.js';

interface Lists {
  allow?: readonly string[] | undefined;
  deny?: readonly string[] | undefined;
}

/** The site is of a kind that is allowed and not denied. */
export const kind = listed(
  'kind',
  (site) => site.kind,
  ({ workload }) => workload.spec.placement.sites.kinds,
);

/** The site's provider is one of those allowed and none of those denied. */
export const provider = listed(
  'provider',
  (site) => site.provider,
  ({ workload }) => workload.spec.placement.sites.providers,
);

function listed(
  name: string,
  valueOf: (site: SiteFacts['site']) => string,
  listsOf: (request: PlaceRequest) => Lists | undefined,
): Check {
  return {
    name,
    reads: () => ({ key: name, of: ({ site }) => valueOf(site) }),
    prepare(request) {
      const lists = listsOf(request);
      if (!lists) return undefined;
      return ({ site }) => (passes(lists, valueOf(site)) ? Number.POSITIVE_INFINITY : 0);
    },
    explain({ facts, request }) {
      const value = valueOf(facts.site);
      const lists = listsOf(request);
      const barred = lists !== undefined && !passes(lists, value);
      return {
        has: value,
        needs: inWords(lists),
        ...(barred ? { remedy: `allow ${value} in spec.placement.sites.${name}s` } : {}),
      };
    },
  };
}

function passes({ allow, deny }: Lists, value: string): boolean {
  return (allow === undefined || allow.includes(value)) && deny?.includes(value) !== true;
}

function inWords(lists: Lists | undefined): string {
  const allow = lists?.allow ? `one of ${lists.allow.join(', ')}` : '';
  const deny = lists?.deny ? `none of ${lists.deny.join(', ')}` : '';
  return [allow, deny].filter(Boolean).join(', ') || 'any';
}
