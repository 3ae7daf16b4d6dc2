import { z } from 'zod';
import { LIMITS } from './limits.js';
import { chunkRefSchema } from './chunk-ref.js';
import { instantSchema, jurisdictionSchema, nameSchema, positiveCount, storeSchema } from './primitives.js';

/**
 * What a dataset says of encryption, and what crosses of the keys. With `at: site` each record is sealed by the agent that sends it
 * with a key that only sites have which may have a copy, and each chunk of an object by the one that writes it; the hub, its backups
 * and who reads them have ciphertext. Names of keys of the dataset, sizes, times, which site wrote, and which objects share chunks
 * are not hidden.
 */
export const encryptionSchema = z.strictObject({ at: z.literal('site') });

const base64url = (chars: number) => z.string().regex(new RegExp(`^[-_A-Za-z0-9]{${chars}}$`));
/** An X25519 public key, and an Ed25519 signature. */
const publicKeySchema = base64url(43);
const signatureSchema = base64url(86);
/** A site's nkey, with which it joined. */
const identitySchema = z.string().regex(/^U[A-Z2-7]{55}$/);

/** Names one key of a dataset: 128 random bits. */
export const dataKeyIdSchema = z.string().regex(/^[0-9a-f]{32}$/);
/** Whose records a key is for: the jurisdictions that its sites have to be in, sorted, with `+` between them; `*` for any. */
export const keyAreaSchema = z
  .string()
  .regex(/^(?:\*|[-a-z0-9]+(?:\+[-a-z0-9]+)*)$/)
  .max(64 * 33);

/** A state of which nobody without the key knows more than its record says in clear. */
export const sealedSchema = z.strictObject({
  key: dataKeyIdSchema,
  /** Salt, nonce, ciphertext and tag. */
  box: z
    .string()
    .regex(/^[-_A-Za-z0-9]+$/)
    .max(LIMITS.sealedChars),
});
export type Sealed = z.infer<typeof sealedSchema>;
/** The same of a record of a dataset. */
export const sealedStateSchema = z.strictObject({
  ...sealedSchema.shape,
  /** Of a manifest of an object: the lists of its chunks, so that the hub keeps what is named. They name what is sealed too. */
  lists: z.array(chunkRefSchema).max(LIMITS.listsPerObject).optional(),
});

/** The public half of a node's own key, to which others wrap; signed by the nkey of its site. */
export const sealingKeySchema = z.strictObject({
  publicKey: publicKeySchema,
  identity: identitySchema,
  signature: signatureSchema,
});
export type SealingKey = z.infer<typeof sealingKeySchema>;

/** A key of a dataset, wrapped for one node by a site that has it. */
export const wrapSchema = z.strictObject({
  site: nameSchema,
  store: storeSchema,
  /** Made for this wrap alone. */
  ephemeral: publicKeySchema,
  /** Nonce, wrapped key and tag: 60 bytes. */
  box: base64url(80),
  by: nameSchema,
  identity: identitySchema,
  signature: signatureSchema,
});
export type Wrap = z.infer<typeof wrapSchema>;

const datasetRef = { project: nameSchema, name: nameSchema, incarnation: positiveCount };

/** A key of a dataset as the hub keeps it, readable by none but those that it is wrapped for: bucket `data-keys`, key `<project>.<name>.<id>`. */
export const dataKeySchema = z.strictObject({
  kind: z.literal('DataKey'),
  ...datasetRef,
  id: dataKeyIdSchema,
  area: keyAreaSchema,
  madeBy: nameSchema,
  madeAt: instantSchema,
  /** The hub had lost it, and who else has it: it opens what was sealed with it, and nothing more is sealed with it. */
  again: z.literal(true).optional(),
  wraps: z.array(wrapSchema).max(LIMITS.holdersPerDataKey),
});
export type DataKey = z.infer<typeof dataKeySchema>;

/** A key that a site has made, or more wraps of one that it has. */
export const offeredKeySchema = z.strictObject({
  ...datasetRef,
  id: dataKeyIdSchema,
  area: keyAreaSchema,
  /** It was in use before, and the hub has lost it. */
  again: z.boolean().optional(),
  wraps: z.array(wrapSchema).min(1).max(LIMITS.wrapsPerMessage),
});
export type OfferedKey = z.infer<typeof offeredKeySchema>;

/** With `rpc.copies`: this node can seal; and what it has to say of keys. */
export const sealingRequestSchema = z.strictObject({
  /** Absent from a node that has no copy yet. */
  key: sealingKeySchema.optional(),
  offers: z.array(offeredKeySchema).max(LIMITS.offersPerMessage).optional(),
  /** It seals chunks of objects too. */
  objects: z.literal(true).optional(),
});

/** A key of a dataset as one node is told of it. */
export const toldKeySchema = z.strictObject({
  id: dataKeyIdSchema,
  area: keyAreaSchema,
  madeAt: instantSchema,
  /** Nothing more is sealed with it: a site has it that may not any more. */
  over: z.boolean().optional(),
  /** For this node. */
  wrap: wrapSchema.optional(),
});
export type ToldKey = z.infer<typeof toldKeySchema>;

/** A node that may have keys and lacks some. */
export const wantingSchema = z.strictObject({
  site: nameSchema,
  store: storeSchema,
  jurisdictions: z.array(jurisdictionSchema).max(64),
  key: sealingKeySchema,
  lacks: z.array(dataKeyIdSchema).max(LIMITS.dataKeysPerDataset),
});
export type Wanting = z.infer<typeof wantingSchema>;

/** With a copy of an encrypted dataset: its keys, and who lacks which. */
export const sealingNewsSchema = z.strictObject({
  keys: z.array(toldKeySchema).max(LIMITS.dataKeysPerDataset),
  wanting: z.array(wantingSchema).max(LIMITS.wrapsPerMessage),
});
export type SealingNews = z.infer<typeof sealingNewsSchema>;
