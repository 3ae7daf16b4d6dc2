import type { Dataset, DatasetSpec, Issue, Site } from '@skerry/contracts';
import { copyMayBe, mayRest } from '../datasets/admit-copies.js';
import { fixedHome, homeInWords } from '../datasets/home.js';
import { originOf } from '../datasets/origin/areas.js';
import { encryptionIssues, isSealed } from './encryption-rules.js';
import { logIssues } from './log-rules.js';
import { objectIssues } from './object-rules.js';
import { originIssues } from './origin-rules.js';
import type { AdmissionState } from './types.js';

/** Everything that speaks against a dataset as it is asked for. */
export function datasetIssues(
  dataset: Dataset,
  present: Dataset | undefined,
  state: Pick<AdmissionState, 'sites' | 'hubJurisdictions'>,
): Issue[] {
  const { spec } = dataset;
  const sites = [...state.sites()].filter((site) => site.membership !== 'removed');
  return [
    ...originIssues(spec, present?.spec, state.hubJurisdictions),
    ...pairs(spec),
    ...logIssues(spec, present?.spec),
    ...objectIssues(
      spec,
      sites.map(({ name }) => name),
    ),
    ...fixed(spec, present?.spec),
    ...encryptionIssues(spec, present?.spec),
    ...residencyIssues(spec, state.hubJurisdictions),
    ...copyIssues(spec, sites),
  ];
}

/** Whether what is wrong is about the law alone. */
export function isResidencyIssue({ path }: Issue): boolean {
  return path.includes('spec.residency') || path.endsWith('(residency)');
}

function pairs({ conflicts, home, ttlMs }: DatasetSpec): Issue[] {
  const issues: Issue[] = [];
  if (conflicts === 'single-writer' && home === undefined)
    issues.push({
      path: 'spec.home',
      problem: 'missing',
      allowed: 'the site that writes, or {with: WORKLOAD}',
    });
  if (conflicts !== 'single-writer' && home !== undefined)
    issues.push({
      path: 'spec.home',
      problem: 'not allowed',
      value: homeInWords({ home }),
      allowed: 'only with conflicts: single-writer',
    });
  if (ttlMs !== undefined && conflicts !== 'newest' && conflicts !== 'single-writer')
    issues.push({
      path: 'spec.ttlMs',
      problem: 'not allowed',
      value: String(ttlMs),
      allowed: `none with conflicts: ${conflicts}, whose values have no one moment; with newest and single-writer`,
    });
  return issues;
}

/** What records are made of cannot change under them. */
function fixed(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  if (before === undefined) return [];
  return (['type', 'conflicts', 'home'] as const).flatMap((field): Issue[] => {
    const [is, was] = [textOf(spec, field), textOf(before, field)];
    if (is === was) return [];
    const allowed = `${was}: it cannot change while there are records; remove the dataset and make it again`;
    return [{ path: `spec.${field}`, problem: 'changed', value: is, allowed }];
  });
}

function textOf(spec: DatasetSpec, field: 'type' | 'conflicts' | 'home'): string {
  return field === 'home' ? homeInWords(spec) : spec[field];
}

/** The hub is a place too: it keeps records, in clear unless they are encrypted. */
function residencyIssues(spec: DatasetSpec, hub: readonly string[] | undefined): Issue[] {
  const issues: Issue[] = [];
  const { residency } = spec;
  const denied = residency?.stay?.filter((j) => residency.deny?.includes(j)) ?? [];
  if (denied.length > 0)
    issues.push({
      path: 'spec.residency.deny',
      problem: 'also in stay',
      value: denied.join(', '),
      allowed: 'jurisdictions that are not in stay',
    });
  // With origin alone it has to be in every area, which is said there.
  const byOrigin = originOf(residency) !== undefined && residency?.stay === undefined;
  if (!byOrigin && !isSealed(spec) && !mayRest(residency, hub))
    issues.push({
      path: 'spec.residency',
      problem: `the hub keeps every record in clear, and ${hub === undefined ? 'nobody has said where it is' : `it is in ${hub.join(', ')}`}`,
      allowed:
        hub === undefined
          ? `once SKERRY_HUB_JURISDICTIONS of policy says where all servers of the hub are; or ${SEALED}`
          : `rules that let records rest in ${hub.join(', ')}; or ${SEALED}`,
    });
  return issues;
}

const SEALED = 'spec.encryption: {at: site}, so that the hub has ciphertext alone';

function copyIssues(spec: DatasetSpec, sites: readonly Site[]): Issue[] {
  const issues: Issue[] = [];
  const choices = sites.map((site) => ({ site, choice: copyMayBe(spec, site) }));
  for (const name of spec.copies.sites ?? []) {
    const found = choices.find(({ site }) => site.name === name);
    if (found === undefined)
      issues.push({
        path: 'spec.copies.sites',
        problem: 'there is no such site',
        value: name,
        allowed: 'names of sites, as "skerry site ls" shows them',
      });
    else if (!found.choice.ok && found.choice.why.startsWith('residency'))
      issues.push({
        path: 'spec.copies.sites (residency)',
        problem: found.choice.why,
        value: name,
        allowed: 'sites that residency allows',
      });
  }
  const allowed = choices.filter(({ choice }) => choice.ok).map(({ site }) => site.name);
  if (allowed.length === 0 && issues.length === 0)
    issues.push({ path: 'spec.copies', problem: 'no site may have a copy', allowed: reasons(choices) });
  const home = fixedHome(spec);
  if (home !== undefined && spec.conflicts === 'single-writer' && !allowed.includes(home))
    issues.push({
      path: 'spec.home',
      problem: 'no copy there',
      value: home,
      allowed: allowed.slice(0, 16).join(', '),
    });
  return issues;
}

function reasons(choices: readonly { site: Site; choice: ReturnType<typeof copyMayBe> }[]): string {
  const why = choices.flatMap(({ site, choice }) => (choice.ok ? [] : [`${site.name}: ${choice.why}`]));
  return why.length === 0 ? 'a site, to begin with' : why.slice(0, 4).join('; ');
}
