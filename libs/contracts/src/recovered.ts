import { z } from 'zod';
import { LIMITS } from './limits.js';
import { instantSchema, nameSchema } from './primitives.js';

/** Proof by a key of policy's that it admitted a workload as it is: base64url of 32 bytes. Whoever holds it can only repeat it. */
export const warrantSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, '43 characters of base64url');

/** Where a workload ran that a restored hub did not know, as its sites said. */
export const recoveredSchema = z.strictObject({
  from: z
    .array(
      z.strictObject({
        site: nameSchema,
        replicas: z.number().int().min(0).max(LIMITS.replicasPerAssignment),
      }),
    )
    .min(1)
    .max(LIMITS.replicasPerWorkload),
  /** Until then other sites may say that they run it too, and it is not placed. */
  until: instantSchema,
});
export type Recovered = z.infer<typeof recoveredSchema>;
