import type { LabelRule, PlacementRules } from '@skerry/contracts';
import { coerce, compare } from 'semver';

/** Plain numbers, as `16` or `-0.5`. */
const NUMBER = /^-?\d+(?:\.\d+)?$/;
/** Versions, as `v2.10.0` or `5.15.0-105-generic`: at least two numbers. */
const VERSION = /^v?\d+\.\d+(?:\.\d+)?(?:[-+.].*)?$/;

/** Every requirement that a spec makes of labels: `required`, `match`, `kinds` and `providers`, as rules of one form. */
export function labelRulesOf({ sites }: Pick<PlacementRules, 'sites'>): LabelRule[] {
  const required = Object.entries(sites.required).map(([label, value]): LabelRule => {
    return { label, op: 'in', values: typeof value === 'string' ? [value] : value };
  });
  const listed = [...allowDeny('kind', sites.kinds), ...allowDeny('provider', sites.providers)];
  return [...required, ...listed, ...sites.match];
}

function allowDeny(
  label: string,
  rule: { allow?: string[] | undefined; deny?: string[] | undefined } | undefined,
) {
  const rules: LabelRule[] = [];
  if (rule?.allow) rules.push({ label, op: 'in', values: rule.allow });
  if (rule?.deny) rules.push({ label, op: 'notIn', values: rule.deny });
  return rules;
}

/** Whether a label with this value (undefined: without the label) meets a rule. */
export function labelHolds({ op, values }: LabelRule, value: string | undefined): boolean {
  switch (op) {
    case 'in':
      return value !== undefined && values.includes(value);
    case 'notIn':
      return value === undefined || !values.includes(value);
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return ordered(op, compareValues(value, values[0]));
  }
}

function ordered(op: 'gt' | 'gte' | 'lt' | 'lte', order: number | undefined): boolean {
  if (order === undefined) return false;
  if (op === 'gt') return order > 0;
  if (op === 'gte') return order >= 0;
  return op === 'lt' ? order < 0 : order <= 0;
}

/**
 * The order of two values: below 0, 0, or above. Two plain numbers are compared as numbers (so `2.9` is above `2.10`),
 * else two versions as versions, missing parts being 0. Undefined when either is neither.
 */
export function compareValues(a: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined) return undefined;
  if (NUMBER.test(a) && NUMBER.test(b)) return Number(a) - Number(b);
  const [left, right] = [versionOf(a), versionOf(b)];
  return left && right ? compare(left, right) : undefined;
}

function versionOf(value: string) {
  return VERSION.test(value) || NUMBER.test(value) ? coerce(value) : undefined;
}

/** A rule as it is read: `gpu in a100|h100`. */
export function ruleInWords({ label, op, values }: LabelRule): string {
  switch (op) {
    case 'in':
      return values.length === 1 ? `${label}=${values[0]}` : `${label} in ${values.join('|')}`;
    case 'notIn':
      return `${label} not in ${values.join('|')}`;
    case 'exists':
      return `${label} exists`;
    case 'absent':
      return `${label} absent`;
    case 'gt':
      return `${label} > ${values[0]}`;
    case 'gte':
      return `${label} >= ${values[0]}`;
    case 'lt':
      return `${label} < ${values[0]}`;
    case 'lte':
      return `${label} <= ${values[0]}`;
  }
}
