import { Injectable } from '@nestjs/common';
import type { BucketChange } from '@skerry/bus';
import { workloadKey, type Dataset, type SiteState } from '@skerry/contracts';
import { copySites, type CopySite, type CopyUser } from '@skerry/domain';
import { WantedStore } from './wanted.store.js';

/** Who uses which dataset where, and which sites are there: what copies are chosen by. */
@Injectable()
export class CopyUsersStore {
  /** By dataset: keys of the workloads that say they use it. */
  private readonly users = new Map<string, Set<string>>();
  private readonly phases = new Map<string, SiteState['phase']>();
  /** By site: how many nodes it is known to have. */
  private readonly nodes = new Map<string, number>();

  private changed: (dataset?: string) => void = () => undefined;

  constructor(private readonly wanted: WantedStore) {
    wanted.onChange((key) => (key === undefined ? this.changed() : this.look(key)));
  }

  /** Called with the key of each dataset that is used otherwise, and without when a site is another. */
  onChange(listener: (dataset?: string) => void): void {
    this.changed = listener;
  }

  applyState(change: BucketChange<SiteState>): void {
    if (change.kind !== 'put') return;
    this.nodes.set(change.key, change.value.nodes);
    if (this.phases.get(change.key) === change.value.phase) return;
    this.phases.set(change.key, change.value.phase);
    this.changed();
  }

  /** How many nodes a site has; undefined: not known. */
  nodesAt(site: string): number | undefined {
    return this.nodes.get(site);
  }

  siteNames(): string[] {
    return this.wanted.allSites().map((site) => site.name);
  }

  /** Every site as the choice of a dataset's copies sees it. */
  sitesFor(dataset: Dataset, said: (site: string) => Pick<CopySite, 'whole' | 'settled'>): CopySite[] {
    const keys = [...(this.users.get(workloadKey(dataset.project, dataset.name)) ?? [])].toSorted();
    const users = keys.flatMap((key) => this.user(key) ?? []);
    const isHeard = (site: string) => this.isHeard(site);
    return copySites(dataset.spec, this.wanted.allSites(), users, { isHeard, said });
  }

  /** A workload is another, or is placed otherwise. */
  private look(key: string): void {
    const workload = this.wanted.workload(key);
    const used = workload === undefined || workload.removed ? [] : (workload.spec.data ?? []);
    const uses = used.map(({ dataset }) => workloadKey(workload?.project ?? '', dataset));
    const touched = new Set<string>(uses);
    for (const [dataset, users] of this.users) if (users.delete(key)) touched.add(dataset);
    for (const dataset of uses) {
      const users = this.users.get(dataset) ?? new Set<string>();
      this.users.set(dataset, users.add(key));
    }
    for (const dataset of touched) this.changed(dataset);
  }

  /** A site that is suspect is not given up yet. */
  isHeard(site: string): boolean {
    const phase = this.phases.get(site);
    return phase === 'ready' || phase === 'suspect';
  }

  private user(key: string): CopyUser | undefined {
    const workload = this.wanted.workload(key);
    const shares = this.wanted.placement(key)?.shares ?? [];
    const at = new Set(shares.filter((s) => s.replicas > 0).map((s) => s.site));
    return workload && { key, workload, at };
  }
}
