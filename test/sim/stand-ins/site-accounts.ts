import { Inject, Injectable } from '@nestjs/common';
import type { Bus } from '@skerry/bus';
import type { Site } from '@skerry/contracts';
import { BUS } from '@skerry/service';
import { CLAIMS } from '../claims.js';

/** In place of the accounts of sites at the hub: what it is told of each is not signed, and goes over policy's own connection. */
@Injectable()
export class SiteAccounts {
  constructor(@Inject(BUS) private readonly bus: Bus) {}

  accountFor(): Promise<{ account?: string }> {
    return Promise.resolve({});
  }

  open(site: Site): Promise<void> {
    return this.push(site, true);
  }

  suspend(site: Site): Promise<void> {
    return this.push(site, false);
  }

  remove(site: Site): Promise<void> {
    return this.push(site, false);
  }

  private async push({ name }: Site, open: boolean): Promise<void> {
    await this.bus.request(CLAIMS, { name, open });
  }
}
