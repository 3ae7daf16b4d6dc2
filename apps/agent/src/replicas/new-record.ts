import { replicaId, workloadKey, type Assignment } from '@skerry/contracts';
import type { ReplicaRecord } from './replica-record.js';
import { stopOf, type Workload } from './workload.js';

/** The record of a replica that is about to start, after the one `before` it in its slot; `fresh` counts nothing on. */
export function newRecord(
  workload: Workload,
  assignment: Assignment,
  at: {
    site: string;
    slot: number;
    before: ReplicaRecord | undefined;
    fresh: boolean;
    runMs: number | undefined;
  },
): ReplicaRecord {
  const now = Date.now();
  const { before, slot, fresh } = at;
  const run = fresh ? at.runMs : before?.run;
  return {
    id: replicaId(workloadKey(workload.project, workload.name), at.site, slot),
    project: workload.project,
    name: workload.name,
    slot,
    driver: assignment.run.driver,
    template: workload.template,
    version: assignment.version,
    ...(workload.change === undefined ? {} : { change: workload.change }),
    stop: stopOf(assignment),
    phase: 'starting',
    since: now,
    startedAt: now,
    restarts: fresh ? 0 : (before?.restarts ?? 0) + 1,
    streak: fresh ? 0 : (before?.streak ?? 0),
    ports: before?.ports ?? {},
    ...(run === undefined ? {} : { run }),
    ...(fresh || before?.exitCode === undefined ? {} : { exitCode: before.exitCode }),
  };
}
