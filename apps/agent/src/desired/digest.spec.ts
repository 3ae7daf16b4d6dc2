import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { SITE } from '@skerry/contracts';
import { assignment, QUIET, tombstone } from '../site-under-test.suite.js';
import { DesiredStore } from './desired-store.js';
import { DigestExchange } from './digest.js';

describe('what the hub does not know', () => {
  let folder: string;
  let store: DesiredStore;
  let exchange: DigestExchange;
  let unknown: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-digest-'));
    store = await DesiredStore.open({ desired: join(folder, 'd'), quarantine: join(folder, 'q') }, QUIET);
    const bus = new MemoryBus(new MemoryServer());
    bus.respond(SITE.digest, () => ({ objects: [], unknown, more: false }));
    exchange = new DigestExchange(bus, {
      site: 's1',
      subject: SITE.digest,
      store,
      lastSequence: () => 0,
      take: async (object) => void (await store.offer(object)),
      log: { ...QUIET, warn: () => undefined },
    });
    for (const name of ['web', 'late']) await store.offer(assignment(name, {}));
    await store.offer(tombstone('gone'));
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  it('stays and is named, until it is applied again or the hub knows it', async () => {
    unknown = ['shop.gone'];
    await exchange.exchange();
    expect(exchange.trouble).toBeUndefined();
    unknown = ['shop.late', 'shop.web'];
    await exchange.exchange();
    expect(exchange.trouble).toMatch(/^the hub does not know shop\/late and 1 more, which goes on here/);
    expect(store.get('shop.late')?.object.kind).toBe('Assignment');
    await store.offer(assignment('late', { version: { term: 2 } }));
    expect(exchange.trouble).toMatch(/^the hub does not know shop\/web, /);
    unknown = [];
    await exchange.exchange();
    expect(exchange.trouble).toBeUndefined();
  });
});
