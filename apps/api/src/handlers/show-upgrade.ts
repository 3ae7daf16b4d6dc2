import { Inject, Injectable } from '@nestjs/common';
import { VERSION, type Upgrade } from '@skerry/contracts';
import { upgradeOrder } from '@skerry/domain';
import { FleetStore } from '../stores/fleet.store.js';

/** What is to be upgraded and in which order, by what the agents say of themselves. */
@Injectable()
export class ShowUpgrade {
  constructor(@Inject(FleetStore) private readonly fleet: FleetStore) {}

  show(): Upgrade {
    const nodes = this.fleet.nodes();
    const sites = this.fleet
      .views()
      .filter(({ site }) => site.membership === 'joined')
      .map(({ site, state }) => {
        const told = nodes.filter((n) => n.site === site.name).map((n) => n.agentVersion);
        const heard = state?.agentVersion;
        return {
          site: site.name,
          versions: told.length > 0 ? told : heard === undefined ? [] : [heard],
          running: this.fleet.lastHeard(site.name)?.heartbeat.running ?? 0,
        };
      });
    return { version: VERSION, steps: upgradeOrder({ centre: VERSION, sites }) };
  }
}
