import type { ServiceDefinition } from '@skerry/service';
import { POLICY_VARIABLES } from './config.js';
import { PolicyModule } from './policy.module.js';

/** The whole service, as `main.ts` runs it and as the simulation wires it. */
export const POLICY: ServiceDefinition<typeof POLICY_VARIABLES> = {
  name: 'policy',
  variables: POLICY_VARIABLES,
  module: PolicyModule,
};
