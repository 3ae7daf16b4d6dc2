import type { ServiceDefinition } from '@skerry/service';
import { INVENTORY_VARIABLES } from './config.js';
import { InventoryModule } from './inventory.module.js';

/** The whole service, as `main.ts` runs it and as tests start it on a bus of their own. */
export const INVENTORY: ServiceDefinition<typeof INVENTORY_VARIABLES> = {
  name: 'inventory',
  variables: INVENTORY_VARIABLES,
  module: InventoryModule,
  needs: { buckets: ['siteSpecs', 'leases'], streams: ['EVT'] },
};
