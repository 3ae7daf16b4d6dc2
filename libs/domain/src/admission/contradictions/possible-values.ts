import { siteKindSchema, type PlacementRules } from '@skerry/contracts';
import { labelHolds, labelRulesOf } from '../../placement/index.js';
import type { Around } from '../contradictions.js';

/** Labels that every site has. */
export const ALWAYS: readonly string[] = ['name', 'site', 'kind', 'provider'];
const SAME: Readonly<Record<string, string>> = { site: 'name' };

/** The name that a label is judged under: `site` and `name` are one. */
export function canonical(label: string): string {
  return SAME[label] ?? label;
}

/** Rules of one label, under any of its names. */
export function rulesFor(placement: PlacementRules, label: string) {
  return labelRulesOf(placement).filter((rule) => canonical(rule.label) === canonical(label));
}

/** Whether a site with this value of the label could pass the rules of labels and residency; the rule that it breaks when not. */
export function barOf(
  placement: PlacementRules,
  label: string,
  value: string,
  around: Pick<Around, 'sites'>,
): string | undefined {
  if (canonical(label) === 'kind' && !KINDS.includes(value)) return 'no site can be of this kind';
  if (!rulesFor(placement, label).every((rule) => labelHolds(rule, value)))
    return 'no such site meets spec.placement.sites';
  if (label !== 'jurisdiction' || placement.residency === undefined) return undefined;
  const { allow, deny } = placement.residency;
  if (deny?.includes(value)) return 'residency denies it';
  if (allow === undefined || allow.includes(value)) return undefined;
  // A site may be of several jurisdictions: of this one first, and of an allowed one besides.
  for (const { jurisdictions } of around.sites()) {
    if (jurisdictions[0] === value && jurisdictions.some((j) => allow.includes(j))) return undefined;
  }
  return 'residency does not allow it';
}

/** Every value that the label could have at a site that passes; undefined when there is no end to them. */
export function possibleValues(placement: PlacementRules, label: string): string[] | undefined {
  const rules = rulesFor(placement, label);
  const lists = rules.flatMap((rule) => (rule.op === 'in' ? [rule.values] : []));
  if (canonical(label) === 'kind') lists.push([...KINDS]);
  const [first] = lists;
  if (first === undefined) return undefined;
  return [...new Set(first)].filter(
    (value) => lists.every((list) => list.includes(value)) && rules.every((rule) => labelHolds(rule, value)),
  );
}

const KINDS: readonly string[] = siteKindSchema.options;
