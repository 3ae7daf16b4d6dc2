import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { makeKeyText, parseKeyText, Sealing } from './sealing.js';

const key = parseKeyText(makeKeyText(), 'the test');
const salt = randomBytes(16);
const sealing = new Sealing(key, salt);

describe('what is sealed', () => {
  it('is opened by the same key alone, and only under its own name', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 500 }), (content) => {
        const name = sealing.nameOf(content);
        const sealed = sealing.seal(name, content);
        expect([...(sealing.openNamed(name, sealed) ?? [])]).toEqual([...content]);
        expect(sealing.open('another', sealed)).toBeUndefined();
        expect(new Sealing(randomBytes(32), salt).open(name, sealed)).toBeUndefined();
        expect(new Sealing(key, randomBytes(16)).open(name, sealed)).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  it('is refused when any bit of it is another', () => {
    const content = Buffer.from('what a hub knows');
    const name = sealing.nameOf(content);
    const sealed = sealing.seal(name, content);
    for (let at = 0; at < sealed.length; at += 1) {
      const damaged = Buffer.from(sealed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(sealing.openNamed(name, damaged)).toBeUndefined();
    }
    expect(sealing.openNamed(name, sealed.subarray(0, 20))).toBeUndefined();
  });

  it('tells nothing of its content: not by its bytes, and by its name to nobody without the key', () => {
    const content = Buffer.from('secret '.repeat(50));
    const name = sealing.nameOf(content);
    expect(sealing.seal(name, content).equals(sealing.seal(name, content))).toBe(false);
    expect(sealing.seal(name, content).includes('secret')).toBe(false);
    expect(new Sealing(key, randomBytes(16)).nameOf(content)).not.toBe(name);
  });
});

describe('a key', () => {
  it('is refused when it is none, by naming where it came from and not what it says', () => {
    for (const text of ['', 'secret-words', makeKeyText().slice(1), `${makeKeyText()}x`])
      expect(() => parseKeyText(text, 'backup.key')).toThrow(/^backup\.key holds no key of backups/);
    expect(() => parseKeyText('secret-words', 'backup.key')).not.toThrow(/secret-words/);
  });
});
