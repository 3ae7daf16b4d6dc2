import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

const ID_BYTES = 6;
const SECRET_BYTES = 32;
const TOKEN = /^([a-z]{3})_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/;

/** A token's parts: the id may be stored and logged, the secret must not. */
export interface TokenParts {
  id: string;
  secret: string;
}

/** A fresh token `<prefix>_<id>_<secret>`: 48 random bits of id, 256 of secret. */
export function makeTokenText(prefix: string): TokenParts & { text: string } {
  const id = randomBytes(ID_BYTES).toString('hex');
  const secret = randomBytes(SECRET_BYTES).toString('base64url');
  return { id, secret, text: `${prefix}_${id}_${secret}` };
}

/** The parts of a token with this prefix, or undefined. Surrounding white space is ignored. */
export function parseTokenText(prefix: string, text: string): TokenParts | undefined {
  const [, found, id, secret] = TOKEN.exec(text.trim()) ?? [];
  if (found !== prefix || id === undefined || secret === undefined) return undefined;
  return { id, secret };
}

/** What is stored in place of a secret: it has 256 random bits, so a plain digest cannot be reversed by guessing. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Whether the secret has this hash, in a time that does not depend on where they differ. */
export function secretMatches(secret: string, hash: string): boolean {
  const [given, wanted] = [Buffer.from(hashSecret(secret), 'hex'), Buffer.from(hash, 'hex')];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
