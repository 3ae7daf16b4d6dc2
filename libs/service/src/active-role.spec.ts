import { describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer, type Lease } from '@skerry/bus';
import { ActiveRole } from './active-role.js';
import { JsonLog } from './json-log.js';

/** A lease that is given and taken by hand. */
class GivenLease implements Lease {
  epoch: number | undefined;
  private told: Parameters<Lease['run']>[0] | undefined;

  run(told: Parameters<Lease['run']>[0]): void {
    this.told = told;
  }

  async give(epoch: number): Promise<void> {
    this.epoch = epoch;
    await this.told?.onAcquired(epoch);
  }

  async take(): Promise<void> {
    this.epoch = undefined;
    await this.told?.onLost();
  }

  async release(): Promise<void> {
    if (this.epoch !== undefined) await this.take();
  }
}

describe('the work of a lease', () => {
  it.each(['lost', 'given back'])(
    'stops once more when the lease was %s while it was starting',
    async (how) => {
      const bus = new MemoryBus(new MemoryServer());
      const lease = new GivenLease();
      bus.lease = () => lease;
      let goOn: () => void = () => undefined;
      const looked = new Promise<void>((resolve) => (goOn = resolve));
      let begin: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => (begin = resolve));
      const running = new Set<string>();
      const work = {
        start: async () => {
          running.add('first');
          begin();
          await looked;
          running.add('second');
        },
        stop: () => running.clear(),
      };
      const log = new JsonLog('trial', 'one', 'error', () => undefined);
      const role = new ActiveRole('trial', work, { bus, holder: 'one', log, knows: async () => undefined });
      role.run();
      const given = lease.give(1);
      await begun;
      await (how === 'lost' ? lease.take() : role.release());
      expect([...running]).toEqual([]);
      goOn();
      await given;
      expect([...running]).toEqual([]);
      await bus.close();
    },
  );
});
