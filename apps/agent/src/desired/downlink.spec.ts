import { expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { desiredSubject, SITE_STREAMS } from '@skerry/contracts';
import { makeLog, type Log } from '../log.js';
import { assignment } from '../site-under-test.suite.js';
import { Downlink } from './downlink.js';

const SILENT: Log = { ...makeLog('error'), error: () => undefined };

it('says that an object could not be kept: it does not come again by itself', async () => {
  const bus = new MemoryBus(new MemoryServer());
  await bus.ensureStream({
    name: SITE_STREAMS.DESIRED,
    subjects: ['desired.>'],
    owner: 'agent',
    maxBytes: 1_000_000,
    discard: 'new',
    duplicateWindowS: 120,
  });
  let taken = 0;
  const lost = new Promise<void>((onLost) => {
    const take = async () => {
      taken += 1;
      if (taken === 2) throw new Error('the disk is full');
    };
    const downlink = new Downlink(bus, { account: 'A', replicas: 1, take, onLost, log: SILENT });
    void downlink
      .follow()
      .then(() => bus.publish(desiredSubject('s1', 'shop', 'web'), assignment('web')))
      .then(() => bus.publish(desiredSubject('s1', 'shop', 'api'), assignment('api')));
  });
  await lost;
  expect(taken).toBe(2);
  await bus.close();
});
