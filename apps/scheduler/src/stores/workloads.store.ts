import { Injectable } from '@nestjs/common';
import type { BucketChange, Headers } from '@skerry/bus';
import { workloadKey, type Quota, type Workload } from '@skerry/contracts';
import { partnerOf } from '@skerry/domain';
import { DatasetsStore } from './datasets.store.js';

interface KnownWorkload {
  readonly workload: Workload;
  /** Of the write that made this generation: the trace and the request it belongs to. */
  readonly headers: Headers;
}

const QUOTA = 'quota.';
/** Keys of quotas in bucket `policies`. */
export const QUOTA_KEYS = `${QUOTA}*`;

/** The workloads, the datasets that they use and quotas as policy keeps them, followed by every instance. */
@Injectable()
export class WorkloadsStore {
  private readonly known = new Map<string, KnownWorkload>();
  private readonly minding = new Map<string, Set<string>>();
  private readonly using = new Map<string, Set<string>>();
  private readonly quotas = new Map<string, Quota>();

  constructor(readonly datasets: DatasetsStore) {}

  apply(change: BucketChange<Workload>): void {
    // A removed workload stays as a tombstone; a value that cannot be read leaves what was known.
    if (change.kind === 'malformed') return;
    this.mind(change.key, change.kind === 'put' ? change.value : undefined);
    if (change.kind === 'put')
      this.known.set(change.key, { workload: change.value, headers: change.headers });
    else this.known.delete(change.key);
  }

  get(key: string): KnownWorkload | undefined {
    return this.known.get(key);
  }

  /** Takes a change of a project's quota; returns the project. */
  applyQuota(change: BucketChange<Quota>): string {
    const project = change.key.slice(QUOTA.length);
    if (change.kind === 'put') this.quotas.set(project, change.value);
    else if (change.kind === 'gone') this.quotas.delete(project);
    return project;
  }

  /** Currency units a month that all of a project may cost; undefined without a limit. */
  budgetOf(project: string): number | undefined {
    return this.quotas.get(project)?.budgetPerMonth;
  }

  /** Workloads that want to be near to this one, or apart from it. */
  mindful(key: string): Iterable<string> {
    return this.minding.get(key) ?? [];
  }

  /** Workloads that say they use a dataset. */
  usersOf(dataset: string): Iterable<string> {
    return this.using.get(dataset) ?? [];
  }

  keys(): IterableIterator<string> {
    return this.known.keys();
  }

  private mind(key: string, workload: Workload | undefined): void {
    const before = this.known.get(key)?.workload;
    link(this.minding, key, partnersOf(before), partnersOf(workload));
    link(this.using, key, datasetsOf(before), datasetsOf(workload));
  }
}

/** `key` is among those of `now` and no more among those of `before`. */
function link(
  map: Map<string, Set<string>>,
  key: string,
  before: readonly string[],
  now: readonly string[],
): void {
  for (const other of before) map.get(other)?.delete(key);
  for (const other of now) map.set(other, (map.get(other) ?? new Set()).add(key));
}

function datasetsOf(workload: Workload | undefined): string[] {
  if (workload === undefined || workload.removed) return [];
  const { project, spec } = workload;
  return (spec.data ?? []).map(({ dataset }) => workloadKey(project, dataset));
}

function partnersOf(workload: Workload | undefined): string[] {
  if (workload === undefined || workload.removed) return [];
  const { affinity, antiAffinity } = workload.spec.placement;
  return [...affinity, ...antiAffinity].map((rule) => keyOf(partnerOf(rule.workload, workload.project)));
}

/** The key of a workload in every bucket. */
export function keyOf({ project, name }: { project: string; name: string }): string {
  return workloadKey(project, name);
}
