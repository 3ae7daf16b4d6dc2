import { z } from 'zod';
import { LIMITS } from './limits.js';

/** A chunk by what it holds: SHA-256, and its bytes. */
export const chunkRefSchema = z.strictObject({
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.number().int().min(1).max(LIMITS.chunkBytes),
});
export type ChunkRef = z.infer<typeof chunkRefSchema>;
