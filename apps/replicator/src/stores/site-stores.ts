import { Injectable } from '@nestjs/common';
import type { Site } from '@skerry/contracts';
import { DeliveredStore } from './delivered.store.js';
import { DownlinkStore } from './downlink.store.js';
import { DurablesStore } from './durables.store.js';

/** Everything that the hub keeps for one site. */
@Injectable()
export class SiteStores {
  constructor(
    readonly delivered: DeliveredStore,
    readonly downlink: DownlinkStore,
    readonly durables: DurablesStore,
  ) {}

  /** Removes what is kept for a site that is gone for good. */
  async clear(site: Site): Promise<void> {
    await this.durables.remove(site);
    await this.downlink.dropSite(site.name);
    this.delivered.forgetSite(site.name);
  }
}
