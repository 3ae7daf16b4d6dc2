import type { Change, CommandBody, Quota, QuotaLimits } from '@skerry/contracts';
import { limitsOf } from './quota.js';
import { applied, superseded } from './sequence.js';
import {
  NO_WRITES,
  rejected,
  type Admission,
  type AdmissionRequest,
  type AdmissionState,
  type Rejected,
} from './types.js';

type Body<V extends CommandBody['verb']> = Extract<CommandBody, { verb: V }>;

/** Gives a project these limits and no others. They may be below what is used: nothing is stopped, and nothing more admitted. */
export function admitQuotaSet(
  { project, limits }: Body<'quota.set'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const known = state.quota(project);
  const answered = repeatedOrLate(known, request);
  if (answered) return answered;
  if (known && same(limitsOf(known), limits)) return answer(known, 'unchanged');
  return changed(project, limits, known, request);
}

/** Takes a project's limits away. What is written has none: so it is not taken for one that never was. */
export function admitQuotaRemove(
  { project }: Body<'quota.remove'>,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const known = state.quota(project);
  const answered = repeatedOrLate(known, request);
  if (answered) return answered;
  if (!isLimited(known))
    return rejected('not-found', `the project ${project} has no quota`, {
      hint: 'list them with "skerry quota ls"',
    });
  return changed(project, {}, known, request);
}

/** The answer to a command that was applied already, or the refusal of one that a newer one overtook. */
function repeatedOrLate(
  known: Quota | undefined,
  { command, sequence }: AdmissionRequest,
): Admission | Rejected | undefined {
  if (!known) return undefined;
  const changes = { ...known, commandSequence: known.commandSequence ?? 0 };
  if (applied(changes, command.requestId)) return answer(known, changeTo(known));
  if (!superseded(changes, sequence)) return undefined;
  return rejected('conflict', `superseded: a newer command has changed the quota of ${known.project}`, {
    hint: 'look at it with "skerry quota ls" and ask again if it is still wanted',
  });
}

function changed(
  project: string,
  limits: QuotaLimits,
  known: Quota | undefined,
  { command, sequence, now }: AdmissionRequest,
): Admission {
  const quota: Quota = {
    kind: 'Quota',
    project,
    ...limits,
    generation: known ? generationOf(known) + 1 : 1,
    updatedAt: now,
    requestId: command.requestId,
    commandSequence: sequence,
  };
  return { ok: true, writes: { ...NO_WRITES, quotas: [quota] }, changes: [changeOf(quota, changeTo(quota))] };
}

/** Told from the record alone, so that a command that is delivered again gets the same answer. */
function changeTo(quota: Quota): Change['change'] {
  if (!isLimited(quota)) return 'removed';
  return generationOf(quota) === 1 ? 'created' : 'updated';
}

function answer(quota: Quota, change: Change['change']): Admission {
  return { ok: true, writes: NO_WRITES, changes: [changeOf(quota, change)] };
}

function changeOf(quota: Quota, change: Change['change']): Change {
  return { noun: 'quota', name: quota.project, change, generation: generationOf(quota) };
}

function generationOf({ generation = 1 }: Quota): number {
  return generation;
}

function isLimited(quota: Quota | undefined): boolean {
  return Object.keys(limitsOf(quota)).length > 0;
}

function same(a: QuotaLimits, b: QuotaLimits): boolean {
  const own = new Map(Object.entries(a));
  const entries = Object.entries(b).filter(([, limit]) => limit !== undefined);
  return own.size === entries.length && entries.every(([name, limit]) => own.get(name) === limit);
}
