import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import type { SealingKey, Wrap } from '@skerry/contracts';
import { verifySignature, type NKey } from '@skerry/identity';
import { z } from 'zod';
import type { HeldKey, KeyPlace } from './record-box.js';

const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SECRET_BYTES = 32;
const jwkSchema = z.object({ x: z.string() });

/** A node that keys are wrapped for. */
export interface Receiver {
  site: string;
  store: string;
  publicKey: string;
}

/** The public half of a node's key, signed by the nkey of its site. */
export function signedKey(me: Receiver, site: NKey): SealingKey {
  const signature = site.sign(receiverText(me)).toString('base64url');
  return { publicKey: me.publicKey, identity: site.publicKey, signature };
}

/** Whether the owner of `identity` says that this is the key of this node of its site. */
export function isSigned({ site, store }: { site: string; store: string }, key: SealingKey): boolean {
  const text = receiverText({ site, store, publicKey: key.publicKey });
  return verifySignature(key.identity, text, Buffer.from(key.signature, 'base64url'));
}

/**
 * A key of a dataset for one node: sealed (AES-256-GCM) under HKDF-SHA256 of what X25519 makes of that node's key and one that is
 * made for this alone; and signed by who wraps it, so that nobody else makes a site use a key.
 */
export function wrapKey(key: HeldKey, to: Receiver, by: { site: string; nkey: NKey }): Wrap {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const ephemeral = rawOf(publicKey);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, sharedKey(privateKey, to.publicKey, ephemeral), nonce);
  cipher.setAAD(Buffer.from(placeText(key, to)));
  const sealed = Buffer.concat([cipher.update(key.secret), cipher.final()]);
  const box = Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
  const wrap = { site: to.site, store: to.store, ephemeral, box, by: by.site };
  const signature = by.nkey.sign(wrapText(key, wrap)).toString('base64url');
  return { ...wrap, identity: by.nkey.publicKey, signature };
}

/** Whether the owner of its `identity` made this wrap, of this key. */
export function isSignedWrap(place: KeyPlace, wrap: Wrap): boolean {
  return verifySignature(wrap.identity, wrapText(place, wrap), Buffer.from(wrap.signature, 'base64url'));
}

/** The key that was wrapped; undefined when it is not for this node, or not this key. */
export function unwrapKey(place: KeyPlace, wrap: Wrap, me: KeyObject): HeldKey | undefined {
  const box = Buffer.from(wrap.box, 'base64url');
  try {
    const shared = sharedKey(me, rawOf(createPublicKey(me)), wrap.ephemeral, wrap.ephemeral);
    const decipher = createDecipheriv(CIPHER, shared, box.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(placeText(place, wrap)));
    decipher.setAuthTag(box.subarray(box.length - TAG_BYTES));
    const sealed = box.subarray(NONCE_BYTES, box.length - TAG_BYTES);
    const secret = Buffer.concat([decipher.update(sealed), decipher.final()]);
    return secret.length === SECRET_BYTES ? { ...place, secret } : undefined;
  } catch {
    // A point that is none, or a tag that does not fit.
    return undefined;
  }
}

/** A public X25519 key as its 32 bytes. */
export function rawOf(key: KeyObject): string {
  return jwkSchema.parse(key.export({ format: 'jwk' })).x;
}

/** `receiver` is the public key of who unwraps, on both sides; `peer` the one that is not one's own. */
function sharedKey(own: KeyObject, receiver: string, ephemeral: string, peer = receiver): Buffer {
  const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: peer }, format: 'jwk' });
  const secret = diffieHellman({ privateKey: own, publicKey });
  const salt = Buffer.from(ephemeral + receiver);
  return Buffer.from(hkdfSync('sha256', secret, salt, 'skerry-wrap-v1', SECRET_BYTES));
}

// Each begins with its purpose, so that no signature made for something else can stand for it.
function receiverText({ site, store, publicKey }: Receiver): string {
  return JSON.stringify(['skerry-sealing-key-v1', site, store, publicKey]);
}

function placeText(
  { project, name, incarnation, area, id }: KeyPlace,
  { site, store }: { site: string; store: string },
): string {
  return JSON.stringify(['skerry-wrapped-key-v1', project, name, incarnation, area, id, site, store]);
}

function wrapText(place: KeyPlace, wrap: Pick<Wrap, 'site' | 'store' | 'ephemeral' | 'box' | 'by'>): string {
  return JSON.stringify([placeText(place, wrap), wrap.ephemeral, wrap.box, wrap.by]);
}
