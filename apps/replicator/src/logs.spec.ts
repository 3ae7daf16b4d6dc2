import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { exampleSite, HUB, type Dataset, type LogItem } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { datasetOf } from './dataset-of.suite.js';
import { GiveEntries } from './handlers/give-entries.handler.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { EntriesStore } from './stores/entries.store.js';
import { HomesStore } from './stores/homes.store.js';
import { LogsStore } from './stores/logs.store.js';
import { WantedStore } from './stores/wanted.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const STORE = '00000000000000aa';
const SITES = { kiel: ['eu'], lyon: ['eu'], ohio: ['us'] };

const heat = (generation: number, spec: object): Dataset =>
  datasetOf({ project: 'plant', name: 'heat', generation }, { type: 'log', log: { flow: 'mesh' }, ...spec });

describe('logs at the hub', () => {
  let bus: MemoryBus;
  let wanted: WantedStore;
  let copies: CopiesStore;
  let logs: LogsStore;
  let give: GiveEntries;
  beforeEach(async () => {
    bus = new MemoryBus(new MemoryServer());
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    wanted = new WantedStore();
    const keys = new WrappedKeysStore(bus);
    copies = new CopiesStore(wanted, new CopySetsStore(bus), keys, new HomesStore(bus));
    logs = new LogsStore(copies);
    for (const [name, jurisdictions] of Object.entries(SITES)) {
      const value = { ...exampleSite(name, { jurisdictions }), account: `A-${name}` };
      wanted.applySite({ ...PUT, key: name, value });
    }
    give = new GiveEntries(wanted, logs, new EntriesStore(bus, log), bus, log);
    await give.start();
  });
  afterEach(async () => {
    give.stop();
    await bus.close();
  });

  const siteOf = (name: string) => {
    const site = wanted.site(name);
    if (site === undefined) throw new Error(`no site ${name}`);
    return site;
  };
  const apply = (dataset: Dataset) => {
    copies.apply({ ...PUT, key: 'plant.heat', value: dataset });
    return dataset;
  };

  it('give a site what was written in its area, and of another what the rule keeps of it, by the site that it came through', () => {
    const origin = { among: ['eu', 'us'], elsewhere: { keep: ['room'] } };
    const dataset = apply(heat(1, { residency: { origin } }));
    const entry = (site: string, number: number): LogItem => {
      const value = JSON.stringify({ room: number, who: `somebody in ${site}` });
      return { origin: `${site}.${STORE}`, number, at: 1, value };
    };
    const gap = { gap: { origin: `ohio.${STORE}`, from: 1, to: 1 } };
    const items = [entry('kiel', 1), gap, entry('ohio', 2), entry('nowhere', 1)];
    const redacted = { ...entry('ohio', 2), value: '{"room":2}', area: 'us' };
    expect(logs.givenTo(dataset, siteOf('lyon'), items)).toEqual([entry('kiel', 1), redacted]);
    const there = [{ ...entry('kiel', 1), value: '{"room":1}', area: 'eu' }, gap, entry('ohio', 2)];
    expect(logs.givenTo(dataset, siteOf('ohio'), items)).toEqual(there);
    expect(logs.ruleFor(dataset, siteOf('ohio')).area).toBe('us');
  });

  it('have the sites that have one, or had it, asked again later: a lost word leaves none where it may not be', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    try {
      const asked: string[] = [];
      for (const { name, account } of wanted.allSites())
        bus.listen(HUB.logNews(account), () => void asked.push(name));
      const before = apply(heat(1, { residency: { stay: ['eu'] } }));
      await give.changed(undefined, before);
      await give.changed(before, apply(heat(2, { copies: { at: 'matching', sites: ['kiel'] } })));
      await new Promise((go) => setImmediate(go));
      asked.length = 0;
      jest.advanceTimersByTime(20_000);
      await new Promise((go) => setImmediate(go));
      expect(asked.toSorted()).toEqual(['kiel', 'kiel', 'kiel', 'lyon', 'lyon', 'lyon']);
    } finally {
      jest.useRealTimers();
    }
  });
});
