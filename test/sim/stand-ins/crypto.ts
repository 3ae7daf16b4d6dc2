import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { theTimeline } from '@skerry/sim';

// Of an X25519 key (RFC 8410): node:crypto takes no raw keys.
const PKCS8_HEADER = Buffer.from('302e020100300506032b656e04220420', 'hex');
const KEY_BYTES = 32;

/** `node:crypto` where names are drawn that others order by: by the chance of the simulated process. */
export * from 'node:crypto';

export function randomBytes(length: number): Buffer {
  const { random } = theTimeline().current;
  return Buffer.from(Array.from({ length }, () => random.whole(0, 255)));
}

/** The one kind of key that is made there, X25519. */
export function generateKeyPairSync(): { publicKey: KeyObject; privateKey: KeyObject } {
  const key = Buffer.concat([PKCS8_HEADER, randomBytes(KEY_BYTES)]);
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
