import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { entryDeliverySchema, exampleSite, HUB, STREAMS, type LogItem } from '@skerry/contracts';
import { following, type Reached } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { datasetOf } from './dataset-of.suite.js';
import { CentreNumbers } from './handlers/centre-numbers.js';
import { TakeEntries } from './handlers/take-entries.handler.js';
import { CopiesStore } from './stores/copies.store.js';
import { CopySetsStore } from './stores/copy-sets.store.js';
import { EntriesStore } from './stores/entries.store.js';
import { HomesStore } from './stores/homes.store.js';
import { LogsStore } from './stores/logs.store.js';
import { answerNewest } from './stores/newest-of-memory.suite.js';
import { WantedStore } from './stores/wanted.store.js';
import { WrappedKeysStore } from './stores/wrapped-keys.store.js';

const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const LOST_MS = 60_000;
const NEWS = datasetOf({ project: 'plant', name: 'news' }, { type: 'log', log: { flow: 'broadcast' } });

describe('what people append to a log that goes to the sites', () => {
  let server: MemoryServer;
  let bus: MemoryBus;
  let wanted: WantedStore;
  let take: TakeEntries;
  let site: { items: LogItem[]; reached: Reached };
  beforeEach(async () => {
    server = new MemoryServer(undefined, { unsyncedMs: LOST_MS });
    bus = new MemoryBus(server);
    wanted = new WantedStore();
    const value = { ...exampleSite('kiel', {}), account: 'A-kiel' };
    wanted.applySite({ ...PUT, key: 'kiel', value });
    await bus.ensureStream(STREAMS.LOGS);
    answerNewest(bus, server, STREAMS.LOGS.name);
    site = { items: [], reached: {} };
    bus.listen(HUB.entryDelivery('A-kiel'), (m) => {
      const { items, reached } = following(site.reached, entryDeliverySchema.parse(m.json()).items, {
        fresh: false,
      });
      site = { items: [...site.items, ...items], reached };
    });
    take = await instance();
  });
  afterEach(async () => {
    await take.stop();
    await bus.close();
  });

  async function instance(): Promise<TakeEntries> {
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    const sets = new CopySetsStore(bus);
    const copies = new CopiesStore(wanted, sets, new WrappedKeysStore(bus), new HomesStore(bus));
    copies.apply({ ...PUT, key: 'plant.news', value: NEWS });
    const entries = new EntriesStore(bus, log);
    await entries.begin();
    return new TakeEntries(wanted, new LogsStore(copies), entries, bus, log);
  }

  const append = async (value: string, id = value) => await take.fromCentre(NEWS, [value], id);
  const read = async () => {
    await new Promise((go) => setImmediate(go));
    return site.items.map((item) => ('gap' in item ? 'a gap' : item.value));
  };

  it('goes on under one name, once for each request, while the hub has all of it', async () => {
    await append('one');
    await append('two');
    await append('two');
    bus.cut();
    bus.heal();
    await append('three');
    expect(await read()).toEqual(['one', 'two', 'three']);
    expect(Object.values(site.reached)).toEqual([3]);
  });

  it('comes to a site that has read what the hub has lost since', async () => {
    await append('one');
    await append('two');
    bus.cut();
    server.rewind(LOST_MS);
    bus.heal();
    await append('after');
    await append('and after that');
    expect(await read()).toEqual(['one', 'two', 'after', 'and after that']);
  });

  it('comes to a site that has read what the hub has lost, also when another instance writes since', async () => {
    await append('one');
    await append('two');
    await take.stop();
    server.rewind(LOST_MS);
    take = await instance();
    await append('after');
    expect(await read()).toEqual(['one', 'two', 'after']);
  });

  it('is numbered anew after nobody could say what had become of the last', async () => {
    const numbers = new CentreNumbers();
    const next = async () => await numbers.next(NEWS, async () => await Promise.resolve(0));
    const first = await next();
    const second = await next();
    expect(second.origin).not.toBe(first.origin);
    numbers.stored(NEWS, second.origin, 0);
    expect(await next()).toEqual({ origin: second.origin, from: 1 });
  });
});
