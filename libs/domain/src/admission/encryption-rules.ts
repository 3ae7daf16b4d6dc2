import type { DatasetSpec, Issue } from '@skerry/contracts';

/** What speaks against `encryption` as it is asked for, of a dataset that may be there already. */
export function encryptionIssues(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  const { encryption } = spec;
  const issues: Issue[] = [];
  if (before !== undefined && before.encryption?.at !== encryption?.at)
    issues.push({
      path: 'spec.encryption',
      problem: 'changed',
      value: encryption?.at ?? 'none',
      allowed: `${before.encryption?.at ?? 'none'}: it cannot change while there are records; remove the dataset and make it again`,
    });
  return issues;
}

/** Whether its records lie outside of its sites as ciphertext alone. */
export function isSealed({ encryption }: Pick<DatasetSpec, 'encryption'>): boolean {
  return encryption !== undefined;
}
