import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import { readSeed, writePrivateFile } from '@skerry/identity';
import { HubStandIn } from '../hub-stand-in.suite.js';
import { assignment, eventually, SiteUnderTest } from '../site-under-test.suite.js';

const WEB = 'shop.web.s1.0';
const TELLS = 'echo "$SKERRY_AGENT_URL $SKERRY_AGENT_TOKEN $SKERRY_NATS_URL" >told; exec sleep 1000';

describe('a site that was made without the door for subjects', () => {
  it('runs what it ran: its replicas are told of HTTP alone', async () => {
    const site = await SiteUnderTest.make();
    try {
      await withoutDoor(site);
      await site.startServer();
      const hub = await HubStandIn.at(site);
      await site.startAgent();
      const command = ['/bin/sh', '-c', 'env | grep ^SKERRY_ >told; echo >>told; exec sleep 1000'];
      hub.want(assignment('web', { run: { command } }));
      await hub.running('web');
      const told = await eventually('it was told', async () => {
        const text = await readFile(join(site.dir, 'work', WEB, 'cwd', 'told'), 'utf8').catch(() => '');
        return text.endsWith('\n\n') && text;
      });
      expect(told).toContain('SKERRY_AGENT_TOKEN=');
      expect(told).not.toContain('SKERRY_NATS_URL');
      await site.addNode('n2');
      const conf = await readFile(join(site.dir, 'leaf.conf'), 'utf8');
      expect(conf.match(/# node n2/g)).toHaveLength(1);
      await hub.bus.close();
    } finally {
      await site.close();
    }
  }, 30_000);

  /** As `join` left one before. */
  async function withoutDoor(site: SiteUnderTest): Promise<void> {
    const conf = join(site.dir, 'leaf.conf');
    const text = await readFile(conf, 'utf8');
    const local = (await readSeed(join(site.dir, 'local.seed'))).publicKey;
    const before = text
      .replace(/^authorization: \{[\s\S]*?^\}\n/m, '')
      .replace(/^    (?:exports|imports): \[[\s\S]*?^    \]\n/gm, '')
      .replace(new RegExp(`\\{\\s*nkey: "${local}"\\s*\\}`), '');
    await writePrivateFile(conf, before);
    for (const seed of ['local.seed', 'logins.seed']) await rm(join(site.dir, seed));
  }
});

describe('a site of two nodes', () => {
  it('lets in each replica that runs on one of them, and its own node answers it; a node that is taken away has no door', async () => {
    const site = await SiteUnderTest.make({ allocatable: { cpuMillicores: 1_000, memoryMiB: 10_000 } });
    try {
      await site.startServer();
      await site.addNode('n2');
      const hub = await HubStandIn.at(site);
      await site.startAgent();
      await site.startAgent({ node: 'n2' });
      await eventually('both are there', () => hub.nodes.size === 2);
      const run = { command: ['/bin/sh', '-c', TELLS] };
      hub.want(assignment('web', { run, replicas: 2, resources: { cpuMillicores: 600, memoryMiB: 0 } }));
      const { replicas } = await hub.running('web', 2);
      expect(new Set(replicas.map(({ node }) => node))).toEqual(new Set(['n1', 'n2']));
      for (const { id, node } of replicas) {
        const folder = node === 'n1' ? site.dir : site.nodeDir(node);
        const [, token = '', nats = ''] = await eventually('it was told', async () => {
          const text = await readFile(join(folder, 'work', id, 'cwd', 'told'), 'utf8').catch(() => '');
          return text.endsWith('\n') && text.trim().split(' ');
        });
        const login = {
          servers: nats,
          user: id,
          inboxPrefix: `_INBOX.${id}`,
          reconnect: false,
          timeout: 5_000,
        };
        const connection = await connect({ ...login, pass: token });
        const answer = await connection.request(`app.${id}.nothing.get`, '{"key":"k"}', { timeout: 5_000 });
        expect(answer.json()).toMatchObject({ title: 'no copy of shop/nothing at s1' });
        await connection.close();
      }
      // Nobody says no, as the other node may know it: the server gives up after 2 s.
      const servers = `127.0.0.1:${site.port}`;
      const wrong = connect({ servers, user: WEB, pass: 'wrong', reconnect: false, timeout: 10_000 });
      await expect(wrong).rejects.toThrow(/authorization/i);
      await site.takeKeyAway('n2');
      const seed = (await readSeed(join(site.nodeDir('n2'), 'local.seed'))).seed();
      const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
      await eventually('it is not let in', async () => {
        const connection = await connect({ servers, authenticator, reconnect: false }).catch(() => undefined);
        await connection?.close();
        return connection === undefined;
      });
      await hub.bus.close();
    } finally {
      await site.close();
    }
  }, 60_000);
});
