import { createPrivateKey, createPublicKey, randomBytes, sign, verify, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { decodeBase32, encodeBase32 } from './base32.js';

/** What a key stands for; its public text starts with O, A, U or N accordingly. */
export type NKeyType = 'operator' | 'account' | 'user' | 'server';

/** The type's byte: five bits that become the first letter in base32, then three zero bits. */
const PREFIX: Readonly<Record<NKeyType, number>> = {
  operator: 14 << 3,
  account: 0,
  user: 20 << 3,
  server: 13 << 3,
};
const SEED_PREFIX = 18 << 3; // 'S'
const KEY_BYTES = 32;

// DER headers of an Ed25519 key (RFC 8410): node:crypto takes no raw keys.
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * An Ed25519 key pair in the nkey text form of NATS. The seed is the private key: only `seed()` gives it
 * away; printing or serialising the object shows the public key alone.
 */
export class NKey {
  readonly #raw: Buffer;
  readonly #key: KeyObject;
  /** `O…`, `A…`, `U…` or `N…`, 56 characters. */
  readonly publicKey: string;

  private constructor(
    readonly type: NKeyType,
    raw: Buffer,
  ) {
    this.#raw = raw;
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, raw]), format: 'der', type: 'pkcs8' });
    const spki = createPublicKey(this.#key).export({ format: 'der', type: 'spki' });
    this.publicKey = withChecksum(Buffer.from([PREFIX[type]]), spki.subarray(-KEY_BYTES));
  }

  /** A new random key pair. */
  static create(type: NKeyType): NKey {
    return new NKey(type, randomBytes(KEY_BYTES));
  }

  /** The key pair of a seed text (`SO…`, `SA…`, `SU…`, `SN…`). Throws without quoting it when it is none. */
  static fromSeed(seed: string): NKey {
    const bytes = withoutChecksum(seed.trim());
    const [first, second] = [bytes?.[0], bytes?.[1]];
    if (bytes?.length !== KEY_BYTES + 2 || first === undefined || second === undefined) throw notASeed();
    const type = typeOf(((first & 7) << 5) | (second >> 3));
    if ((first & 0xf8) !== SEED_PREFIX || (second & 7) !== 0 || type === undefined) throw notASeed();
    return new NKey(type, bytes.subarray(2));
  }

  /** The key pair of 32 secret bytes, such as are derived from another secret. */
  static fromRaw(type: NKeyType, raw: Uint8Array): NKey {
    if (raw.length !== KEY_BYTES) throw new Error(`a key is made of ${KEY_BYTES} bytes`);
    return new NKey(type, Buffer.from(raw));
  }

  /** The private half as text, 58 characters. Write it with `writePrivateFile` only; never log it. */
  seed(): string {
    const prefix = PREFIX[this.type];
    return withChecksum(Buffer.from([SEED_PREFIX | (prefix >> 5), (prefix & 31) << 3]), this.#raw);
  }

  /** Ed25519 signature, 64 bytes. */
  sign(data: string | Uint8Array): Buffer {
    return sign(null, Buffer.from(data), this.#key);
  }

  /** Whether this key made the signature. */
  verify(data: string | Uint8Array, signature: Uint8Array): boolean {
    return verifySignature(this.publicKey, data, signature);
  }

  toJSON(): string {
    return this.publicKey;
  }

  [inspect.custom](): string {
    return `NKey(${this.publicKey})`;
  }
}

/** Whether the public key's owner made the signature. False, never a throw, for a text that is no public key. */
export function verifySignature(
  publicKey: string,
  data: string | Uint8Array,
  signature: Uint8Array,
): boolean {
  const bytes = publicBytes(publicKey);
  if (bytes === undefined) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEADER, bytes]), format: 'der', type: 'spki' });
  return verify(null, Buffer.from(data), key, signature);
}

/** Whether the text is a whole public key of this type: alphabet, length, checksum, type letter. */
export function isPublicKey(type: NKeyType, text: string): boolean {
  return publicBytes(text, type) !== undefined;
}

/** Throws, saying what was expected, unless the text is a public key of this type. */
export function requirePublicKey(type: NKeyType, text: string): void {
  if (!isPublicKey(type, text)) throw new Error(`not the public key of a NATS ${type}: ${text.slice(0, 80)}`);
}

function publicBytes(text: string, type?: NKeyType): Buffer | undefined {
  const bytes = withoutChecksum(text);
  const [prefix] = bytes ?? [];
  if (bytes?.length !== KEY_BYTES + 1 || prefix === undefined) return undefined;
  const found = typeOf(prefix);
  if (found === undefined || (type !== undefined && found !== type)) return undefined;
  return bytes.subarray(1);
}

function typeOf(prefix: number): NKeyType | undefined {
  switch (prefix) {
    case PREFIX.operator:
      return 'operator';
    case PREFIX.account:
      return 'account';
    case PREFIX.user:
      return 'user';
    case PREFIX.server:
      return 'server';
    default:
      return undefined;
  }
}

function notASeed(): Error {
  return new Error('not a NATS seed: 58 characters of base32 that start with SO, SA, SU or SN are wanted');
}

function withChecksum(...parts: Buffer[]): string {
  const body = Buffer.concat(parts);
  const checksum = Buffer.alloc(2);
  checksum.writeUInt16LE(crc16(body));
  return encodeBase32(Buffer.concat([body, checksum]));
}

function withoutChecksum(text: string): Buffer | undefined {
  const bytes = decodeBase32(text);
  if (bytes === undefined || bytes.length < 3) return undefined;
  const body = bytes.subarray(0, -2);
  return bytes.readUInt16LE(body.length) === crc16(body) ? body : undefined;
}

/** CRC-16/XMODEM (polynomial 0x1021, start 0), which nkeys append little-endian. */
function crc16(bytes: Uint8Array): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff;
  }
  return crc;
}
