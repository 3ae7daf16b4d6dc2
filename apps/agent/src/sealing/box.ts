import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

const CIPHER = 'aes-256-gcm';
/** Each box has a key of its own, made with this salt: so a random nonce never meets its like under one key (GCM bears 2^32). */
const SALT_BYTES = 16;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** What a box is sealed with, and for. */
export interface BoxFor {
  /** 256 bits. */
  secret: Buffer;
  /** What it is made for: a key that is made for one thing opens nothing that was made for another. */
  purpose: string;
  /** What it counts for alone, in a form that is the same for the same. */
  bound: string;
}

/** Text that nobody reads without the key: salt, nonce, ciphertext (AES-256-GCM) and tag, in base64url. */
export function sealText(text: string, { secret, purpose, bound }: BoxFor): string {
  const [salt, nonce] = [randomBytes(SALT_BYTES), randomBytes(NONCE_BYTES)];
  const cipher = createCipheriv(CIPHER, keyOf(secret, purpose, salt), nonce);
  cipher.setAAD(Buffer.from(bound));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([salt, nonce, sealed, cipher.getAuthTag()]).toString('base64url');
}

/** What is in a box; undefined when it is not what somebody with the key sealed for this. */
export function openText(sealed: string, { secret, purpose, bound }: BoxFor): string | undefined {
  const box = Buffer.from(sealed, 'base64url');
  if (box.length < SALT_BYTES + NONCE_BYTES + TAG_BYTES) return undefined;
  const salt = box.subarray(0, SALT_BYTES);
  const nonce = box.subarray(SALT_BYTES, SALT_BYTES + NONCE_BYTES);
  const key = keyOf(secret, purpose, salt);
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(bound));
  decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
  try {
    const text = decipher.update(box.subarray(SALT_BYTES + NONCE_BYTES, box.length - TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

function keyOf(secret: Buffer, purpose: string, salt: Buffer): Buffer {
  return createHmac('sha256', secret).update(purpose).update(salt).digest();
}
