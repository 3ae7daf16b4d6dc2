import { shareVersion, type Assignment, type Placement, type Share, type Workload } from '@skerry/contracts';

/**
 * What a placement wants, one complete assignment for each site of it. Undefined while workload and placement are
 * of different generations: one of them is about to arrive, and a mixture of both was never decided.
 */
export function wantedOf(placement: Placement, workload: Workload | undefined): Assignment[] | undefined {
  if (placement.shares.length === 0) return [];
  if (workload === undefined || workload.generation !== placement.version.generation) return undefined;
  // A removed workload is wanted nowhere, whatever an older decision says.
  if (workload.removed || workload.stopped) return [];
  return placement.shares.map((share) => assignmentOf(placement, workload, share));
}

function assignmentOf(placement: Placement, workload: Workload, share: Share): Assignment {
  const { site, replicas } = share;
  const { run, resources, health, update, type, cron, data } = workload.spec;
  return {
    kind: 'Assignment',
    site,
    project: workload.project,
    name: workload.name,
    version: shareVersion(placement, share),
    type,
    ...(cron === undefined ? {} : { cron }),
    replicas,
    run,
    resources,
    ...(health === undefined ? {} : { health }),
    update,
    ...(data === undefined ? {} : { data }),
    ...orphanOf(workload),
    ...leaseOf(placement),
    requestId: placement.requestId,
    ...declaredOf(workload),
  };
}

/** What an assignment does not need, and a hub that has forgotten the workload does. */
function declaredOf({ labels, spec, warrant }: Workload): Pick<Assignment, 'declared'> {
  if (warrant === undefined) return {};
  const { daemon, placement } = spec;
  return { declared: { rest: JSON.stringify({ labels, placement, daemon }), warrant } };
}

function orphanOf({ spec }: Workload): Pick<Assignment, 'orphan' | 'orphanStopAfterMs'> {
  const { orphan } = spec.placement.onSiteLoss;
  // What must never run twice ends where nobody can tell it to.
  if (spec.type === 'singleton') return { orphan: 'stop' };
  return typeof orphan === 'string' ? { orphan } : { orphan: 'stop', orphanStopAfterMs: orphan.stopAfterMs };
}

/** Of a singleton: which leases of the site cover it. */
function leaseOf({ owner }: Placement): Pick<Assignment, 'epoch' | 'losses'> {
  if (owner === undefined) return {};
  return { epoch: owner.epoch, ...(owner.losses === 0 ? {} : { losses: owner.losses }) };
}
