import { mkdir, mkdtemp, readdir, rm, stat, writeFile, chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { credsText, parseCreds, readCreds, readSeed, writeCreds, writeSeed } from './creds.js';
import { NKey } from './nkey.js';
import { createPrivateFile, readPrivateFile, writePrivateFile } from './private-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-creds-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('private files', () => {
  test('are written with mode 0600, in folders of mode 0700, whatever the umask', async () => {
    const path = join(folder, 'a', 'b', 'secret');
    const before = process.umask(0o777);
    try {
      await mkdir(join(folder, 'a'), { mode: 0o700 }).then(async () => await chmod(join(folder, 'a'), 0o700));
      await writePrivateFile(join(folder, 'a', 'secret'), 'x');
    } finally {
      process.umask(before);
    }
    expect((await stat(join(folder, 'a', 'secret'))).mode & 0o777).toBe(0o600);
    await writePrivateFile(path, 'x');
    expect((await stat(join(folder, 'a', 'b'))).mode & 0o777).toBe(0o700);
  });

  test('replace the old text and leave no draft behind', async () => {
    const path = join(folder, 'secret');
    await writeFile(path, 'old', { mode: 0o644 });
    await writePrivateFile(path, 'new');
    expect(await readPrivateFile(path)).toBe('new');
    expect(await readdir(folder)).toEqual(['secret']);
  });

  test('are refused when the group or others may read them, with the remedy and not the content', async () => {
    const path = join(folder, 'secret');
    await writePrivateFile(path, 'TOP-SECRET');
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      await chmod(path, mode);
      const problem = await readPrivateFile(path).catch(String);
      expect(problem).toMatch(/has mode 06\d\d: run chmod 600/);
      expect(problem).not.toContain('TOP-SECRET');
    }
  });

  test('are refused when missing, too large, or no file', async () => {
    await expect(readPrivateFile(join(folder, 'none'))).rejects.toThrow(/none/);
    await expect(readPrivateFile(folder)).rejects.toThrow(/not a plain file/);
    await writePrivateFile(join(folder, 'large'), 'x'.repeat(300_000));
    await expect(readPrivateFile(join(folder, 'large'))).rejects.toThrow(/larger than/);
  });

  test('created by several at once are the same for all', async () => {
    const path = join(folder, 'once');
    const texts = Array.from({ length: 8 }, (_, i) => `text-${i}`);
    const created = await Promise.all(texts.map(async (text) => await createPrivateFile(path, text)));
    expect(created.filter(Boolean)).toHaveLength(1);
    expect(await readPrivateFile(path)).toBe(texts[created.indexOf(true)]);
    expect(await readdir(folder)).toEqual(['once']);
  });
});

describe('creds', () => {
  const user = NKey.create('user');

  test('come back from their text and from their file', async () => {
    expect(parseCreds(credsText('a.b.c', user))).toEqual({ jwt: 'a.b.c', seed: user.seed() });
    const path = join(folder, 'user.creds');
    await writeCreds(path, 'a.b.c', user);
    expect(await readCreds(path)).toEqual({ jwt: 'a.b.c', seed: user.seed() });
  });

  test('that are damaged are refused by the name of the file, without the seed', async () => {
    const path = join(folder, 'user.creds');
    const texts = [
      credsText('a.b.c', user).replace('BEGIN NATS USER JWT', 'BEGIN'),
      credsText('a.b.c', user).replace('BEGIN USER NKEY SEED', 'BEGIN'),
      credsText('a.b.c', NKey.create('account')),
    ];
    for (const text of texts) {
      await writePrivateFile(path, text);
      const problem = await readCreds(path).catch(String);
      expect(problem).toContain(path);
      expect(problem).not.toContain(user.seed());
    }
  });

  test('a seed file gives its key back, and is refused by name when damaged', async () => {
    const path = join(folder, 'agent.seed');
    await writeSeed(path, user);
    expect((await readSeed(path)).publicKey).toBe(user.publicKey);
    await writePrivateFile(path, 'nonsense');
    await expect(readSeed(path)).rejects.toThrow(path);
  });
});
