import type { DatasetSpec, Issue } from '@skerry/contracts';

/** What speaks against what a dataset says of objects; `sites` are the names of those that there are. */
export function objectIssues({ type, conflicts, objects }: DatasetSpec, sites: readonly string[]): Issue[] {
  const issues: Issue[] = [];
  if (type !== 'objects') {
    if (objects !== undefined)
      issues.push({ path: 'spec.objects', problem: 'not allowed', allowed: 'only with type: objects' });
    return issues;
  }
  if (conflicts !== 'newest')
    issues.push({
      path: 'spec.conflicts',
      problem: 'not allowed',
      value: conflicts,
      allowed: 'newest: an object takes the place of the one before',
    });
  if (objects === undefined) return issues;
  if (objects.objectBytes > objects.bytes)
    issues.push({
      path: 'spec.objects.objectBytes',
      problem: 'more than all objects may have',
      value: String(objects.objectBytes),
      allowed: `at most ${objects.bytes} (spec.objects.bytes)`,
    });
  const named = objects.bandwidth.flatMap((rule) => rule.sites ?? []);
  for (const name of new Set(named))
    if (!sites.includes(name))
      issues.push({
        path: 'spec.objects.bandwidth.sites',
        problem: 'there is no such site',
        value: name,
        allowed: 'names of sites, as "skerry site ls" shows them',
      });
  return issues;
}
