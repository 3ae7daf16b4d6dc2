import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { exampleSite, STREAMS, type Access, type Quota } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { DeliverAccess } from './handlers/deliver-access.handler.js';
import { AccessRulesStore } from './stores/access-rules.store.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';
import { DurablesStore } from './stores/durables.store.js';
import { SiteStores } from './stores/site-stores.js';
import { WantedStore } from './stores/wanted.store.js';

const AT = '2026-05-01T12:00:00.000Z';
const SITES = ['s1', 's2', 's3'];

describe('who may act at a site', () => {
  let bus: MemoryBus;
  let lines: string[];
  let delivered: DeliveredStore;
  let deliver: DeliverAccess;
  beforeEach(() => {
    bus = new MemoryBus(new MemoryServer());
    lines = [];
    const log = new JsonLog('replicator', '1', 'warn', (line) => lines.push(line));
    delivered = new DeliveredStore();
    const downlink = new DownlinkStore(delivered, bus, log);
    const wanted = new WantedStore();
    for (const name of SITES)
      wanted.applySite({ kind: 'put', key: name, value: exampleSite(name), revision: 1, headers: {}, at: 0 });
    const stores = new SiteStores(delivered, downlink, new DurablesStore(bus));
    deliver = new DeliverAccess(wanted, stores, new AccessRulesStore(), log);
  });
  afterEach(async () => {
    await deliver.stop();
    await bus.close();
  });

  const until = async (is: () => boolean) => {
    for (const end = Date.now() + 10_000; !is(); await new Promise((go) => setTimeout(go, 10)))
      if (Date.now() > end) throw new Error(`not so after 10 s: ${lines.join('')}`);
  };
  const quota = (project: string): Quota => ({ kind: 'Quota', project, replicas: 1 });
  const version = { term: 1, generation: 1, revision: 1 };

  it('is tried again later and later while it cannot be delivered, with one line for all sites', async () => {
    deliver.start();
    await until(() => lines.length === 2);
    expect(lines[0]).toContain('access of 3 sites');
    expect(lines[0]).toContain('in 1 s');
    expect(lines[1]).toContain('in 2 s');
    await bus.ensureStream(STREAMS.DL);
    deliver.soon();
    await until(() => SITES.every((name) => delivered.access(name) !== undefined));
  });

  it('goes with the quotas of projects that have something there, and is not sent to a site that holds it', async () => {
    await bus.ensureStream(STREAMS.DL);
    delivered.learn(
      {
        kind: 'Tombstone',
        site: 's1',
        project: 'gone',
        name: 'x',
        version,
        removedAt: AT,
        requestId: 'request-1',
      },
      1,
    );
    for (const project of ['gone', 'bank'])
      deliver.quota({ kind: 'put', key: project, value: quota(project), revision: 1, headers: {}, at: 0 });
    deliver.start();
    await until(() => delivered.access('s1') !== undefined);
    const access: Access | undefined = delivered.access('s1')?.access;
    expect(access).toMatchObject({ quotas: [], moreQuotas: true });
    expect(delivered.ofSiteItself('s1')).toHaveLength(1);
    expect(delivered.ofSiteItself('s1', access?.generation)).toEqual([]);
    expect(delivered.ofSiteItself('s1', 1)).toHaveLength(1);
  });
});
