import { workloadKey, type Assignment } from '@skerry/contracts';
import { WHOLE_GPU } from '@skerry/domain';
import type { GpuGrant } from './environment.js';
import { isUp, type ReplicaRecord } from './replica-record.js';

/** The GPUs of this node and who is meant to have them. */
export interface GpuPlan {
  /** Of each GPU its number on the machine. */
  readonly devices: readonly number[];
  /** GPUs of a replica by index among `devices`; undefined when none is left for it. */
  planned(key: string, slot: number): readonly number[] | undefined;
}

type Granted = { ok: true; grant: GpuGrant | undefined } | { ok: false; reason: string };

/**
 * Hands GPUs to replicas as planned, but never more of one than is free of what runs: one whose GPU is still held by a
 * replica on its way out is not started, and tried again as any start that failed.
 */
export class GpuHolders {
  constructor(private readonly plan: GpuPlan) {}

  /** GPUs for a replica that is about to start; kept in its record. `all` are the replicas of this node. */
  grant(record: ReplicaRecord, assignment: Assignment, all: Iterable<ReplicaRecord>): Granted {
    delete record.gpus;
    const { gpu } = assignment.resources;
    if (gpu === undefined) return { ok: true, grant: this.granted(record) };
    const planned = this.plan.planned(workloadKey(record.project, record.name), record.slot);
    if (planned === undefined) return { ok: false, reason: 'no GPU of this node is left for it' };
    const milli = gpu.shareMilli ?? WHOLE_GPU;
    const holder = this.holderInTheWay(planned, milli, all);
    if (holder !== undefined) return { ok: false, reason: `its GPU is still held by ${holder.id}` };
    record.gpus = { indices: [...planned], milli };
    return { ok: true, grant: this.granted(record) };
  }

  /** What a replica was granted; undefined on a machine without GPUs. */
  granted({ gpus }: ReplicaRecord): GpuGrant | undefined {
    if (this.plan.devices.length === 0) return undefined;
    const devices = (gpus?.indices ?? []).flatMap((i) => this.plan.devices[i] ?? []);
    return { devices, ...(gpus !== undefined && gpus.milli < WHOLE_GPU ? { shareMilli: gpus.milli } : {}) };
  }

  private holderInTheWay(
    wanted: readonly number[],
    milli: number,
    all: Iterable<ReplicaRecord>,
  ): ReplicaRecord | undefined {
    const left = new Map(wanted.map((gpu) => [gpu, WHOLE_GPU - milli]));
    for (const record of all) {
      if (!isUp(record) || record.gpus === undefined) continue;
      for (const gpu of record.gpus.indices) {
        const rest = (left.get(gpu) ?? WHOLE_GPU) - record.gpus.milli;
        if (rest < 0) return record;
        if (left.has(gpu)) left.set(gpu, rest);
      }
    }
    return undefined;
  }
}
