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
  explain({ facts: { site }, request }) {
    const rule = request.workload.spec.placement.residency;
    const remedies = remediesFor(site, rule);
    return {
      has: site.jurisdictions.join(', ') || 'no jurisdiction',
      needs: ruleInWords(rule),
      ...(remedies.length === 0 ? {} : { remedy: remedies.join(' and ') }),
    };
  },
};

/** Whether a residency rule lets something be at the site. A site that names no jurisdiction passes no `allow`. */
export function mayReside(site: Pick<Site, 'jurisdictions'>, rule: Residency): boolean {
  if (rule === undefined) return true;
  if (rule.deny !== undefined && isIn(site, rule.deny)) return false;
  return rule.allow === undefined || isIn(site, rule.allow);
}

function isIn({ jurisdictions }: Pick<Site, 'jurisdictions'>, named: readonly string[]): boolean {
  for (const one of named) if (jurisdictions.includes(one)) return true;
  return false;
}

/** What would let it be there, if the law does: the rule says what was meant, not what is lawful. */
function remediesFor(
  { name, jurisdictions }: Pick<Site, 'name' | 'jurisdictions'>,
  rule: Residency,
): string[] {
  const denied = rule?.deny?.filter((j) => jurisdictions.includes(j)) ?? [];
  const [first] = jurisdictions;
  const remedies: string[] = [];
  if (denied.length > 0) remedies.push(`take ${denied.join(', ')} out of spec.placement.residency.deny`);
  if (rule?.allow && !rule.allow.some((j) => jurisdictions.includes(j))) {
    remedies.push(
      first === undefined
        ? `name the jurisdictions of ${name}`
        : `allow ${first} in spec.placement.residency.allow`,
    );
  }
  return remedies;
}

function ruleInWords(rule: Residency): string {
  const allow = rule?.allow ? `one of ${rule.allow.join(', ')}` : '';
  const deny = rule?.deny ? `none of ${rule.deny.join(', ')}` : '';
  return [allow, deny].filter(Boolean).join(', ') || 'anywhere';
}
