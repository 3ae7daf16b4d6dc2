import type { ServiceDefinition } from '@skerry/service';
import { TELEMETRY_VARIABLES } from './config.js';
import { TelemetryModule } from './telemetry.module.js';

/** The whole service, as `main.ts` runs it and as tests start it on a bus of their own. */
export const TELEMETRY: ServiceDefinition<typeof TELEMETRY_VARIABLES> = {
  name: 'telemetry',
  variables: TELEMETRY_VARIABLES,
  module: TelemetryModule,
  needs: {
    buckets: ['workloads', 'placements', 'siteStates', 'leases'],
    streams: ['OBSERVED', 'EVT'],
  },
};
