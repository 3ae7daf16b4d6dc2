import { Inject, Injectable } from '@nestjs/common';
import { DatasetsStore } from './datasets.store.js';
import { QuotasStore } from './quotas.store.js';
import { SitesStore } from './sites.store.js';

/** The stores that follow their buckets. */
@Injectable()
export class FollowedStores {
  constructor(
    @Inject(SitesStore) readonly sites: SitesStore,
    @Inject(QuotasStore) readonly quotas: QuotasStore,
    @Inject(DatasetsStore) readonly datasets: DatasetsStore,
  ) {}
}
