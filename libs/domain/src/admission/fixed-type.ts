import type { Issue, WorkloadSpec, WorkloadType } from '@skerry/contracts';

/**
 * A workload keeps its type as long as it is there. What is promised of each hangs on what ran before: replicas of a service
 * that nobody reaches go on beside a singleton of its name, a job that was done would begin anew, and a singleton's epoch
 * guards nothing of what another type writes.
 */
export function fixedTypeIssues(
  { type }: Pick<WorkloadSpec, 'type'>,
  before: WorkloadType | undefined,
): Issue[] {
  if (before === undefined || before === type) return [];
  const allowed = `${before}, as it is; another name for the ${type}; or remove the ${before} and apply the ${type} once "skerry status" shows nothing of it any more`;
  return [{ path: 'spec.type', problem: 'a workload cannot change its type', value: type, allowed }];
}
