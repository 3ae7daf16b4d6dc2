import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { recordStateSchema, type DatasetRecord, type OwnRecord, type RecordState } from '@skerry/contracts';
import { bareState, isSealedAs, stateText } from '@skerry/domain';

const CIPHER = 'aes-256-gcm';
/** Each record has a key of its own, made with this salt: so a random nonce never meets its like under one key (GCM bears 2^32). */
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Which key of which dataset. */
export interface KeyPlace {
  project: string;
  name: string;
  incarnation: number;
  area: string;
  id: string;
}

/** A key of a dataset that this node has. */
export interface HeldKey extends KeyPlace {
  secret: Buffer;
}

/**
 * A record of this node as it may lie anywhere: its whole state is sealed (AES-256-GCM), and bound to its dataset, key, store, write
 * and what is said of it in clear, so that it counts in no other place and for nothing else.
 */
export function sealRecord({ key, write, state }: OwnRecord, origin: string, by: HeldKey): OwnRecord {
  const bare = bareState(state);
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
  const cipher = createCipheriv(CIPHER, keyOf(by.secret, salt), nonce);
  cipher.setAAD(bound(by, { origin, key, write, state: bare }));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(state), 'utf8'), cipher.final()]);
  const box = Buffer.concat([salt, nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  return { key, write, state: bare, sealed: { key: by.id, box } };
}

/** The whole state of a record that came; undefined when it is not what somebody with the key sealed for this place. */
export function openRecord(record: DatasetRecord, by: HeldKey): RecordState | undefined {
  const box = Buffer.from(record.sealed?.box ?? '', 'base64url');
  const text = decrypted(box, record, by);
  if (text === undefined) return undefined;
  const parsed = recordStateSchema.safeParse(JSON.parse(text));
  return parsed.success && isSealedAs(record.state, parsed.data) ? parsed.data : undefined;
}

/** Tells whether copies are the same without telling what is in them to who has not the key. */
export function keyedDigest(digest: string, { secret }: HeldKey): string {
  return createHmac('sha256', secret).update('skerry-digest-v1').update(digest).digest('hex').slice(0, 16);
}

function decrypted(box: Buffer, record: DatasetRecord, by: HeldKey): string | undefined {
  if (box.length < SALT_BYTES + NONCE_BYTES + TAG_BYTES) return undefined;
  const salt = box.subarray(0, SALT_BYTES);
  const nonce = box.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, keyOf(by.secret, salt), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(bound(by, record));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    const text = decipher.update(box.subarray(SALT_BYTES + NONCE_BYTES, box.length - TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

function keyOf(secret: Buffer, salt: Buffer): Buffer {
  return createHmac('sha256', secret).update('skerry-record-v1').update(salt).digest();
}

function bound(
  { project, name, incarnation, area, id }: KeyPlace,
  { origin, key, write, state }: Pick<DatasetRecord, 'origin' | 'key' | 'write' | 'state'>,
): Buffer {
  const place = ['skerry-record-v1', project, name, incarnation, area, id, origin, key, write];
  return Buffer.from(JSON.stringify([...place, stateText(state)]));
}
