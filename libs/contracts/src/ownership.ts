import { z } from 'zod';
import { count } from './primitives.js';

/** What a singleton's replica is told by its agent, `GET /v1/replica/epoch`. */
export const ownershipSchema = z.object({
  /** Rises whenever the workload gets another owner. */
  epoch: count,
  /** How long it may still act without hearing more, ms; 0: not any more. */
  leaseMs: count,
});
export type Ownership = z.infer<typeof ownershipSchema>;
