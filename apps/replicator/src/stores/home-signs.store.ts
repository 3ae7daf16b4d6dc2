import { Injectable } from '@nestjs/common';
import { workloadKey, type Dataset, type DatasetHome, type Workload } from '@skerry/contracts';
import { homeWith, type HomeWanted } from '@skerry/domain';
import { CopiesStore } from './copies.store.js';
import { CopyUsersStore } from './copy-users.store.js';
import { DeliveredStore } from './delivered.store.js';
import { WantedStore } from './wanted.store.js';

/** What homes that move are decided by: where their workloads are, and which sites are there. */
@Injectable()
export class HomeSignsStore {
  constructor(
    private readonly wanted: WantedStore,
    private readonly delivered: DeliveredStore,
    private readonly users: CopyUsersStore,
    private readonly copies: CopiesStore,
  ) {}

  /** Where the workload is: it is told to begin there only when it has ended wherever it was. */
  wantedAt(dataset: Dataset): HomeWanted | undefined {
    const key = keeperOf(dataset);
    const owner = this.wanted.placement(key)?.owner;
    const site = owner && this.wanted.site(owner.site);
    if (owner === undefined || site === undefined) return undefined;
    if (this.delivered.ofWorkload(key).get(owner.site)?.kind !== 'Assignment') return undefined;
    if (!writes(this.wanted.workload(key), dataset) || this.copies.isBarred(dataset, site)) return undefined;
    return { site: owner.site, owner: owner.epoch, losses: owner.losses };
  }

  /** Whether the site was lost, and the workload went elsewhere after its lease must have run out. */
  isLeaseOver(dataset: Dataset, { site }: DatasetHome): boolean {
    const { owner, after = [] } = this.wanted.placement(keeperOf(dataset)) ?? {};
    return owner?.site !== site && !after.includes(site) && !this.users.isHeard(site);
  }
}

function keeperOf({ project, spec }: Dataset): string {
  return workloadKey(project, homeWith(spec) ?? '');
}

function writes(workload: Workload | undefined, { name }: Dataset): boolean {
  return workload?.spec.data?.some((use) => use.dataset === name && use.access === 'write') === true;
}
