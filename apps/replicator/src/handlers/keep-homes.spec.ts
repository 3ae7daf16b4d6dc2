import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Conflict, MemoryBus, MemoryServer } from '@skerry/bus';
import {
  BUCKETS,
  datasetHomeSchema,
  exampleSite,
  LIMITS,
  type CopiesRequest,
  type DatasetHome,
  type Site,
} from '@skerry/contracts';
import type { HomeWanted } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { datasetOf } from '../dataset-of.suite.js';
import { CopiesStore } from '../stores/copies.store.js';
import { CopySetsStore } from '../stores/copy-sets.store.js';
import { CopyUsersStore } from '../stores/copy-users.store.js';
import { DeliveredStore } from '../stores/delivered.store.js';
import { HomeSignsStore } from '../stores/home-signs.store.js';
import { HomesStore } from '../stores/homes.store.js';
import { RecordsStore } from '../stores/records.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { WrappedKeysStore } from '../stores/wrapped-keys.store.js';
import { KeepHomes } from './keep-homes.handler.js';
import { TakeRecords } from './take-records.handler.js';

const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const STORE = '0123456789abcdef';
const ledger = datasetOf(
  { project: 'shop', name: 'ledger' },
  {
    type: 'keyvalue',
    conflicts: 'single-writer',
    home: { with: 'keeper' },
    // C may not have it.
    residency: { stay: ['eu'] },
  },
);
const siteIn = (name: string, jurisdiction: string): Site => {
  const site = exampleSite(name);
  return { ...site, account: `A-${name}`, jurisdictions: [jurisdiction] };
};
const [a, b, c] = [siteIn('a', 'eu'), siteIn('b', 'eu'), siteIn('c', 'us')];

describe('homes that move', () => {
  let bus: MemoryBus;
  let homes: HomesStore;
  let keep: KeepHomes;
  let at: HomeWanted;
  let head: number;
  let copies: CopiesStore;
  let leased: boolean;
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureBucket(BUCKETS.homes);
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    const wanted = new WantedStore();
    for (const site of [a, b, c]) wanted.applySite({ ...PUT, key: site.name, value: site });
    homes = new HomesStore(bus);
    copies = new CopiesStore(wanted, new CopySetsStore(bus), new WrappedKeysStore(bus), homes);
    copies.apply({ ...PUT, key: 'shop.ledger', value: ledger });
    [head, leased] = [0, true];
    const records = new RecordsStore(bus, log);
    records.head = async () => await Promise.resolve(head);
    const epochs = [5, 1].map((sequence) => ({ sequence, mark: sequence }));
    records.allEpochs = async () => await Promise.resolve(epochs);
    const take = new TakeRecords(wanted, copies, records, bus, log);
    const users = new CopyUsersStore(wanted);
    const signs = new HomeSignsStore(wanted, new DeliveredStore(), users, copies);
    at = { site: 'a', owner: 1, losses: 0 };
    signs.wantedAt = () => at;
    signs.isLeaseOver = () => false;
    keep = new KeepHomes(copies, records, take, signs, log);
  });
  afterEach(async () => {
    keep.stop();
    await bus.close();
  });

  function start(asks: () => void = () => undefined): void {
    keep.start({ asks, tells: () => undefined, holdsLease: () => leased });
  }
  async function says(
    site: Site,
    store: string,
    more: Partial<CopiesRequest['held'][number]>,
  ): Promise<void> {
    const held = [{ ...ledgerAt, cursor: 0, unsent: 0, store, ...more }];
    await keep.heard(site, { held } satisfies CopiesRequest);
  }
  const ledgerAt = { project: 'shop', name: 'ledger', incarnation: 1, generation: 1 };
  async function until(holds: (home: DatasetHome | undefined) => boolean): Promise<DatasetHome | undefined> {
    const deadline = performance.now() + 10_000;
    while (!holds(homes.get(ledger))) {
      if (performance.now() > deadline) throw new Error(`it is ${JSON.stringify(homes.get(ledger))}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return homes.get(ledger);
  }
  /** Several looks later nothing has changed. */
  async function stays(): Promise<void> {
    const before = homes.get(ledger);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(homes.get(ledger)).toEqual(before);
  }
  async function atA(): Promise<void> {
    start();
    await until((home) => home?.site === 'a');
    await says(a, STORE, {});
    expect(homes.get(ledger)?.stores).toEqual([STORE]);
  }

  it('end at a site when its own copy says so, whatever another says of it', async () => {
    await atA();
    at = { site: 'b', owner: 2, losses: 0 };
    await until((home) => home?.closing === true);
    for (const site of [b, c]) await says(site, STORE, { ended: 1_000_000_000 });
    await stays();
    await says(a, STORE, { ended: 1, unsent: 3 });
    await says(a, 'fedcba9876543210', { ended: 1 });
    await stays();
    await says(a, STORE, { ended: 1 });
    expect(await until((home) => home?.site === 'b')).toMatchObject({ epoch: 2, stores: [] });
  });

  it('give the pen to no site that may not have the dataset', async () => {
    at = { site: 'c', owner: 1, losses: 0 };
    start();
    await until((home) => home?.site === 'c');
    await says(c, STORE, {});
    expect(homes.get(ledger)?.stores).toEqual([]);
  });

  it('give the pen to no copy whose place is one of a stream that has lost its newest since', async () => {
    head = 7;
    start();
    await until((home) => home?.site === 'a');
    for (const another of [{ streamEpoch: 1 }, { streamEpoch: 3 }, { streamEpoch: 5, cursor: 8 }])
      await says(a, STORE, { cursor: 7, ...another });
    expect(homes.get(ledger)?.stores).toEqual([]);
    await says(a, STORE, { cursor: 7, streamEpoch: 5 });
    expect(homes.get(ledger)?.stores).toEqual([STORE]);
  });

  it('ask a site once for all its copies, however many homes begin there', async () => {
    const names = Array.from({ length: 30 }, (_, n) => `ledger-${n}`);
    for (const name of names) copies.apply({ ...PUT, key: `shop.${name}`, value: { ...ledger, name } });
    let asked = 0;
    const sinceMs = performance.now();
    start(() => (asked += 1));
    await until(() => names.every((name) => homes.get({ ...ledger, name }) !== undefined));
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThanOrEqual(1 + (performance.now() - sinceMs) / 250);
  });

  it('give no more pens than one key has stores: the noun could not be read any more', async () => {
    await atA();
    const full = Array.from({ length: LIMITS.storesPerKey }, (_, n) => n.toString(16).padStart(16, '0'));
    const home = homes.get(ledger);
    if (home === undefined) throw new Error('no home');
    await homes.write({ ...home, stores: full }, homes.revisionOf(ledger));
    await says(a, STORE, {});
    expect(homes.get(ledger)?.stores).toEqual(full);
    const kept = await bus.bucket(BUCKETS.homes, (value) => value).get('shop.ledger');
    expect(kept?.value).toMatchObject({ stores: full });
  });

  it('are moved by nobody who may not write any more, and not by what was decided before another began', async () => {
    await atA();
    const other = new HomesStore(bus);
    const lies = async () =>
      await bus.bucket(BUCKETS.homes, (value) => datasetHomeSchema.parse(value)).get('shop.ledger');
    const before = await lies();
    if (before === undefined) throw new Error('no home');
    leased = false;
    at = { site: 'b', owner: 2, losses: 0 };
    await stays();
    other.apply({ ...PUT, key: 'shop.ledger', value: before.value, revision: before.revision });
    await other.writeAgain();
    // Decided before, and on its way until now.
    await expect(homes.write({ ...before.value, epoch: 2 }, before.revision)).rejects.toThrow(Conflict);
    expect((await lies())?.value).toEqual(before.value);
    // Who has heard of it from nobody writes over it all the same.
    await other.write({ ...before.value, closing: true }, other.revisionOf(ledger));
    await homes.writeAgain();
    expect(homes.get(ledger)).toMatchObject({ closing: true });
  });
});
