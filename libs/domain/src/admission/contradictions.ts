import { siteKindSchema, type Issue, type WorkloadSpec } from '@skerry/contracts';

/**
 * Rules of a spec that no cloud could ever satisfy. What only the present sites cannot satisfy is not refused: it is
 * admitted, and the scheduler says why it is unplaceable until something changes.
 */
export function contradictions(spec: WorkloadSpec): Issue[] {
  return [...unknownKinds(spec), ...restartOfJob(spec), ...backoffOrder(spec)];
}

const KINDS: readonly string[] = siteKindSchema.options;

function unknownKinds({ placement }: WorkloadSpec): Issue[] {
  const wanted = placement.sites.required['kind'];
  if (wanted === undefined) return [];
  const values = typeof wanted === 'string' ? [wanted] : wanted;
  if (values.some((value) => KINDS.includes(value))) return [];
  return [
    {
      path: 'spec.placement.sites.required.kind',
      problem: 'no site can be of this kind',
      value: values.join(', '),
      allowed: KINDS.join(', '),
    },
  ];
}

function restartOfJob({ type, run }: WorkloadSpec): Issue[] {
  if (type !== 'job' || run.restart.policy !== 'always') return [];
  return [
    {
      path: 'spec.run.restart.policy',
      problem: 'a job that is always started again never completes',
      value: 'always',
      allowed: 'on-failure, never; or type: service',
    },
  ];
}

function backoffOrder({ run }: WorkloadSpec): Issue[] {
  const { backoffMs, maxBackoffMs } = run.restart;
  if (backoffMs <= maxBackoffMs) return [];
  return [
    {
      path: 'spec.run.restart.maxBackoffMs',
      problem: 'below backoffMs',
      value: String(maxBackoffMs),
      allowed: `at least ${backoffMs}`,
    },
  ];
}
