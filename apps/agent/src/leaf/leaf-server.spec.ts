import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { findNatsServer } from '@skerry/nats-server';
import { makeLog } from '../log.js';
import { folders, siteFileSchema } from '../site-file.js';
import { alive, eventually } from '../site-under-test.suite.js';
import { LeafServer } from './leaf-server.js';

const SILENT = { ...makeLog('error'), warn: () => undefined };

describe('the nats-server of a site', () => {
  let dir: string;
  let started: LeafServer[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-leaf-'));
    started = [];
  });
  afterEach(async () => {
    for (const server of started) await server.stop();
    await rm(dir, { recursive: true, force: true });
  });

  it('is found again by the next agent, once the disk has taken which process it is', async () => {
    const leafConf = join(dir, 'leaf.conf');
    await writeFile(leafConf, 'listen: "127.0.0.1:-1"\n');
    const site = siteFileSchema.parse({
      site: 's1',
      node: 'n1',
      account: `A${'A'.repeat(55)}`,
      server: { host: '127.0.0.1', port: 4_222 },
      address: '127.0.0.1',
      natsServer: await findNatsServer(),
    });
    const places = { ...folders(dir), leafConf, leafServer: join(dir, 'full', 'server.json') };
    const begin = async () => {
      const server = await LeafServer.start({ dir, site, places, log: SILENT });
      started.push(server);
      return server;
    };
    const first = await begin();
    expect(alive(first.pid ?? 0)).toBe(true);
    await mkdir(join(dir, 'full'));
    await eventually('it is written down', () => existsSync(places.leafServer));
    first.leave();
    expect((await begin()).pid).toBe(first.pid);
  });
});
