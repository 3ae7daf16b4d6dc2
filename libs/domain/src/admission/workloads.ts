import type { CommandBody, Decided, Workload } from '@skerry/contracts';
import { aroundOf, changeOf } from './apply.js';
import { refuseDecided } from './decided.js';
import { contradictions } from './contradictions.js';
import { overQuota } from './quota.js';
import { applied, superseded } from './sequence.js';
import {
  NO_WRITES,
  rejected,
  type Admission,
  type AdmissionRequest,
  type AdmissionState,
  type AdmissionTools,
  type Rejected,
} from './types.js';

type Body<V extends CommandBody['verb']> = Extract<CommandBody, { verb: V }>;
type Ref = { project: string; name: string };

/** Changes the number of replicas of a workload, and nothing else of it. */
export function admitScale(
  body: Body<'workload.scale'>,
  request: AdmissionRequest,
  state: AdmissionState,
  tools: AdmissionTools,
): Admission {
  return changed(body, request, state, (workload) => {
    const { replicas } = body;
    if (workload.spec.placement.replicas === replicas) return undefined;
    const spec = { ...workload.spec, placement: { ...workload.spec.placement, replicas } };
    const issues = contradictions({ ...workload, spec }, aroundOf([], request, state));
    if (issues.length > 0) {
      const title = `${workload.project}/${workload.name} cannot have ${replicas} replicas`;
      return rejected('invalid', title, { issues, hint: 'change the rule that is named, or the number' });
    }
    return { ...workload, spec, specDigest: tools.digest(spec) };
  });
}

/** Stops a workload (nothing of it runs, its spec stays) or starts it again. */
export function admitStop(
  body: Ref & { decided?: Decided | undefined },
  stopped: boolean,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  return changed(body, request, state, (workload) => {
    if (workload.stopped === stopped) return undefined;
    const asked = [{ ref: body, known: workload }];
    return refuseDecided(body.decided, request.command.requestId, asked) ?? { ...workload, stopped };
  });
}

/** Removes a workload; a tombstone stays, so that its generations go on. */
export function admitRemove(body: Ref, request: AdmissionRequest, state: AdmissionState): Admission {
  return changed(body, request, state, (workload) => ({ ...workload, removed: true }));
}

/** Applies `change` to a workload that exists; `undefined` from it says that nothing changes. */
function changed(
  { project, name }: Ref,
  request: AdmissionRequest,
  state: AdmissionState,
  change: (workload: Workload) => Workload | Rejected | undefined,
): Admission {
  const known = state.workload(project, name);
  const { requestId } = request.command;
  if (known && applied(known, requestId))
    return { ok: true, writes: NO_WRITES, changes: [changeOf(known, known.removed ? 'removed' : 'updated')] };
  if (!known || known.removed)
    return rejected('not-found', `there is no workload ${project}/${name}`, {
      hint: 'list them with "skerry status"',
    });
  if (superseded(known, request.sequence))
    return rejected('conflict', `superseded: a newer command has changed ${project}/${name}`, {
      hint: 'look at it with "skerry get" and ask again if it is still wanted',
    });
  const next = change(known);
  if (!next) return { ok: true, writes: NO_WRITES, changes: [changeOf(known, 'unchanged')] };
  return 'ok' in next ? next : commit(known, next, request, state);
}

function commit(
  known: Workload,
  next: Workload,
  request: AdmissionRequest,
  state: AdmissionState,
): Admission {
  const issues = overQuota([next], state);
  if (issues.length > 0)
    return rejected('over-quota', `${known.project}/${known.name} would pass the quota of ${known.project}`, {
      issues,
      hint: 'scale something down or ask an admin for a larger quota',
    });
  // From here on it is somebody's here, and no longer as sites had it.
  const { recovered: _recovered, ...rest } = next;
  const written: Workload = {
    ...rest,
    generation: known.generation + 1,
    updatedAt: request.now,
    requestId: request.command.requestId,
    commandSequence: request.sequence,
  };
  return {
    ok: true,
    writes: { ...NO_WRITES, workloads: [written] },
    changes: [changeOf(written, written.removed ? 'removed' : 'updated')],
  };
}
