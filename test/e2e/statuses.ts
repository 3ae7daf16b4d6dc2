import type { SkerryClient } from '@skerry/client';
import type { Replica, Status, WorkloadPhase } from '@skerry/contracts';
import { eventually } from './cloud-under-test.js';

/** The status of a workload of project `test`, once it is in one of `phases`. */
export async function untilPhase(
  client: SkerryClient,
  name: string,
  phases: readonly WorkloadPhase[],
  withinMs = 20_000,
): Promise<Status> {
  let last: Status | undefined;
  let placed: string | undefined;
  return eventually(
    async () => {
      const view = await client.workload('test', name);
      last = view.status;
      placed = view.placement?.state;
      return last !== undefined && phases.includes(last.phase) ? last : undefined;
    },
    {
      withinMs,
      what: () =>
        `${name} ${phases.join(' or ')}; it is ${last?.phase ?? 'unknown'} (${last?.reasons.join('; ') ?? ''}), placement ${placed ?? 'none'}`,
    },
  );
}

/** Waits until a workload runs in this generation: its status may still be that of the one before. */
export async function untilRuns(client: SkerryClient, name: string, generation: number): Promise<Status> {
  return await eventually(
    async () => {
      const { status } = await client.workload('test', name);
      return status?.phase === 'running' && status.generation === generation ? status : undefined;
    },
    { withinMs: 20_000, what: `${name} runs in generation ${generation}` },
  );
}

/** Waits until a workload would be placed at other sites than this one: who places hears of a rule a moment after it is set. */
export async function untilPlannedElsewhere(
  client: SkerryClient,
  document: unknown,
  site: string,
): Promise<void> {
  await eventually(
    async () => {
      const { items } = await client.plan({ documents: [document] });
      return items.some(({ placement }) => placement.shares.some((s) => s.site === site)) ? undefined : true;
    },
    { withinMs: 20_000, what: `nothing is placed at ${site} any more` },
  );
}

export const replicasOf = (status: Status): Replica[] => status.sites.flatMap((s) => s.replicas);

/** Asks a replica at its address who it is. */
export async function whoAnswers(
  address: string | undefined,
): Promise<{ replica: string; site: string; pid: number }> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new Error(`${address ?? 'nowhere'} does not answer`)), 5_000);
  const body: unknown = await fetch(`http://${address ?? 'nowhere'}/`, { signal: limit.signal })
    .then((answer) => answer.json())
    .finally(() => clearTimeout(timer));
  if (typeof body === 'object' && body !== null && 'replica' in body && 'site' in body && 'pid' in body) {
    return { replica: String(body.replica), site: String(body.site), pid: Number(body.pid) };
  }
  throw new Error('the replica answered something else');
}
