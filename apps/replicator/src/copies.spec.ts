import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  copyNewsSchema,
  copySetSchema,
  datasetSpecSchema,
  DECLARED_DATASET_CHARS,
  exampleSite,
  HUB,
  type CopyNews,
  type Dataset,
} from '@skerry/contracts';
import { JsonLog, type PlainMessage } from '@skerry/service';
import { datasetOf } from './dataset-of.suite.js';
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
  datasetOf(
    { project: 'shop', name: 'cart', generation },
    { type: 'keyvalue', conflicts: 'newest', copies: { min: 1 } },
  );

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

describe('what a site holds and the hub has never heard of', () => {
  let bus: MemoryBus;
  let give: GiveCopies;
  let copies: CopiesStore;
  const site = exampleSite('s1');
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    const wanted = new WantedStore();
    wanted.applySite({ ...PUT, key: 's1', value: site });
    copies = new CopiesStore(wanted, new CopySetsStore(bus), new WrappedKeysStore(bus), new HomesStore(bus));
    const records = new RecordsStore(bus, log);
    records.head = async () => await Promise.resolve(0);
    records.allEpochs = async () => await Promise.resolve([{ sequence: 1, mark: 1 }]);
    give = new GiveCopies(wanted, copies, records, bus, log);
    await give.start();
  });
  afterEach(async () => {
    give.stop();
    await bus.close();
  });

  async function greet(...names: string[]): Promise<CopyNews> {
    const held = names.map((name) => ({
      project: 'shop',
      name,
      incarnation: 2,
      generation: 3,
      cursor: 0,
      unsent: 0,
    }));
    const answers: unknown[] = [];
    await give.greet({
      subject: `hub.${site.account}.copies`,
      json: () => ({ held }),
      reply: (answer: unknown) => void answers.push(answer),
    } as PlainMessage);
    return copyNewsSchema.parse(answers[0]);
  }

  it('is named to it, and what was removed or made anew is not', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: { ...dataset(1), removed: true } });
    expect((await greet('cart', 'lost')).unknown).toEqual([
      { project: 'shop', name: 'lost', incarnation: 2 },
    ]);
    expect(await greet('cart')).not.toHaveProperty('unknown');
  });

  it('is declared with its copy, as long as there is room in one answer', async () => {
    const labels = { note: 'x'.repeat(DECLARED_DATASET_CHARS - 1_000) };
    for (let i = 0; i < 20; i += 1) {
      const spec = datasetSpecSchema.parse({ type: 'keyvalue' });
      const value = { ...dataset(1), name: `cart${i}`, labels, spec, warrant: 'w'.repeat(43) };
      copies.apply({ ...PUT, key: `shop.cart${i}`, value });
    }
    const declared = (await greet()).copies.filter(({ copy }) => copy.declared?.warrant === 'w'.repeat(43));
    expect(declared.length).toBeGreaterThan(10);
    expect(declared.length).toBeLessThan(20);
  });
});
