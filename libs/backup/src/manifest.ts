import { z } from 'zod';

const count = z.number().int().min(0);
const chunkNameSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** `20261122T153000Z-0a1b2c`: when it was begun, and random digits. */
export const backupIdSchema = z.string().regex(/^\d{8}T\d{6}(?:\d{3})?Z-[0-9a-f]{6}$/);

/** One bucket or stream in a backup. */
export const nounPartSchema = z.strictObject({
  name: z.string(),
  stream: z.string(),
  /** The moment that its state is of: its sequence then, and the time. */
  sequence: count,
  readAt: z.iso.datetime(),
  /** Was written to without pause while it was read, so that what is here of it is of several moments. Records of datasets alone. */
  spread: z.literal(true).optional(),
  entries: count,
  /** Of the bodies, before packing. */
  bytes: count,
  chunks: z.array(chunkNameSchema),
});
export type NounPart = z.infer<typeof nounPartSchema>;

/** What one backup is made of. Lies encrypted at `backups/<id>`. */
export const manifestSchema = z.strictObject({
  format: z.literal(1),
  id: backupIdSchema,
  createdAt: z.iso.datetime(),
  /** The highest term that a placement had: a hub that is restored goes on in the next one. */
  term: z.number().int().min(1),
  /** In the order in which they were read: who names others before those that it names. */
  parts: z.array(nounPartSchema),
  /** Last sequence of every stream of the hub, also of those that are not in the backup: a restored one goes on above. */
  sequences: z.record(z.string(), count),
  /** Datasets whose records are in it, `<project>/<name>`. */
  datasets: z.array(z.string()),
  /** Datasets whose records were left out, and why. */
  leftOut: z.array(z.strictObject({ dataset: z.string(), why: z.string() })),
  /** Chunks and bytes that this backup added to the store; the others were there. */
  added: z.strictObject({ chunks: count, bytes: count }),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** What lies in clear at the store's top, so that a wrong key is told from a damaged store. */
export const headerSchema = z.strictObject({
  format: z.literal(1),
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
});
