import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { foundCloudIdentity, hasCloudIdentity, loadCloudIdentity, siteAccountKey } from './cloud-identity.js';
import { verifyJwt } from './jwt.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skerry-identity-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe('the keys of a cloud', () => {
  test('are founded once and read again, in files that only their owner may read', async () => {
    expect(await hasCloudIdentity(folder)).toBe(false);
    const founded = await foundCloudIdentity(folder, { name: 'skerry', nowMs: Date.now() });
    expect(await hasCloudIdentity(folder)).toBe(true);
    const again = await loadCloudIdentity(folder);
    expect(JSON.stringify(again)).toBe(JSON.stringify(founded));
    for (const name of await readdir(folder)) {
      expect((await stat(join(folder, name))).mode & 0o077).toBe(0);
    }
    const issuers = [again.operatorSigning.publicKey];
    for (const token of [again.systemAccountJwt, again.cloudAccountJwt]) {
      expect(verifyJwt(token, { nowMs: Date.now(), issuers })).toMatchObject({ ok: true });
    }
  });

  test('of a folder that is not complete are refused by the name of the file', async () => {
    await foundCloudIdentity(folder, { name: 'skerry', nowMs: Date.now() });
    await rm(join(folder, 'cloud-signing.seed'));
    await expect(loadCloudIdentity(folder)).rejects.toThrow(/cloud-signing\.seed/);
  });

  test('the key of a site is one, also for those who ask first at the same moment', async () => {
    const asked = Array.from({ length: 6 }, async () => await siteAccountKey(folder, 'eu-de'));
    const keys = (await Promise.all(asked)).map(({ publicKey }) => publicKey);
    expect(new Set(keys).size).toBe(1);
    expect((await siteAccountKey(folder, 'us-east')).publicKey).not.toBe(keys[0]);
    await expect(siteAccountKey(folder, '../operator')).rejects.toThrow(/site "/);
  });
});
