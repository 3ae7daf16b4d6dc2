import type { ServiceDefinition } from '@skerry/service';
import { SCHEDULER_VARIABLES } from './config.js';
import { SchedulerModule } from './scheduler.module.js';

/** The whole service, as `main.ts` runs it and as tests start it on a bus of their own. */
export const SCHEDULER: ServiceDefinition<typeof SCHEDULER_VARIABLES> = {
  name: 'scheduler',
  variables: SCHEDULER_VARIABLES,
  module: SchedulerModule,
  needs: {
    buckets: ['workloads', 'siteSpecs', 'siteStates', 'policies', 'leases'],
    streams: ['OBSERVED', 'EVT'],
  },
};
