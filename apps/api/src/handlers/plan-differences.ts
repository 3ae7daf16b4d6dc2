import type { Issue, Plan, PlannedDataset } from '@skerry/contracts';

/** Differences told of one refusal; the rest is counted. */
const DIFFERENCES_MAX = 64;
type Item = Plan['items'][number];

/** Where deciding again differs from what was planned: one issue a workload and a dataset, what would be now as `value`, what was planned as `allowed`. */
export function differencesOf(planned: Plan, now: Plan): Issue[] {
  const [was, is] = [byKey(planned), byKey(now)];
  const keys = [...new Set([...was.keys(), ...is.keys()])].toSorted();
  const issues = keys.flatMap((key): Issue[] => {
    const [before, after] = [whereIs(was.get(key)), whereIs(is.get(key))];
    if (before === after) return [];
    return [{ path: key, problem: 'would be placed otherwise now', value: after, allowed: before }];
  });
  issues.push(...datasetsOf(planned, now));
  if (issues.length === 0) {
    return [
      { path: 'plan', problem: 'what is wanted, or something beyond what the plan lists, has changed' },
    ];
  }
  const more = issues.length - DIFFERENCES_MAX;
  if (more <= 0) return issues;
  return [...issues.slice(0, DIFFERENCES_MAX), { path: '', problem: `and ${more} more` }];
}

function datasetsOf(planned: Plan, now: Plan): Issue[] {
  const is = new Map(now.datasets?.map((dataset) => [nameOf(dataset), dataset]));
  return (planned.datasets ?? []).flatMap((was) => {
    const [before, after] = [copiesOf(was), copiesOf(is.get(nameOf(was)))];
    if (before === after) return [];
    const path = `dataset ${nameOf(was)}`;
    return [{ path, problem: 'would have copies elsewhere now', value: after, allowed: before }];
  });
}

function nameOf({ project, name }: PlannedDataset): string {
  return `${project}/${name}`;
}

function copiesOf(dataset: PlannedDataset | undefined): string {
  const { copies = [], without = [], omitted } = dataset ?? {};
  const sites = copies.map(({ site }) => site).join(', ') || 'no site';
  const gone = without.filter(({ now }) => now).map(({ site }) => site);
  const more = omitted === undefined ? '' : ` and ${omitted.copies} more`;
  return `${sites}${more}${gone.length === 0 ? '' : `; no more at ${gone.join(', ')}`}`;
}

function byKey(plan: Plan): Map<string, Item> {
  return new Map(plan.items.map((item) => [`${item.project}/${item.name}`, item]));
}

function whereIs(item: Item | undefined): string {
  if (!item) return 'as it is';
  const { state, shares } = item.placement;
  const sites = shares.map((s) => `${s.site} ${s.replicas}`).join(', ');
  return sites === '' ? state : `${state}: ${sites}`;
}
