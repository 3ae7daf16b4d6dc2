import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  BUCKETS,
  copySetSchema,
  exampleSite,
  HUB,
  logNewsSchema,
  type CopySet,
  type Dataset,
  type LogNews,
} from '@skerry/contracts';
import { JsonLog, type PlainMessage } from '@skerry/service';
import { datasetOf } from './dataset-of.suite.js';
import { ChosenLogs } from './chosen-logs.js';
import { AuditCopies } from './handlers/audit-copies.handler.js';
import { ChooseCopies } from './handlers/choose-copies.handler.js';
import { GiveCopies } from './handlers/give-copies.handler.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { TakeEntries } from './handlers/take-entries.handler.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopyAuditStore } from './stores/copy-audit.store.js';
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
const KEY = 'plant.heat';
/** Of the hub's stream: its newest message, its epoch, and how many entries of each site it has. */
const [HEAD, EPOCH, STORED] = [100, 7, 20];
/** Some 10 s. */
const LOOKS = 2_000;
const ref = { project: 'plant', name: 'heat', incarnation: 1 };
/** All that it has is at the hub, and all that the hub has is there. */
const SETTLED = { cursor: HEAD, streamEpoch: EPOCH, written: STORED };

const heat = (flow: string, more: Partial<Dataset> = {}): Dataset =>
  datasetOf(
    { ...ref, ...more },
    {
      type: 'log',
      log: { flow },
      copies: { min: 1, max: 1, keepMs: 0, match: [] },
      residency: { stay: ['eu'] },
    },
  );

describe('a log whose sites Skerry chooses', () => {
  let bus: MemoryBus;
  let wanted: WantedStore;
  let sets: CopySetsStore;
  let copies: CopiesStore;
  let choose: ChooseCopies;
  let give: GiveEntries;
  let giveCopies: GiveCopies;
  let take: TakeEntries;
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    await bus.ensureBucket(BUCKETS.copies);
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    wanted = new WantedStore();
    sets = new CopySetsStore(bus);
    copies = new CopiesStore(wanted, sets, new WrappedKeysStore(bus), new HomesStore(bus));
    const users = new CopyUsersStore(wanted);
    const entries = new EntriesStore(bus, log);
    Object.assign(entries, {
      head: async () => await Promise.resolve({ sequence: HEAD }),
      allEpochs: async () => await Promise.resolve([{ sequence: 1, mark: EPOCH }]),
      newestOf: async () => await Promise.resolve(STORED),
      append: async () => await Promise.resolve({ after: HEAD, upTo: HEAD, duplicate: false }),
    });
    const logs = new LogsStore(copies);
    const records = new RecordsStore(bus, log);
    choose = new ChooseCopies(copies, sets, users, records, log);
    give = new GiveEntries(wanted, logs, entries, bus, log);
    giveCopies = new GiveCopies(wanted, copies, records, bus, log);
    take = new TakeEntries(wanted, logs, entries, bus, log);
    for (const name of ['kiel', 'lyon', 'ohio']) {
      const jurisdictions = [name === 'ohio' ? 'us' : 'eu'];
      const value = { ...exampleSite(name, { jurisdictions }), account: `A-${name}` };
      wanted.applySite({ ...PUT, key: name, value });
      users.applyState({ ...PUT, key: name, value: { phase: 'ready', nodes: 1 } as never });
    }
    await bus
      .bucket(BUCKETS.copies, (value) => copySetSchema.parse(value))
      .follow((change) => void sets.apply(change));
    const audit = new AuditCopies(copies, new CopyAuditStore(bus, log));
    const chosenLogs = new ChosenLogs(choose, give, sets, audit);
    chosenLogs.begin();
    choose.start(() => undefined);
    take.start();
    await giveCopies.start();
    await give.start();
    chosenLogs.start();
  });
  afterEach(async () => {
    await choose.stop();
    await take.stop();
    give.stop();
    giveCopies.stop();
    await bus.close();
  });

  const known = (dataset: Dataset) => void copies.apply({ ...PUT, key: KEY, value: dataset });
  const put = async (list: CopySet['copies']) => {
    const set: CopySet = { kind: 'CopySet', ...ref, copies: list, updatedAt: AT };
    const bucket = bus.bucket(BUCKETS.copies, (value) => copySetSchema.parse(value));
    await bucket.put(KEY, set, (await bucket.get(KEY))?.revision ?? 0);
  };
  const chosen = async (...sites: string[]) => {
    await put(sites.map((site) => ({ site, since: AT, why: 'used', whole: true, unusedSince: AT })));
    await until((found) => found.join() === sites.join());
  };
  /** What a site is told that says how its log stands. */
  const says = async (name: string, more: object = SETTLED): Promise<LogNews> => {
    const held = [{ ...ref, generation: 1, store: STORE, ...more }];
    const answers: unknown[] = [];
    await give.greet(plain(name, { held }, answers));
    return logNewsSchema.parse(answers[0]);
  };
  const until = async (holds: (sites: string[]) => boolean): Promise<string[]> => {
    // Counted, not timed: a machine that stands still does nothing in that time.
    for (let looks = 0; looks < LOOKS; looks += 1) {
      const sites = sets.get(heat('mesh'))?.copies.map(({ site }) => site) ?? [];
      if (holds(sites)) return sites;
      await new Promise((tick) => setTimeout(tick, 5));
    }
    throw new Error('not so after 10 s');
  };
  const plain = (site: string, body: object, answers: unknown[]) =>
    ({
      subject: `hub.A-${site}.said`,
      json: () => body,
      reply: (answer: unknown) => void answers.push(answer),
    }) as PlainMessage;

  it('is at these alone: others neither write to it nor read it, from the moment that the choice is heard', async () => {
    known(heat('mesh'));
    await chosen('kiel');
    const isTaken = async (site: string) => {
      const answers: unknown[] = [];
      const entries = [{ number: STORED + 1, at: 1, value: 'v' }];
      const body = { ...ref, store: STORE, from: STORED + 1, upTo: STORED + 1, entries };
      await take.handle(plain(site, body, answers));
      return JSON.stringify(answers).includes('"ok":true');
    };
    expect([await isTaken('kiel'), await isTaken('lyon'), await isTaken('ohio')]).toEqual([
      true,
      false,
      false,
    ]);
    const isRead = async (site: string) => {
      const answers: unknown[] = [];
      await give.pull(plain(site, { ...ref, after: HEAD }, answers));
      return JSON.stringify(answers).includes('"ok":true');
    };
    expect([await isRead('lyon'), await isRead('ohio')]).toEqual([false, false]);
    expect((await says('kiel')).logs).toMatchObject([{ log: { name: 'heat' } }]);
  });

  it('has the sites asked that a choice is about, and none told that it has a copy of records', async () => {
    known(heat('mesh'));
    await chosen('kiel');
    const asked: string[] = [];
    const copied: string[] = [];
    for (const { name, account } of wanted.allSites()) {
      bus.listen(HUB.logNews(account), () => void asked.push(name));
      bus.listen(HUB.copyNews(account), () => void copied.push(name));
    }
    const before = sets.get(heat('mesh'));
    await chosen('lyon');
    const after = sets.get(heat('mesh'));
    if (after !== undefined) await giveCopies.chosen(before, after);
    for (let looks = 0; looks < LOOKS && asked.length < 2; looks += 1)
      await new Promise((tick) => setTimeout(tick, 5));
    expect([...new Set(asked)].toSorted()).toEqual(['kiel', 'lyon']);
    expect(copied).toEqual([]);
  });

  it.each(['mesh', 'collect', 'broadcast'])(
    'of flow %s is given up where nothing uses it once another is whole and the hub has every entry from there',
    async (flow) => {
      known(heat(flow));
      await chosen('kiel', 'lyon');
      // What is collected is read nowhere but at the centre.
      const settled = flow === 'collect' ? { cursor: 0, written: STORED } : SETTLED;
      await says('lyon', settled);
      await says('kiel', settled);
      const [stays = ''] = await until((sites) => sites.length === 1);
      const goes = stays === 'kiel' ? 'lyon' : 'kiel';
      expect((await says(goes, settled)).gone).toEqual([{ ...ref, ifSent: true, stored: STORED }]);
    },
  );

  it.each([
    ['has entries that the hub has not got, or has lost', { ...SETTLED, written: STORED + 1 }],
    [
      'does not say how many it has written, as agents of the version before',
      { ...SETTLED, written: undefined },
    ],
    ['has read what the hub has lost', { ...SETTLED, streamEpoch: EPOCH - 1 }],
  ])('is not given up by a site that %s: there it belongs to it', async (_what, stand) => {
    known(heat('mesh'));
    await chosen('kiel');
    expect(await says('lyon', stand)).toMatchObject({ logs: [], gone: [] });
    expect(await until((sites) => sites.length === 2)).toEqual(['kiel', 'lyon']);
    // It may send what the hub lacks.
    expect(await says('lyon', stand)).toMatchObject({ logs: [{ log: { name: 'heat' } }], gone: [] });
  });

  it.each([
    ['mesh', 'lacks entries of others', { cursor: HEAD - 1 }, { cursor: HEAD }],
    ['collect', 'has entries that the hub has not got', { written: STORED + 1 }, { written: STORED }],
  ])('of flow %s is not given up for one that %s', async (flow, _what, lacking, whole) => {
    known(heat(flow));
    await chosen('kiel', 'lyon');
    const only = sets.get(heat(flow))?.copies.map((copy) => ({ ...copy, whole: copy.site === 'kiel' }));
    await put(only ?? []);
    const lyon = { ...SETTLED, written: STORED + 1 };
    for (let times = 0; times < 3; times += 1) {
      await says('lyon', { ...lyon, ...lacking });
      await says('kiel');
      await new Promise((tick) => setTimeout(tick, 20));
    }
    expect(sets.get(heat(flow))?.copies).toHaveLength(2);
    await says('lyon', { ...lyon, ...whole });
    await says('kiel');
    await until((sites) => sites.length === 1);
  });

  it('goes at once from where a rule forbids it, sent or not, and from nowhere because it is not known', async () => {
    known(heat('mesh'));
    await chosen('kiel');
    expect((await says('ohio', { written: STORED + 5 })).gone).toEqual([ref]);
    expect((await says('lyon', { incarnation: 9 })).gone).toEqual([]);
  });

  it('that was everywhere before stays where it is until sites have said how it stands', async () => {
    known(heat('mesh', { generation: 2 }));
    expect(await says('lyon', { ...SETTLED, written: STORED + 1 })).toMatchObject({ logs: [], gone: [] });
    expect(await until((sites) => sites.length > 0)).toContain('lyon');
  });
});
