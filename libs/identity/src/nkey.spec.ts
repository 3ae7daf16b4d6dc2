import { inspect } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { decodeBase32, encodeBase32 } from './base32.js';
import { NKey, isPublicKey, requirePublicKey, verifySignature, type NKeyType } from './nkey.js';

// The pair of the NATS documentation on nkeys; the reference implementation gives the same.
const SEED = 'SUAMLK2ZNL35WSMW37E7UD4VZ7ELPKW7DHC3BWBSD2GCZ7IUQQXZIORRBU';
const PUBLIC = 'UCK5N7N66OBOINFXAYC2ACJQYFSOD4VYNU6APEJTAVFZB2SVHLKGEW7L';

const LETTERS: Readonly<Record<NKeyType, string>> = {
  operator: 'O',
  account: 'A',
  user: 'U',
  server: 'N',
};
const TYPES = ['operator', 'account', 'user', 'server'] as const;

describe('base32', () => {
  test('encodes as RFC 4648, without padding', () => {
    const pairs = [
      ['', ''],
      ['f', 'MY'],
      ['fo', 'MZXQ'],
      ['foo', 'MZXW6'],
      ['foob', 'MZXW6YQ'],
      ['fooba', 'MZXW6YTB'],
      ['foobar', 'MZXW6YTBOI'],
    ] as const;
    for (const [plain, text] of pairs) {
      expect(encodeBase32(Buffer.from(plain))).toBe(text);
      expect(decodeBase32(text)?.toString()).toBe(plain);
    }
  });

  test('refuses foreign characters, impossible lengths and a second text for the same bytes', () => {
    for (const text of ['my', 'M1', 'MY=', 'M', 'MZX', 'MZ']) expect(decodeBase32(text)).toBeUndefined();
  });
});

describe('nkey', () => {
  test('reads a seed of the reference implementation as the same key pair', () => {
    const key = NKey.fromSeed(SEED);
    expect(key.publicKey).toBe(PUBLIC);
    expect(key.seed()).toBe(SEED);
  });

  test.each(TYPES)('a %s key begins with its letter and comes back from its seed', (type) => {
    const key = NKey.create(type);
    expect(key.publicKey).toMatch(new RegExp(`^${LETTERS[type]}[A-Z2-7]{55}$`));
    expect(key.seed()).toMatch(new RegExp(`^S${LETTERS[type]}[A-Z2-7]{56}$`));
    const again = NKey.fromSeed(`${key.seed()}\n`);
    expect([again.type, again.publicKey]).toEqual([type, key.publicKey]);
  });

  test('a signature holds for its text and key only', () => {
    const [key, other] = [NKey.create('user'), NKey.create('user')];
    const signature = key.sign('nonce');
    expect(key.verify('nonce', signature)).toBe(true);
    expect(key.verify('nonse', signature)).toBe(false);
    expect(other.verify('nonce', signature)).toBe(false);
    expect(verifySignature('not a key', 'nonce', signature)).toBe(false);
    expect(verifySignature(key.publicKey, 'nonce', Buffer.from('short'))).toBe(false);
  });

  test('never shows its seed when it is printed or serialised', () => {
    const key = NKey.create('account');
    for (const text of [inspect(key), JSON.stringify({ key }), inspect({ key }, { depth: 9 })]) {
      expect(text).toContain(key.publicKey);
      expect(text).not.toContain(key.seed());
    }
  });

  test('refuses a damaged seed without quoting it', () => {
    const wrong = [SEED.slice(0, -1), SEED.replace('L', 'M'), PUBLIC, '', `${SEED}AA`, SEED.toLowerCase()];
    for (const seed of wrong) {
      const read = (): NKey => NKey.fromSeed(seed);
      expect(read).toThrow(/not a NATS seed/);
      expect(read).not.toThrow(seed.slice(2) || 'no seed');
    }
  });

  test('knows a public key by its letter, length and checksum', () => {
    expect(isPublicKey('user', PUBLIC)).toBe(true);
    expect(isPublicKey('account', PUBLIC)).toBe(false);
    expect(isPublicKey('user', `A${PUBLIC.slice(1)}`)).toBe(false);
    expect(isPublicKey('user', PUBLIC.replace('Q', 'R'))).toBe(false);
    expect(isPublicKey('user', SEED)).toBe(false);
    expect(() => requirePublicKey('account', PUBLIC)).toThrow(/public key of a NATS account/);
  });
});
