import { afterEach, describe, expect, test } from '@jest/globals';
import { BUCKETS } from '@skerry/contracts';
import { done, type Bus } from '../bus.js';
import type { Clock } from '../clock.js';
import { bucketNamed, parseValue, streamNamed } from '../suite/meeting.suite.js';
import { MemoryBus } from './memory-bus.js';
import { MemoryServer } from './memory-server.js';

/** A clock that a test moves. */
class HandClock implements Clock {
  private at = 1_000_000;
  private readonly timers = new Set<{ at: number; act: () => void }>();

  now(): number {
    return this.at;
  }
  monotonic(): number {
    return this.at;
  }
  after(ms: number, act: () => void): () => void {
    const timer = { at: this.at + ms, act };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }
  /** Lets time pass for all but this process: no timer runs, as under SIGSTOP. */
  stop(ms: number): void {
    this.at += ms;
  }
  /** Lets time pass, running what is due in order. */
  async pass(ms: number): Promise<void> {
    const end = this.at + ms;
    for (;;) {
      await settled();
      const due = [...this.timers].filter((t) => t.at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.at = Math.max(this.at, due.at);
      due.act();
    }
    this.at = end;
    await settled();
  }
}
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('the bus in memory under a clock of the test', () => {
  let open: Bus[] = [];
  afterEach(async () => {
    open = [];
  });
  const setUp = () => {
    const clock = new HandClock();
    const server = new MemoryServer(clock);
    const join = () => {
      const bus = new MemoryBus(server);
      open.push(bus);
      return bus;
    };
    return { clock, join };
  };

  test('a holder that was stopped past its lease finds it expired before it does anything', async () => {
    const { clock, join } = setUp();
    const bus = join();
    await bus.ensureBucket(BUCKETS.leases);
    const lease = bus.lease('leader', 'one');
    const log: string[] = [];
    lease.run({ onAcquired: () => void log.push('acquired'), onLost: () => void log.push('lost') });
    await clock.pass(10);
    expect(lease.epoch).toBeDefined();
    clock.stop(1_700);
    expect(lease.epoch).toBeDefined();
    clock.stop(100);
    // No timer has run and no message has come: the clock alone tells.
    expect(lease.epoch).toBeUndefined();
    expect(log).toEqual(['acquired']);
    await clock.pass(0);
    expect(log[1]).toBe('lost');
  });

  test('a lease that is not renewed is free when its time is over, to the millisecond', async () => {
    const { clock, join } = setUp();
    const [one, two] = [join(), join()];
    await one.ensureBucket(BUCKETS.leases);
    const first = one.lease('leader', 'one');
    const second = two.lease('leader', 'two');
    const quiet = { onAcquired: () => undefined, onLost: () => undefined };
    first.run(quiet);
    await clock.pass(10);
    second.run(quiet);
    await clock.pass(10);
    one.cut();
    for (let ms = 0; ms < 2_500; ms += 10) {
      await clock.pass(10);
      expect([first.epoch, second.epoch].filter((e) => e !== undefined).length).toBeLessThan(2);
    }
    expect(first.epoch).toBeUndefined();
    expect(second.epoch).toBeGreaterThan(1);
  });

  test('what nobody answered is delivered again when its time is over, and days pass at once', async () => {
    const { clock, join } = setUp();
    const bus = join();
    await bus.ensureStream(streamNamed('DAYS', { maxAgeS: 86_400 }));
    await bus.ensureBucket(bucketNamed('aging', { maxAgeS: 3_600 }));
    const bucket = bus.bucket(bucketNamed('aging'), parseValue);
    await bucket.set('a', { n: 1 });
    await bus.publish('days.a', {});
    const deliveries: number[] = [];
    await bus.consume({ stream: 'DAYS', durable: 'd', app: 'x', ackWaitMs: 30_000 }, async (m) => {
      deliveries.push(m.deliveries);
      if (m.deliveries === 1) {
        // Its answer does not arrive.
        bus.cut();
        setImmediate(() => bus.heal());
      }
      return done;
    });
    await clock.pass(29_000);
    expect(deliveries).toEqual([1]);
    await clock.pass(2_000);
    expect(deliveries).toEqual([1, 2]);
    expect(await bucket.get('a')).toBeDefined();
    await clock.pass(3_600_000);
    expect(await bucket.get('a')).toBeUndefined();
    await clock.pass(86_400_000);
    expect(await bus.streamState('DAYS')).toMatchObject({ messages: 0, lastSequence: 1 });
  });

  test('a server that starts again without the last second has what there was before, and followers are told', async () => {
    const clock = new HandClock();
    const server = new MemoryServer(clock, { unsyncedMs: 1_000 });
    const bus = new MemoryBus(server);
    open.push(bus);
    await bus.ensureStream(streamNamed('LOST', { maxMessagesPerSubject: 1 }));
    await bus.publish('lost.kept', { n: 1 });
    await bus.publish('lost.changed', { n: 1 });
    await clock.pass(2_000);
    await bus.publish('lost.changed', { n: 2 });
    await bus.publish('lost.new', { n: 1 });
    const restarts: string[] = [];
    const heard: unknown[] = [];
    await bus.follow('LOST', (m) => void heard.push([m.subject, m.json()]), {
      onRestart: () => void restarts.push('restart'),
    });
    await clock.pass(500);
    bus.cut();
    server.rewind(1_000);
    heard.length = 0;
    bus.heal();
    await clock.pass(100);
    expect(restarts).toEqual(['restart']);
    expect(heard).toEqual([
      ['lost.kept', { n: 1 }],
      ['lost.changed', { n: 1 }],
    ]);
    expect((await bus.publish('lost.next', {})).sequence).toBe(3);
  });
});
