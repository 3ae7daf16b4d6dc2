import type { DatasetSpec, Issue } from '@skerry/contracts';

/** Whose content is sealed where it is written. */
const OFFERED: ReadonlySet<DatasetSpec['type']> = new Set(['keyvalue', 'log']);

/** What speaks against `encryption` as it is asked for, of a dataset that may be there already. */
export function encryptionIssues(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  const { encryption, type } = spec;
  const issues: Issue[] = [];
  if (encryption !== undefined && !OFFERED.has(type))
    issues.push({
      path: 'spec.encryption',
      problem: `not yet offered with type: ${type}`,
      value: `at: ${encryption.at}`,
      allowed: `type: ${[...OFFERED].join(' or ')}; a dataset of objects may be where its hub may be`,
    });
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
export function isSealed({ encryption, type }: Pick<DatasetSpec, 'encryption' | 'type'>): boolean {
  return encryption !== undefined && OFFERED.has(type);
}
