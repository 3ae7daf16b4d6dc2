import { Injectable } from '@nestjs/common';
import { DeliveredStore } from '../stores/delivered.store.js';
import { DownlinkStore } from '../stores/downlink.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { Deliver } from './deliver.handler.js';

/** Writes a tombstone for what a site still holds although `DL` no longer knows of it. */
@Injectable()
export class Bury {
  constructor(
    private readonly wanted: WantedStore,
    private readonly delivered: DeliveredStore,
    private readonly downlink: DownlinkStore,
    private readonly deliver: Deliver,
  ) {}

  async handle(site: string, key: string): Promise<void> {
    await this.deliver.alone(key, async () => {
      const placement = this.wanted.placement(key);
      if (placement === undefined || this.delivered.ofWorkload(key).has(site)) return;
      const { project, name, version, requestId } = placement;
      const removedAt = new Date().toISOString();
      const tombstone = { kind: 'Tombstone', site, project, name, version, removedAt, requestId } as const;
      await this.downlink.put(tombstone, 0);
    });
  }
}
