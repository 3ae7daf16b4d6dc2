import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { BackupTrouble } from './trouble.js';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const PREFIX = 'skbk_';
const KEY_TEXT = /^skbk_[A-Za-z0-9_-]{43}$/;
/** Bytes that a chunk may unpack to: a message of 1 MiB as JSON, twice. */
const MAX_PLAIN_BYTES = 64 * 1024 * 1024;
const ALGORITHM = 'aes-256-gcm';

/** A new key as text: 256 random bits. */
export function makeKeyText(): string {
  return `${PREFIX}${randomBytes(KEY_BYTES).toString('base64url')}`;
}

/** The key in a text. Throws, naming `from` and never the text. */
export function parseKeyText(text: string, from: string): Buffer {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed.slice(PREFIX.length), 'base64url');
  if (KEY_TEXT.test(trimmed) && bytes.length === KEY_BYTES) return bytes;
  throw new BackupTrouble(
    `${from} holds no key of backups: wanted is ${PREFIX} and 43 characters`,
    'skerry backup key FILE makes one',
  );
}

/**
 * Encrypts, decrypts and names what lies in one store of backups. AES-256-GCM with a random nonce for each blob (2^32 of them are
 * safe under one key) and the blob's name as additional data, so that none can stand for another; packed before. A chunk's name is
 * a keyed digest of its content: it tells nobody else what is in it. Both keys come from the given one and the store's salt
 * (HKDF-SHA256, RFC 5869).
 */
export class Sealing {
  private readonly sealKey: Buffer;
  private readonly nameKey: Buffer;

  constructor(key: Uint8Array, salt: Uint8Array) {
    const derived = (info: string) => Buffer.from(hkdfSync('sha256', key, salt, info, KEY_BYTES));
    this.sealKey = derived('skerry backup 1: content');
    this.nameKey = derived('skerry backup 1: names');
  }

  /** Tells keys apart without telling anything of them. */
  get keyId(): string {
    return this.nameOf(Buffer.from('key')).slice(0, 16);
  }

  /** 64 hexadecimal digits. */
  nameOf(content: Uint8Array): string {
    return createHmac('sha256', this.nameKey).update(content).digest('hex');
  }

  seal(name: string, content: Uint8Array): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.sealKey, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(deflateRawSync(content)), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
  }

  /** What was sealed under this name; undefined when one bit of it is another. */
  open(name: string, sealed: Uint8Array): Buffer | undefined {
    const bytes = Buffer.from(sealed);
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const decipher = createDecipheriv(ALGORITHM, this.sealKey, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.from(name));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    try {
      const packed = Buffer.concat([
        decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)),
        decipher.final(),
      ]);
      return inflateRawSync(packed, { maxOutputLength: MAX_PLAIN_BYTES });
    } catch {
      return undefined;
    }
  }

  /** As `open`, of a blob whose name is the digest of its content. */
  openNamed(name: string, sealed: Uint8Array): Buffer | undefined {
    const content = this.open(name, sealed);
    if (content === undefined) return undefined;
    const digest = Buffer.from(this.nameOf(content));
    return digest.length === name.length && timingSafeEqual(digest, Buffer.from(name)) ? content : undefined;
  }
}
