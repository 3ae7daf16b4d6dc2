import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { SEAL_BYTES } from '@skerry/domain';
import { openChunk, sealChunk } from './chunk-box.js';

const key = {
  project: 'p',
  name: 'd',
  incarnation: 1,
  area: 'eu',
  id: 'a'.repeat(32),
  secret: randomBytes(32),
};
const BYTES = Buffer.concat([Buffer.from('what nobody else may read'), randomBytes(1_000)]);

describe('a chunk that is sealed', () => {
  it('is opened by who has the key, and the same bytes are the same chunk', () => {
    const box = sealChunk(BYTES, key);
    expect(box).toHaveLength(BYTES.length + SEAL_BYTES);
    expect(openChunk(box, key)?.equals(BYTES)).toBe(true);
    expect(sealChunk(Buffer.from(BYTES), { ...key }).equals(box)).toBe(true);
  });

  it('says nothing of what is in it, nor of its digest', () => {
    const box = sealChunk(BYTES, key).toString('latin1');
    const digest = createHash('sha256').update(BYTES).digest();
    expect(box).not.toContain('what nobody');
    expect(box).not.toContain(digest.subarray(0, 8).toString('latin1'));
  });

  it('never has the salt and nonce of another', () => {
    const heads = [BYTES, BYTES.subarray(1), Buffer.from('x')].map((bytes) =>
      sealChunk(bytes, key).subarray(0, 28).toString('hex'),
    );
    expect(new Set(heads).size).toBe(3);
  });

  it('is another one under another key, of another dataset, incarnation or area, and does not open there', () => {
    const box = sealChunk(BYTES, key);
    const others = [
      { ...key, secret: randomBytes(32) },
      { ...key, name: 'e' },
      { ...key, incarnation: 2 },
      { ...key, area: 'us' },
    ];
    for (const other of others) {
      expect(sealChunk(BYTES, other).equals(box)).toBe(false);
      expect(openChunk(box, other)).toBeUndefined();
    }
  });

  it('does not open when a bit of it is another, or it is cut short', () => {
    for (const at of [0, 20, 500, BYTES.length + SEAL_BYTES - 1]) {
      const box = sealChunk(BYTES, key);
      box[at] = (box[at] ?? 0) ^ 1;
      expect(openChunk(box, key)).toBeUndefined();
    }
    expect(openChunk(sealChunk(BYTES, key).subarray(0, SEAL_BYTES), key)).toBeUndefined();
  });
});
