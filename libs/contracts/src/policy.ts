import { z } from 'zod';
import { count, finite, nameSchema } from './primitives.js';

/** What one project may have at once: bucket `policies`, key `quota.<project>`. An absent limit is none. */
export const quotaSchema = z.strictObject({
  kind: z.literal('Quota'),
  project: nameSchema,
  workloads: count.optional(),
  /** Wanted replicas over all workloads that are not stopped, and what they ask for together. */
  replicas: count.optional(),
  cpuMillicores: count.optional(),
  memoryMiB: count.optional(),
  gpus: count.optional(),
  /** Currency units a month over what is placed of the project: kept by the scheduler as a hard check. */
  budgetPerMonth: finite.min(0).max(1e12).optional(),
});
export type Quota = z.infer<typeof quotaSchema>;
