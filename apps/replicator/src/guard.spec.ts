import { expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { STREAMS, type Desired } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { GuardDownlink } from './handlers/guard-downlink.handler.js';
import { DeliveredStore } from './stores/delivered.store.js';
import { DownlinkStore } from './stores/downlink.store.js';

const KEY = 'shop.web';
const tombstone = (site: string): Desired => ({
  kind: 'Tombstone',
  site,
  project: 'shop',
  name: 'web',
  version: { term: 1, generation: 1, revision: 1 },
  removedAt: '2026-05-01T12:00:00.000Z',
  requestId: 'request-1',
});

it('forgets what another instance took out of DL while this one was not active', async () => {
  const bus = new MemoryBus(new MemoryServer());
  await bus.ensureStream(STREAMS.DL);
  const log = new JsonLog('replicator', '1', 'error', () => undefined);
  const delivered = new DeliveredStore();
  const downlink = new DownlinkStore(delivered, bus, log);
  const guard = new GuardDownlink(delivered, downlink, { guardEveryMs: 60_000 }, log);
  const writers = { pause: async () => undefined, resume: async () => undefined };
  await guard.start(writers);
  await downlink.put(tombstone('s1'), 0);
  await downlink.put(tombstone('s2'), 0);
  expect([...delivered.ofWorkload(KEY).keys()]).toEqual(['s1', 's2']);
  await guard.stop();
  await downlink.drop(1);
  await guard.start(writers);
  expect([...delivered.ofWorkload(KEY).keys()]).toEqual(['s2']);
  expect(delivered.highestSeen).toBe(2);
  await guard.stop();
  await bus.close();
});
