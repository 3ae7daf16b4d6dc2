import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { NKey, readSeed, siteConfig, writePrivateFile, writeSeed } from '@skerry/identity';
import { folders } from '../site-file.js';
import { makeOperator } from './operator-user.js';

describe('a site that was made before people could act there', () => {
  it('gets the user that they act as, with the rights that it has at others, once', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'skerry-operator-'));
    try {
      const places = folders(dir);
      const agent = NKey.create('user');
      await writeSeed(places.agentSeed, agent);
      const confWith = (operator?: string) =>
        siteConfig({
          site: 's1',
          client: { host: '127.0.0.1', port: 4222 },
          jetstream: { storeDir: '/store', maxMemoryBytes: 2 ** 26, maxFileBytes: 2 ** 31 },
          users: { agent: agent.publicKey, ...(operator === undefined ? {} : { operator }) },
          leaf: {
            urls: ['tls://127.0.0.1:1'],
            credsFile: '/creds',
            tls: { certFile: '/crt', keyFile: '/key', caFile: '/ca' },
          },
        });
      expect(await makeOperator(places)).toBe(false);
      await writePrivateFile(places.leafConf, confWith());
      expect(await makeOperator(places)).toBe(true);
      const { publicKey } = await readSeed(places.operatorSeed);
      const made = await readFile(places.leafConf, 'utf8');
      const plain = (text: string) => text.replace(/\s+/g, ' ');
      expect(plain(made)).toBe(plain(confWith(publicKey)));
      expect((await stat(places.operatorSeed)).mode & 0o777).toBe(0o600);
      expect(await makeOperator(places)).toBe(false);
      expect(await readFile(places.leafConf, 'utf8')).toBe(made);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
