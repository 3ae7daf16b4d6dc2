import { z } from 'zod';
import { assignmentSchema } from './desired.js';
import { nameSchema } from './primitives.js';

/**
 * What a site holds and the hub does not know (`DigestAnswer.unknown`), sent to `rpc.proposal` so that the hub learns of it
 * again: an assignment with what was declared beside it. Answered like a local change.
 */
export const heldProposalSchema = z.strictObject({ site: nameSchema, held: assignmentSchema });
export type HeldProposal = z.infer<typeof heldProposalSchema>;

/** Whether a message to `rpc.proposal` is one of these and not a local change. */
export function isHeldProposal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'held' in value;
}
