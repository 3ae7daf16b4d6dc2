import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  copyNewsSchema,
  copySetSchema,
  datasetSchema,
  datasetSpecSchema,
  exampleSite,
  HUB,
  type CopyNews,
  type Dataset,
} from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { HomesStore } from './stores/homes.store.js';
import { RecordsStore } from './stores/records.store.js';
import { WantedStore } from './stores/wanted.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

const AT = '2026-05-01T12:00:00.000Z';
const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const chosen = (...sites: string[]) =>
  copySetSchema.parse({
    kind: 'CopySet',
    project: 'shop',
    name: 'cart',
    incarnation: 1,
    copies: sites.map((site) => ({ site, since: AT, why: 'used', whole: false })),
    updatedAt: AT,
  });
const dataset = (generation: number): Dataset =>
  datasetSchema.parse({
    kind: 'Dataset',
    project: 'shop',
    name: 'cart',
    labels: {},
    generation,
    incarnation: 1,
    specDigest: `sha256:${'0'.repeat(64)}`,
    createdAt: AT,
    updatedAt: AT,
    requestId: 'request-1',
    commandSequence: 1,
    spec: datasetSpecSchema.parse({ type: 'keyvalue', conflicts: 'newest', copies: { min: 1 } }),
    removed: false,
  });

describe('copies that are chosen', () => {
  let bus: MemoryBus;
  let give: GiveCopies;
  let copies: CopiesStore;
  let sets: CopySetsStore;
  const told: [string, CopyNews][] = [];
  beforeEach(async () => {
    told.length = 0;
    bus = new MemoryBus(new MemoryServer());
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    const wanted = new WantedStore();
    sets = new CopySetsStore(bus);
    copies = new CopiesStore(wanted, sets, new WrappedKeysStore(bus), new HomesStore(bus));
    const records = new RecordsStore(bus, log);
    records.head = async () => await Promise.resolve(0);
    give = new GiveCopies(wanted, copies, records, bus, log);
    // Who comes later is not asked by who begins.
    await give.start();
    for (const name of ['s1', 's2'])
      wanted.applySite({ ...PUT, key: name, value: { ...exampleSite(name), account: `A-${name}` } });
    for (const { name, account } of wanted.allSites())
      bus.listen(HUB.copyNews(account), (m) => void told.push([name, copyNewsSchema.parse(m.json())]));
  });
  afterEach(async () => {
    give.stop();
    await bus.close();
  });

  async function choose(generation: number): Promise<string[]> {
    copies.apply({ ...PUT, key: 'shop.cart', value: dataset(generation) });
    const before = sets.apply({ ...PUT, key: 'shop.cart', value: chosen('s1') });
    await give.chosen(before, chosen('s1'));
    await sleep(5);
    return told.filter(([, news]) => news.copies.length === 0).map(([site]) => site);
  }

  it('for the first time have every other site asked, when there may be copies from before', async () => {
    expect(await choose(2)).toEqual(['s2']);
  });

  it('for the first time have nobody asked who never had one', async () => {
    expect(await choose(1)).toEqual([]);
  });
});
