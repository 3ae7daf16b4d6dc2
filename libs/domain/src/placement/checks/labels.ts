import type { LabelRule } from '@skerry/contracts';
import { labelHolds, ruleInWords } from '../label-match.js';
import type { Check, PlaceRequest, SiteFacts } from '../types.js';
import { labelFacet } from './facets.js';

type Selector = Readonly<Record<string, string | readonly string[]>>;

/** Every label asked for is there with a value that meets its rule: those of `required` and of `match`. */
export const labels: Check = {
  name: 'labels',
  reads: (request) => labelFacet(rulesOf(request).map((rule) => rule.label)),
  prepare(request) {
    const rules = rulesOf(request);
    if (rules.length === 0) return undefined;
    return ({ labels: values }) =>
      rules.every((rule) => labelHolds(rule, values.get(rule.label))) ? Number.POSITIVE_INFINITY : 0;
  },
  explain({ facts, request }) {
    const rules = rulesOf(request);
    const broken = rules.filter((rule) => !labelHolds(rule, facts.labels.get(rule.label)));
    const shown = broken.length > 0 ? broken : rules;
    const keys = [...new Set(shown.map((rule) => rule.label))];
    return {
      has: keys.map((k) => `${k}=${facts.labels.get(k) ?? '(none)'}`).join(', ') || 'no label asked for',
      needs: shown.map(ruleInWords).join(', ') || 'nothing',
      ...(broken.length > 0
        ? { remedy: `label ${facts.name} ${broken.map((rule) => change(rule)).join(' ')}` }
        : {}),
    };
  },
};

function rulesOf({ workload }: PlaceRequest): LabelRule[] {
  const { required, match } = workload.spec.placement.sites;
  const asked = Object.entries(required).map(([label, value]): LabelRule => {
    return { label, op: 'in', values: typeof value === 'string' ? [value] : value };
  });
  return [...asked, ...match];
}

/** The label to set: `key=value`, or `key-` to take it away. */
function change({ label, op, values }: LabelRule): string {
  switch (op) {
    case 'in':
    case 'gte':
    case 'lte':
      return `${label}=${values[0] ?? ''}`;
    case 'exists':
      return `${label}=…`;
    case 'gt':
    case 'lt':
      return `${label}=(${op === 'gt' ? 'above' : 'below'} ${values[0] ?? ''})`;
    case 'notIn':
    case 'absent':
      return `${label}-`;
  }
}

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
