import type { PlacementRules, Site } from '@skerry/contracts';
import type { Check } from '../types.js';

type Residency = PlacementRules['residency'];

/** A wall: at least one of the site's jurisdictions is allowed (when any is named) and none is denied. */
export const residency: Check = {
  name: 'residency',
  reads: () => ({ key: 'jurisdictions', of: ({ site }) => site.jurisdictions.join(' ') }),
  prepare({ workload }) {
    const rule = workload.spec.placement.residency;
    return rule && (({ site }) => (mayReside(site, rule) ? Number.POSITIVE_INFINITY : 0));
  },
  explain: ({ facts, request }) => ({
    has: facts.site.jurisdictions.join(', ') || 'no jurisdiction',
    needs: ruleInWords(request.workload.spec.placement.residency),
  }),
};

/** Whether a residency rule lets something be at the site. A site that names no jurisdiction passes no `allow`. */
export function mayReside(site: Pick<Site, 'jurisdictions'>, rule: Residency): boolean {
  if (rule === undefined) return true;
  if (rule.deny?.some((j) => site.jurisdictions.includes(j))) return false;
  return rule.allow === undefined || rule.allow.some((j) => site.jurisdictions.includes(j));
}

function ruleInWords(rule: Residency): string {
  const allow = rule?.allow ? `one of ${rule.allow.join(', ')}` : '';
  const deny = rule?.deny ? `none of ${rule.deny.join(', ')}` : '';
  return [allow, deny].filter(Boolean).join(', ') || 'anywhere';
}
