import { siteKindSchema, type Issue, type LabelRule, type PlacementRules } from '@skerry/contracts';
import { compareValues, labelRulesOf, ruleInWords } from '../../placement/index.js';
import type { Around, Draft } from '../contradictions.js';
import { ALWAYS, barOf, canonical, possibleValues, rulesFor } from './possible-values.js';

/** Rules of one label that no site could meet together. */
export function labelFaults({ spec: { placement } }: Draft, around: Around): Issue[] {
  const labels = new Set(labelRulesOf(placement).map((rule) => canonical(rule.label)));
  return [...labels].flatMap((label) => {
    const problem = faultOf(placement, label, around);
    if (problem === undefined) return [];
    return [
      {
        path: pathOf(placement, label),
        problem,
        value: rulesFor(placement, label).map(ruleInWords).join(' and ').slice(0, 300),
        ...(label === 'kind' ? { allowed: siteKindSchema.options.join(', ') } : {}),
      },
    ];
  });
}

function faultOf(placement: PlacementRules, label: string, around: Around): string | undefined {
  const rules = rulesFor(placement, label);
  const values = possibleValues(placement, label);
  if (values?.length === 0)
    return label === 'kind' ? 'no site can be of this kind' : 'no value meets all of these';
  if (values?.every((value) => barOf(placement, label, value, around) !== undefined)) {
    return barOf(placement, label, values[0] ?? '', around);
  }
  const absent = rules.some((rule) => rule.op === 'absent');
  if (absent && ALWAYS.includes(label)) return 'every site has this label';
  const needed = rules.some((rule) => rule.op !== 'absent' && rule.op !== 'notIn');
  if (absent && needed) return 'both absent and needed';
  return outOfOrder(rules) ? 'no value lies between these' : undefined;
}

/** A lower bound that is not below an upper one, or bounds that are neither numbers nor versions. */
function outOfOrder(rules: readonly LabelRule[]): boolean {
  const lower = rules.filter((rule) => rule.op === 'gt' || rule.op === 'gte');
  const upper = rules.filter((rule) => rule.op === 'lt' || rule.op === 'lte');
  return lower.some((low) =>
    upper.some((high) => {
      const order = compareValues(low.values[0], high.values[0]);
      if (order === undefined) return true;
      return order > 0 || (order === 0 && (low.op === 'gt' || high.op === 'lt'));
    }),
  );
}

function pathOf({ sites }: PlacementRules, label: string): string {
  const required = Object.keys(sites.required).find((key) => canonical(key) === label);
  if (required !== undefined) return `spec.placement.sites.required.${required}`;
  const at = sites.match.findIndex((rule) => canonical(rule.label) === label);
  if (at >= 0) return `spec.placement.sites.match[${at}]`;
  return `spec.placement.sites.${label === 'kind' ? 'kinds' : 'providers'}`;
}
