import type { DatasetSpec, Issue, OriginRule } from '@skerry/contracts';
import { isChosen } from '../datasets/choose-copies.js';
import { areasAbroad, originOf } from '../datasets/origin/areas.js';
import { isSealed } from './encryption-rules.js';

const PATH = 'spec.residency.origin';

/** What speaks against `residency.origin` as it is asked for, of a dataset that may be there already. `hub`: where its servers are. */
export function originIssues(
  spec: DatasetSpec,
  before: DatasetSpec | undefined,
  hub: readonly string[] | undefined,
): Issue[] {
  const rule = originOf(spec.residency);
  if (spec.residency?.origin === true) return [...changed(spec, before), NO_AREAS];
  return rule === undefined
    ? changed(spec, before)
    : [
        ...changed(spec, before),
        ...kinds(spec),
        ...redaction(spec, rule),
        ...walls(spec, rule),
        ...(isSealed(spec) ? [] : hubIssues(rule, hub)),
      ];
}

const NO_AREAS: Issue = {
  path: PATH,
  problem: 'says no areas',
  value: 'true',
  allowed: '{among: [eu, us], elsewhere: nothing}, or with elsewhere: {keep: [names of fields]}',
};

/** What was given to copies under another rule would stay there. */
function changed(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  if (before === undefined) return [];
  const [was, is] = [before, spec].map(({ residency }) => inText(originOf(residency)));
  if (was === is) return [];
  const allowed = `${was ?? 'none'}: it cannot change while there are records; remove the dataset and make it again`;
  return [{ path: PATH, problem: 'changed', value: is ?? 'none', allowed }];
}

/** The same for the same rule, in whatever order it was written. */
function inText(rule: OriginRule | undefined): string | undefined {
  if (rule === undefined) return undefined;
  const elsewhere = rule.elsewhere === 'nothing' ? 'nothing' : rule.elsewhere.keep.toSorted().join(', ');
  return `among ${rule.among.toSorted().join(', ')}; elsewhere ${elsewhere}`;
}

function kinds({ conflicts, copies }: DatasetSpec): Issue[] {
  const issues: Issue[] = [];
  if (conflicts === 'single-writer')
    issues.push({
      path: PATH,
      problem: 'not allowed with conflicts: single-writer, where one area alone would have anything',
      allowed: 'stay, which holds for all records alike',
    });
  if (isChosen(copies))
    issues.push({
      path: 'spec.copies',
      problem: 'not yet offered with residency.origin: the last copy of an area would count as one of many',
      allowed: 'at: everywhere or matching, without min and max',
    });
  return issues;
}

/** Only values have fields. */
function redaction(spec: DatasetSpec, { elsewhere }: OriginRule): Issue[] {
  if (elsewhere === 'nothing') return [];
  const { type, conflicts } = spec;
  const issues: Issue[] = [];
  if (type === 'objects')
    issues.push({
      path: `${PATH}.elsewhere`,
      problem: 'not allowed with type: objects, whose bytes have no fields that a rule could keep',
      allowed: 'nothing',
    });
  if (conflicts === 'counter' || conflicts === 'set')
    issues.push({
      path: `${PATH}.elsewhere`,
      problem: `not allowed with conflicts: ${conflicts}, whose keys hold no values with fields`,
      allowed: 'nothing; or conflicts: newest or keep-both',
    });
  if (isSealed(spec))
    issues.push({
      path: `${PATH}.elsewhere`,
      problem: 'not yet offered with encryption: the hub takes out what is not kept, and cannot read it',
      allowed: 'nothing; or no encryption, with a hub that is in every area',
    });
  return issues;
}

function walls({ residency }: DatasetSpec, { among }: OriginRule): Issue[] {
  const issues: Issue[] = [];
  if (residency?.stay !== undefined)
    issues.push({
      path: 'spec.residency.stay',
      problem: 'not allowed with origin',
      value: residency.stay.join(', '),
      allowed: 'origin.among alone, which says where copies are',
    });
  const denied = among.filter((area) => residency?.deny?.includes(area));
  if (denied.length > 0)
    issues.push({
      path: `${PATH}.among`,
      problem: 'also in deny',
      value: denied.join(', '),
      allowed: 'jurisdictions that are not in deny',
    });
  return issues;
}

/** All records lie at the hub, in clear: it has to be where each of them may be. */
function hubIssues(rule: OriginRule, hub: readonly string[] | undefined): Issue[] {
  const abroad = areasAbroad(rule, hub);
  if (abroad.length === 0) return [];
  const where = hub === undefined ? 'nobody has said where it is' : `it is in ${hub.join(', ')}`;
  return [
    {
      path: PATH,
      problem: `the hub keeps the records of every area in clear, and ${where}: not in ${abroad.join(', ')}`,
      allowed:
        'areas that all servers of the hub are in (SKERRY_HUB_JURISDICTIONS of policy); or spec.encryption: {at: site}, with elsewhere: nothing',
    },
  ];
}
