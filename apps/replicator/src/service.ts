import type { ServiceDefinition } from '@skerry/service';
import { REPLICATOR_VARIABLES } from './config.js';
import { ReplicatorModule } from './replicator.module.js';

/** The whole service, as `main.ts` runs it and as tests start it on a bus of their own. */
export const REPLICATOR: ServiceDefinition<typeof REPLICATOR_VARIABLES> = {
  name: 'replicator',
  variables: REPLICATOR_VARIABLES,
  module: ReplicatorModule,
  needs: { buckets: ['workloads', 'datasets', 'placements', 'siteSpecs', 'leases'], streams: ['OBSERVED'] },
};
