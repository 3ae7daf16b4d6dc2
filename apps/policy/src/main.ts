import { runService } from '@skerry/service';
import { POLICY_VARIABLES } from './config.js';
import { PolicyModule } from './policy.module.js';

/** Policy: who may do what, and whether what is asked for obeys the rules. */
await runService({ name: 'policy', variables: POLICY_VARIABLES, module: PolicyModule });
