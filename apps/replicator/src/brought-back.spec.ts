import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Conflict, MemoryBus, MemoryServer } from '@skerry/bus';
import {
  BUCKETS,
  copyNewsSchema,
  copySetSchema,
  exampleSite,
  HUB,
  logNewsSchema,
  type CopyNews,
  type CopySet,
  type Dataset,
  type OfferedKey,
  type Wrap,
} from '@skerry/contracts';
import { JsonLog, type PlainMessage } from '@skerry/service';
import { datasetOf } from './dataset-of.suite.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { KeepKeys } from './handlers/keep-keys.handler.js';
import { TakeEntries } from './handlers/take-entries.handler.js';
import { TakeRecords } from './handlers/take-records.handler.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { CopyUsersStore } from './stores/copy-users.store.js';
import { EntriesStore } from './stores/entries.store.js';
import { HomesStore } from './stores/homes.store.js';
import { LogsStore } from './stores/logs.store.js';
import { RecordsStore } from './stores/records.store.js';
import { WantedStore } from './stores/wanted.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

const AT = '2026-05-01T12:00:00.000Z';
const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const STORE = '0123456789abcdef';
/** Of the stream as it is now, and as it was before the hub lost it. */
const [NOW, BEFORE] = [7, 3];
const HEAD = 100;
/** Some 10 s. */
const LOOKS = 2_000;
const ref = { project: 'shop', name: 'cart', incarnation: 1 };
const UNKNOWN = [ref];

const cart = (spec: object, more: Partial<Dataset> = {}): Dataset =>
  datasetOf({ ...ref, recovered: true, ...more }, { type: 'keyvalue', ...spec });

describe('a dataset that sites brought back', () => {
  let bus: MemoryBus;
  let copies: CopiesStore;
  let sets: CopySetsStore;
  let wanted: WantedStore;
  let keys: WrappedKeysStore;
  let choose: ChooseCopies;
  let give: GiveCopies;
  let entries: GiveEntries;
  let keep: KeepKeys;
  let takeRecords: TakeRecords;
  let takeEntries: TakeEntries;
  let asked: string[];
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    for (const bucket of [BUCKETS.copies, BUCKETS.dataKeys]) await bus.ensureBucket(bucket);
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    wanted = new WantedStore();
    [sets, keys, asked] = [new CopySetsStore(bus), new WrappedKeysStore(bus), []];
    copies = new CopiesStore(wanted, sets, keys, new HomesStore(bus));
    const users = new CopyUsersStore(wanted);
    const records = new RecordsStore(bus, log);
    const stream = {
      head: async () => await Promise.resolve(HEAD),
      allEpochs: async () => await Promise.resolve([{ sequence: 1, mark: NOW }]),
      newestOf: async () => await Promise.resolve(0),
      append: async () => await Promise.resolve(HEAD),
    };
    Object.assign(records, stream);
    const logged = new EntriesStore(bus, log);
    Object.assign(logged, stream, {
      head: async () => await Promise.resolve({ sequence: HEAD }),
      append: async () => await Promise.resolve({ after: HEAD, upTo: HEAD, duplicate: false }),
    });
    const logs = new LogsStore(copies);
    takeRecords = new TakeRecords(wanted, copies, records, bus, log);
    takeEntries = new TakeEntries(wanted, logs, logged, bus, log);
    takeRecords.start();
    takeEntries.start();
    choose = new ChooseCopies(copies, sets, users, records, log);
    give = new GiveCopies(wanted, copies, records, bus, log);
    entries = new GiveEntries(wanted, logs, logged, bus, log);
    keep = new KeepKeys(wanted, copies, keys, log);
    for (const name of ['a', 'b', 'c', 'd', 'abroad']) {
      const jurisdictions = [name === 'abroad' ? 'us' : 'eu'];
      const site = { ...exampleSite(name, { jurisdictions }), account: `A-${name}` };
      wanted.applySite({ ...PUT, key: name, value: site });
      users.applyState({ ...PUT, key: name, value: { phase: 'ready', nodes: 1 } as never });
    }
    await bus
      .bucket(BUCKETS.copies, (value) => copySetSchema.parse(value))
      .follow((change) => void sets.apply(change));
    keep.start(() => undefined);
    give.onSealed((dataset, site, store) => keep.newsOf(dataset, site, store));
    give.onHeld(async (site, request) => {
      await keep.heard(site, request);
      await choose.heard(site, request);
    });
    await give.start();
    await entries.start();
  });
  afterEach(async () => {
    await choose.stop();
    give.stop();
    entries.stop();
    keep.stop();
    await takeRecords.stop();
    await takeEntries.stop();
    await bus.close();
  });

  const start = () => choose.start((site) => asked.push(site));
  const known = (dataset: Dataset) => void copies.apply({ ...PUT, key: 'shop.cart', value: dataset });
  /** What a site is told that says what it holds: a copy in the stream that was, of which it takes all for sent. */
  const says = async (name: string, more: object = {}, request: object = {}): Promise<CopyNews> => {
    const held = [
      { ...ref, generation: 1, cursor: 40, streamEpoch: BEFORE, unsent: 0, store: STORE, ...more },
    ];
    return copyNewsSchema.parse(await ask(`A-${name}`, give, { store: STORE, held, ...request }));
  };
  const until = async (holds: (set: CopySet | undefined) => boolean): Promise<CopySet | undefined> => {
    // Counted, not timed: a machine that stands still does nothing in that time.
    for (let looks = 0; looks < LOOKS; looks += 1) {
      const set = sets.get(cart({}));
      if (holds(set)) return set;
      await new Promise((tick) => setTimeout(tick, 5));
    }
    throw new Error(`not so after 10 s: ${JSON.stringify(sets.get(cart({})))}`);
  };
  const sitesIn = (set: CopySet | undefined) => set?.copies.map(({ site }) => site);

  it('has its copies where sites have them, and not fewer: who else would be chosen waits until they have said so', async () => {
    known(cart({ copies: { max: 2, keepMs: 0 }, residency: { stay: ['eu'] } }));
    start();
    await until(() => asked.length > 0);
    expect(asked).toEqual(['a', 'b', 'c', 'd', 'abroad']);
    for (const site of ['b', 'c', 'd', 'abroad']) await says(site);
    const set = await until((found) => found !== undefined);
    // More than `max`, since each may hold what no other does; and none where the rule does not let one be.
    expect(sitesIn(set)).toEqual(['b', 'c', 'd']);
    // Each has sent what the hub lacked and has read all again.
    for (const site of ['b', 'c', 'd']) await says(site, { cursor: HEAD, streamEpoch: NOW });
    const whole = await until((found) => found?.copies.every((copy) => copy.whole) === true);
    expect(sitesIn(whole)).toEqual(['b', 'c', 'd']);
  });

  it('has no copy for whole that waits for keys: it may have passed over what it cannot open', async () => {
    known(cart({ copies: { max: 2, keepMs: 0 } }));
    start();
    await until(() => asked.length > 0);
    for (const site of ['b', 'c']) await says(site);
    await until((found) => found !== undefined);
    const all = { cursor: HEAD, streamEpoch: NOW };
    await says('b', all);
    await says('c', { ...all, partial: true });
    const wholeAt = (set: CopySet | undefined) =>
      set?.copies.flatMap(({ site, whole }) => (whole ? [site] : [])).join();
    await until((found) => wholeAt(found) === 'b');
    await says('c', all);
    expect(wholeAt(await until((found) => wholeAt(found) !== 'b'))).toBe('b,c');
  });

  it('has who has a copy asked once that is chosen: the hub may lack what was sent from there', async () => {
    known(cart({ copies: { max: 1 } }));
    const told: CopyNews[] = [];
    bus.listen(HUB.copyNews('A-b'), (m) => void told.push(copyNewsSchema.parse(m.json())));
    const chosen = { ...ref, kind: 'CopySet' as const, updatedAt: AT };
    const set = { ...chosen, copies: [{ site: 'b', since: AT, why: 'it was there', whole: false }] };
    sets.apply({ ...PUT, key: 'shop.cart', value: set });
    give.answered('b');
    await give.chosen(undefined, set);
    for (const end = Date.now() + 10_000; told.length < 2; await new Promise((tick) => setTimeout(tick, 5)))
      if (Date.now() > end) throw new Error('not asked within 10 s');
    expect(told[0]?.copies).toMatchObject([{ copy: { name: 'cart' } }]);
    expect(told[1]).toEqual({ copies: [], gone: [] });
  });

  it('keeps no more of its copies than it says once somebody has applied it', async () => {
    const rule = { copies: { min: 2, keepMs: 0 } };
    known(cart(rule));
    start();
    await until(() => asked.length > 0);
    for (const site of ['b', 'c', 'd']) await says(site);
    await until((found) => found !== undefined);
    known(cart(rule, { generation: 2, recovered: undefined }));
    for (const site of ['b', 'c', 'd']) await says(site, { cursor: HEAD, streamEpoch: NOW });
    expect((await until((found) => found?.copies.length === 2))?.copies[0]).not.toHaveProperty('found');
  });

  it.each([
    ['that sites brought back', { recovered: true }],
    ['that the backup knew', { recovered: undefined }],
  ])(
    'has a copy of who comes later too, %s: what was sent from there the hub may have lost',
    async (_what, more) => {
      known(cart({ copies: { max: 1, keepMs: 0 } }, more));
      const chosen = { ...ref, kind: 'CopySet' as const, updatedAt: AT };
      const value = { ...chosen, copies: [{ site: 'a', since: AT, why: 'used', whole: true }] };
      await bus.bucket(BUCKETS.copies, (found) => copySetSchema.parse(found)).put('shop.cart', value, 0);
      await until((found) => found !== undefined);
      start();
      expect(await says('b')).toMatchObject({ copies: [], gone: [] });
      expect(sitesIn(await until((found) => found?.copies.length === 2))).toEqual(['a', 'b']);
      const [told] = (await says('b')).copies;
      expect(told).toMatchObject({ again: true, stored: 0 });
      // Nothing that was read of the stream as it is now is lost.
      expect((await says('c', { streamEpoch: NOW })).gone).toMatchObject([{ name: 'cart', ifSent: true }]);
    },
  );

  it('is looked at again until its choice is written: what sites have said is not forgotten', async () => {
    known(cart({ copies: { max: 1 } }));
    const write = sets.write.bind(sets);
    let written = 0;
    sets.write = async (set) => {
      if ((written += 1) <= 3) throw new Conflict('somebody else wrote at the same time');
      await write(set);
    };
    start();
    await until(() => asked.length > 0);
    await says('b');
    expect(sitesIn(await until((found) => found !== undefined))).toEqual(['b']);
    await says('b', { cursor: HEAD, streamEpoch: NOW });
    written = 0;
    await says('c');
    expect(sitesIn(await until((found) => found?.copies.length === 2))).toEqual(['b', 'c']);
  });

  it('is said to be unknown to who has it as it was changed since, and not said as it was before', async () => {
    known(cart({}));
    expect(await says('a')).toMatchObject({ copies: [{ copy: { generation: 1 } }] });
    expect(await says('b', { generation: 2 })).toMatchObject({ copies: [], unknown: UNKNOWN });
    expect(await says('b', { generation: 5, incarnation: 4 })).toMatchObject({
      copies: [],
      unknown: [{ ...ref, incarnation: 4 }],
    });
    // Where it was allowed since, it is not taken away by what was before.
    known(cart({ residency: { stay: ['eu'] } }));
    expect(await says('abroad', { generation: 2 })).toMatchObject({ gone: [], unknown: UNKNOWN });
    expect(await says('abroad')).toMatchObject({ gone: UNKNOWN });
    known(cart({}, { recovered: undefined }));
    expect(await says('b', { generation: 2 })).not.toHaveProperty('unknown');
  });

  it('so is a log', async () => {
    known(cart({ type: 'log', log: { flow: 'broadcast' } }));
    const heldAt = async (generation: number) =>
      logNewsSchema.parse(await ask('A-a', entries, { held: [{ ...ref, generation }] }));
    expect(await heldAt(1)).toMatchObject({ logs: [{ log: { flow: 'broadcast' } }] });
    expect(await heldAt(2)).toMatchObject({ logs: [], unknown: UNKNOWN });
    known(cart({ type: 'log', residency: { stay: ['us'] } }));
    expect(await heldAt(2)).toMatchObject({ gone: [], unknown: UNKNOWN });
    expect(await heldAt(1)).toMatchObject({ gone: UNKNOWN });
  });

  it.each([
    ['a dataset', { type: 'keyvalue' }],
    ['a log', { type: 'log', log: { flow: 'mesh' } }],
  ])(
    'takes of %s nothing from where it may be of a later generation, by which others may have it',
    async (_what, spec) => {
      const isLog = spec.type === 'log';
      const isTaken = async (name: string) => {
        const by = `${name}.${STORE}`;
        const record = { key: 'k', write: 1, state: { rule: 'newest', at: [1, 0], by, value: 'v' } };
        const entry = { number: 1, at: 1, value: 'v' };
        const body = isLog ? { from: 1, upTo: 1, entries: [entry] } : { records: [record] };
        const answers: unknown[] = [];
        await (isLog ? takeEntries : takeRecords).handle(
          plain(`A-${name}`, { ...ref, store: STORE, ...body }, answers),
        );
        return answers.some((answer) => JSON.stringify(answer).includes('"ok":true'));
      };
      const holds = async (name: string, generation: number) =>
        await ask(`A-${name}`, isLog ? entries : give, {
          held: [{ ...ref, generation, cursor: 0, store: STORE, ...(isLog ? {} : { unsent: 1 }) }],
        });
      known(cart(spec));
      give.answered('a');
      const heard: unknown[] = [];
      bus.listen((isLog ? HUB.logNews : HUB.copyNews)('A-a'), (m) => void heard.push(m.json()));
      expect(await isTaken('a')).toBe(false);
      for (let looks = 0; looks < LOOKS && heard.length === 0; looks += 1)
        await new Promise((tick) => setTimeout(tick, 5));
      expect(heard).toHaveLength(1);
      await holds('a', 1);
      await holds('b', 2);
      expect([await isTaken('a'), await isTaken('b')]).toEqual([true, false]);
      known(cart(spec, { generation: 2 }));
      expect([await isTaken('a'), await isTaken('b'), await isTaken('c')]).toEqual([true, true, false]);
      known(cart(spec, { generation: 3, recovered: undefined }));
      expect(await isTaken('c')).toBe(true);
    },
  );

  it('is opened with the keys that sites have, and sealed with another: who had them before is not known', async () => {
    known(cart({ encryption: { at: 'site' } }));
    const [lost, fresh] = ['a'.repeat(32), 'b'.repeat(32)];
    await says(
      'a',
      {},
      { sealing: { offers: [offer('a', lost, ['a', 'b'], true), offer('a', fresh, ['a'])] } },
    );
    const told = (await says('a', {}, { sealing: {} })).copies[0]?.sealing?.keys;
    expect(told?.map(({ id, over, wrap }) => [id, over, wrap?.site])).toEqual([
      [lost, true, 'a'],
      [fresh, undefined, 'a'],
    ]);
    expect([lost, fresh].map((id) => copies.maySeal(cart({}), id))).toEqual([false, true]);
    // Who has it wraps it for who has not.
    await says('b', {}, { sealing: { offers: [offer('b', lost, ['c'], true)] } });
    const wraps = keys.get(ref, lost)?.wraps.map(({ site }) => site);
    expect(wraps).toEqual(['a', 'b', 'c']);
  });
});

async function ask(account: string, of: GiveCopies | GiveEntries, body: object): Promise<unknown> {
  const answers: unknown[] = [];
  await of.greet(plain(account, body, answers));
  return answers[0];
}

const plain = (account: string, body: object, answers: unknown[]) =>
  ({
    subject: `hub.${account}.said`,
    json: () => body,
    reply: (answer: unknown) => void answers.push(answer),
  }) as PlainMessage;

function offer(by: string, id: string, sites: readonly string[], again = false): OfferedKey {
  const wraps = sites.map((site): Wrap => ({
    site,
    store: STORE,
    ephemeral: 'e'.repeat(43),
    box: 'b'.repeat(80),
    by,
    identity: `U${'A'.repeat(55)}`,
    signature: 's'.repeat(86),
  }));
  return { ...ref, id, area: '*', wraps, ...(again ? { again } : {}) };
}
