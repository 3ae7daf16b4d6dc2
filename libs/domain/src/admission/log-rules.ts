import { LIMITS, type DatasetSpec, type Issue } from '@skerry/contracts';

/** What speaks against what is said of a log, or against saying it of another dataset. */
export function logIssues(spec: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  if (spec.type !== 'log') {
    return spec.log === undefined
      ? []
      : [{ path: 'spec.log', problem: 'not allowed', allowed: 'only with type: log' }];
  }
  return [...notOfLogs(spec), ...edgeIssues(spec), ...flowIssues(spec, before)];
}

function notOfLogs({ conflicts, limits }: DatasetSpec): Issue[] {
  const issues: Issue[] = [];
  if (conflicts !== 'newest')
    issues.push({
      path: 'spec.conflicts',
      problem: 'not allowed',
      value: conflicts,
      allowed: 'none with type: log, whose entries are only ever added',
    });
  if (limits.bytes < LIMITS.logMinBytes)
    issues.push({
      path: 'spec.limits.bytes',
      problem: 'too small',
      value: String(limits.bytes),
      allowed: `at least ${LIMITS.logMinBytes} with type: log (limit logMinBytes)`,
    });
  return issues;
}

function edgeIssues({ log }: DatasetSpec): Issue[] {
  if (log?.flow !== 'broadcast' || log.edge === undefined) return [];
  return [
    {
      path: 'spec.log.edge',
      problem: 'not allowed',
      allowed: 'only with flow: collect or mesh, whose entries are written at sites',
    },
  ];
}

/** Who writes cannot change under what was written. */
function flowIssues({ log }: DatasetSpec, before: DatasetSpec | undefined): Issue[] {
  const [now, then] = [log?.flow ?? 'collect', before?.log?.flow ?? 'collect'];
  if (before?.type !== 'log' || now === then) return [];
  const allowed = `${then}: it cannot change while there are entries; remove the dataset and make it again`;
  return [{ path: 'spec.log.flow', problem: 'changed', value: now, allowed }];
}
