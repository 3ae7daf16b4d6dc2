import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { BUCKETS } from '@skerry/contracts';
import type { Bus, Lease } from '../bus.js';
import { until, type Meeting, type OpenMeeting } from './meeting.suite.js';

/** What every bus promises of leases. Shortest time to live, since every test waits for it. */
export function leaseSuite(open: OpenMeeting): void {
  describe('leases', () => {
    let meeting: Meeting;
    let buses: [Bus, Bus];
    beforeAll(async () => {
      meeting = await open();
      buses = [await meeting.open('one'), await meeting.open('two')];
      await buses[0].ensureBucket({ ...BUCKETS.leases, maxBytes: 1024 * 1024 });
    });
    afterAll(async () => {
      await meeting.close();
    });

    test('are held by one at a time, whose epoch stays while it renews', async () => {
      const [a, b] = candidates(buses, 'single');
      a.run();
      await until('one holds it', () => a.lease.epoch !== undefined);
      const { epoch } = a.lease;
      b.run();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      expect([a.lease.epoch, b.lease.epoch]).toEqual([epoch, undefined]);
      expect(a.log).toEqual([`acquired ${epoch}`]);
      expect(b.log).toEqual([]);
      await Promise.all([a.lease.release(), b.lease.release()]);
    });

    test('given back are taken over at once, with a higher epoch, after the holder has stopped', async () => {
      // With this life the next look comes after 10 s: too late to be taken for "at once" on a busy machine, too.
      const [a, b] = candidates(buses, 'given', { ttlMs: 30_000 });
      a.run();
      await until('one holds it', () => a.lease.epoch !== undefined);
      const first = a.lease.epoch ?? 0;
      b.run();
      // Let it look once in vain, so that it waits.
      await new Promise((resolve) => setTimeout(resolve, 100));
      const began = performance.now();
      await a.lease.release();
      expect(a.log).toEqual([`acquired ${first}`, 'lost']);
      await until('the other holds it', () => b.lease.epoch !== undefined);
      expect(performance.now() - began).toBeLessThan(8_000);
      expect(b.lease.epoch).toBeGreaterThan(first);
      await b.lease.release();
      expect(b.lease.epoch).toBeUndefined();
    });

    test('are lost by a holder that cannot renew before another gets them', async () => {
      const [a, b] = candidates(buses, 'cut');
      a.run();
      await until('one holds it', () => a.lease.epoch !== undefined);
      const first = a.lease.epoch ?? 0;
      b.run();
      // Renewed at least once, so that a renewal that forgot the time to live would show.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      expect(a.lease.epoch).toBe(first);
      const cutAt = performance.now();
      await meeting.cut(buses[0]);
      let both = false;
      await until('the other holds it', () => {
        both ||= a.lease.epoch !== undefined && b.lease.epoch !== undefined;
        return b.lease.epoch !== undefined;
      });
      expect(performance.now() - cutAt).toBeLessThan(8_000);
      expect(both).toBe(false);
      expect(a.log).toEqual([`acquired ${first}`, 'lost']);
      expect(b.lease.epoch).toBeGreaterThan(first);
      await meeting.heal(buses[0]);
      await Promise.all([a.lease.release(), b.lease.release()]);
    });

    test('are given back by a holder that cannot begin', async () => {
      const broken = buses[0].lease('broken', 'one');
      const [, b] = candidates(buses, 'broken');
      let lost = 0;
      broken.run({
        onAcquired: async () => {
          throw new Error('cannot begin');
        },
        onLost: () => {
          lost++;
        },
      });
      await until('it gives up', () => lost === 1);
      b.run();
      await until('the other holds it', () => b.lease.epoch !== undefined);
      expect(meeting.alarms.map((alarm) => alarm.what)).toContain('lease broken: onAcquired');
      await Promise.all([broken.release(), b.lease.release()]);
    });

    test('are tried for again only when what the lost one began has ended', async () => {
      const [a] = candidates(buses, 'ending');
      const log: string[] = [];
      const lease = buses[0].lease('ending', 'one');
      lease.run({
        onAcquired: async (epoch) => {
          log.push('begin');
          while (lease.epoch === epoch) await new Promise((resolve) => setTimeout(resolve, 10));
          await new Promise((resolve) => setTimeout(resolve, 50));
          log.push('end');
        },
        onLost: () => void log.push('lost'),
      });
      await until('held', () => lease.epoch !== undefined);
      await lease.release();
      expect(log).toEqual(['begin', 'lost', 'end']);
      a.run();
      await until('free for others', () => a.lease.epoch !== undefined);
      await a.lease.release();
    });

    test('refuse a life that is too short or not in whole seconds', () => {
      expect(() => buses[0].lease('x', 'one', { ttlMs: 1_000 })).toThrow('at least 2000');
      expect(() => buses[0].lease('x', 'one', { ttlMs: 2_500 })).toThrow('whole seconds');
      expect(() => buses[0].lease('x y', 'one')).toThrow('lease "x y"');
    });
  });
}

interface Candidate {
  lease: Lease;
  log: string[];
  run: () => void;
}

function candidates(buses: [Bus, Bus], name: string, options?: { ttlMs: number }): [Candidate, Candidate] {
  const [one, two] = buses;
  return [candidate(one.lease(name, 'one', options)), candidate(two.lease(name, 'two', options))];
}

function candidate(lease: Lease): Candidate {
  const log: string[] = [];
  const run = () =>
    lease.run({
      onAcquired: (epoch) => void log.push(`acquired ${epoch}`),
      onLost: () => void log.push('lost'),
    });
  return { lease, log, run };
}
