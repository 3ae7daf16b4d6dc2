import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { SEAL_BYTES } from '@skerry/domain';
import type { HeldKey, KeyPlace } from './record-box.js';

const CIPHER = 'aes-256-gcm';
const PURPOSE = 'skerry-chunk-v1';
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = SALT_BYTES + NONCE_BYTES;

/**
 * A chunk as it lies at a site, travels and lies at the hub, `SEAL_BYTES` longer: salt, nonce, ciphertext (AES-256-GCM) and tag,
 * bound to its dataset and key. Salt and nonce are drawn from the chunk by a keyed hash (as in SIV, RFC 5297), so that the same
 * bytes are the same chunk under one key: they are kept once and sent once. The price: who has the ciphertext sees that two objects
 * of a dataset and area share a chunk, and how long its chunks are, which may tell who has a file whether it is that one. Under
 * another key, of another dataset, area or time, the same bytes are another chunk. A chunk is named by the digest of what it is
 * sealed; nobody without the key learns the digest of what is in it, nor can try guesses.
 */
export function sealChunk(bytes: Uint8Array, by: HeldKey): Buffer {
  const head = headOf(bytes, by);
  const cipher = createCipheriv(CIPHER, keyOf(by, head), head.subarray(SALT_BYTES));
  cipher.setAAD(boundTo(by));
  return Buffer.concat([head, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
}

/** What is in a chunk; undefined when it is not what somebody with this key sealed. */
export function openChunk(box: Uint8Array, by: HeldKey): Buffer | undefined {
  if (box.length <= SEAL_BYTES) return undefined;
  const head = box.subarray(0, HEAD_BYTES);
  const decipher = createDecipheriv(CIPHER, keyOf(by, head), head.subarray(SALT_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundTo(by));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    const opened = decipher.update(box.subarray(HEAD_BYTES, box.length - TAG_BYTES));
    return Buffer.concat([opened, decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Different for different bytes: a nonce that met another chunk under the same key would give both away. */
function headOf(bytes: Uint8Array, { secret }: HeldKey): Buffer {
  const draw = createHmac('sha256', secret).update(`${PURPOSE}-nonce`).digest();
  return createHmac('sha256', draw).update(bytes).digest().subarray(0, HEAD_BYTES);
}

function keyOf({ secret }: HeldKey, head: Uint8Array): Buffer {
  return createHmac('sha256', secret).update(PURPOSE).update(head.subarray(0, SALT_BYTES)).digest();
}

function boundTo({ project, name, incarnation, area, id }: KeyPlace): Buffer {
  return Buffer.from(JSON.stringify([PURPOSE, project, name, incarnation, area, id]));
}
