import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { done, reject, retry, type Bus, type ConsumeOptions, type StoredMessage } from '../bus.js';
import { DeadLetters } from '../dead-letters.js';
import { DEAD, gate, streamNamed, until, type Meeting, type OpenMeeting } from './meeting.suite.js';

/** What every bus promises of durable consumption. */
export function consumeSuite(open: OpenMeeting): void {
  describe('consuming', () => {
    let meeting: Meeting;
    let bus: Bus;
    beforeAll(async () => {
      meeting = await open();
      bus = await meeting.open('consumer');
      await bus.ensureStream(streamNamed('WORK', { retention: 'workqueue' }));
      await bus.ensureStream(streamNamed('LOG'));
    });
    afterAll(async () => {
      await meeting.close();
    });
    const work = (durable: string, more: Partial<ConsumeOptions> = {}): ConsumeOptions => ({
      stream: 'WORK',
      durable,
      app: 'tester',
      filters: [`work.${durable}.>`],
      ...more,
    });
    const left = async () => (await bus.streamState('WORK'))?.messages;

    test('takes what is done out of a work queue', async () => {
      const seen: unknown[] = [];
      const consumption = await bus.consume(work('simple'), async (m) => {
        seen.push([m.subject, m.json(), m.deliveries]);
        return done;
      });
      await bus.publish('work.simple.a', { n: 1 });
      await bus.publish('work.simple.b', { n: 2 });
      await until('both handled', () => seen.length === 2);
      await until('the queue is empty', async () => (await left()) === 0);
      expect(seen).toEqual([
        ['work.simple.a', { n: 1 }, 1],
        ['work.simple.b', { n: 2 }, 1],
      ]);
      await consumption.drain();
    });

    test('hears what was published before it began, and hears it once over instances that follow one another', async () => {
      await bus.publish('work.later.a', { n: 1 });
      const seen: number[] = [];
      const count = async (m: StoredMessage) => {
        seen.push(m.sequence);
        return done;
      };
      const first = await bus.consume(work('later'), count);
      await until('heard', () => seen.length === 1);
      await first.drain();
      await bus.publish('work.later.b', { n: 2 });
      const second = await bus.consume(work('later'), count);
      await until('heard too', () => seen.length === 2);
      await second.drain();
      expect(new Set(seen).size).toBe(2);
    });

    test('brings back what is to be retried, not before its time, counting deliveries', async () => {
      const at: number[] = [];
      const deliveries: number[] = [];
      const consumption = await bus.consume(work('retry'), async (m) => {
        at.push(performance.now());
        deliveries.push(m.deliveries);
        return m.deliveries < 3 ? retry({ afterMs: 150 }) : done;
      });
      await bus.publish('work.retry.a', {});
      await until('the third delivery', () => deliveries.length === 3);
      await consumption.drain();
      expect(deliveries).toEqual([1, 2, 3]);
      for (const n of [1, 2]) expect((at[n] ?? 0) - (at[n - 1] ?? 0)).toBeGreaterThan(140);
    });

    test('brings back what a handler threw at, with an alarm each time', async () => {
      const consumption = await bus.consume(work('throw', { backoffMs: [20] }), async (m) => {
        if (m.deliveries < 3) throw new Error('a bug');
        return done;
      });
      const { sequence } = await bus.publish('work.throw.a', {});
      const mine = () => meeting.alarms.filter((a) => a.what === `handle WORK ${sequence} for throw`);
      await until('two alarms', () => mine().length === 2);
      await until('done at last', async () => (await bus.message('WORK', sequence)) === undefined);
      expect(mine()).toHaveLength(2);
      await consumption.drain();
    });

    deadLetterTests(() => ({ bus, meeting, work }));
    orderTests(() => ({ bus, meeting, work }));

    test('begins with the newest of each subject, or with what comes next, where asked to', async () => {
      for (const n of [1, 2, 3]) await bus.publish('log.a', { n });
      await bus.publish('log.b', { n: 4 });
      const collect = async (durable: string, from: 'all' | 'last' | 'new') => {
        const seen: unknown[] = [];
        const options = { stream: 'LOG', durable, app: 'tester', from };
        const consumption = await bus.consume(options, async (m) => {
          seen.push(m.json());
          return done;
        });
        return { seen, consumption };
      };
      const [all, last, fresh] = [
        await collect('all', 'all'),
        await collect('last', 'last'),
        await collect('new', 'new'),
      ];
      await bus.publish('log.a', { n: 5 });
      const has5 = ({ seen }: { seen: unknown[] }) => seen.some((v) => JSON.stringify(v) === '{"n":5}');
      await until('all are there', () => [all, last, fresh].every(has5));
      expect(all.seen).toHaveLength(5);
      expect(last.seen).toHaveLength(3);
      expect(last.seen).toEqual(expect.arrayContaining([{ n: 3 }, { n: 4 }, { n: 5 }]));
      expect(fresh.seen).toEqual([{ n: 5 }]);
      await Promise.all([all, last, fresh].map((c) => c.consumption.drain()));
    });

    test('hears other subjects when its durable is given others', async () => {
      const options = (subject: string) => ({
        stream: 'LOG',
        durable: 'changing',
        app: 'tester',
        filters: [subject],
      });
      const seen: string[] = [];
      const note = async (m: StoredMessage) => {
        seen.push(m.subject);
        return done;
      };
      await (await bus.consume(options('log.one.>'), note)).drain();
      const consumption = await bus.consume(options('log.two.>'), note);
      await bus.publish('log.one.x', {});
      await bus.publish('log.two.x', {});
      await until('the other is heard', () => seen.includes('log.two.x'));
      expect(seen).toEqual(['log.two.x']);
      await consumption.drain();
    });

    test('waits for a stream that is made later', async () => {
      const seen: string[] = [];
      const consuming = bus.consume({ stream: 'LATER', durable: 'x', app: 'tester' }, async (m) => {
        seen.push(m.subject);
        return done;
      });
      const other = await meeting.open('maker');
      await other.ensureStream(streamNamed('LATER'));
      const consumption = await consuming;
      await bus.publish('later.a', {});
      await until('heard', () => seen.length === 1);
      expect(seen).toEqual(['later.a']);
      await consumption.drain();
    });

    test('goes on after its connection was away, losing nothing', async () => {
      const worker = await meeting.open('worker');
      const seen = new Set<number>();
      await worker.consume(work('away', { ackWaitMs: 1_000 }), async (m) => {
        seen.add(m.sequence);
        return done;
      });
      const sent = new Set<number>();
      for (let n = 0; n < 10; n++) sent.add((await bus.publish(`work.away.${n}`, {})).sequence);
      await meeting.cut(worker);
      for (let n = 0; n < 10; n++) sent.add((await bus.publish(`work.away.${n}`, {})).sequence);
      await meeting.heal(worker);
      for (let n = 0; n < 10; n++) sent.add((await bus.publish(`work.away.${n}`, {})).sequence);
      await until('all handled', () => seen.size === 30);
      expect(seen).toEqual(sent);
      await until('the queue is empty', async () => (await left()) === 0);
    });
  });
}

type Parts = () => {
  bus: Bus;
  meeting: Meeting;
  work: (durable: string, more?: Partial<ConsumeOptions>) => ConsumeOptions;
};

function deadLetterTests(parts: Parts): void {
  test('keeps a message until its dead letter is stored', async () => {
    const { bus, meeting, work } = parts();
    const consumption = await bus.consume(work('nodead'), async () => reject('no use'));
    const { sequence } = await bus.publish('work.nodead.a', { n: 1 });
    const alarm = expect.objectContaining({ what: `store the dead letter of WORK ${sequence}` });
    await until('an alarm', () => meeting.alarms.some((a) => alarm.asymmetricMatch(a)));
    expect(await bus.message('WORK', sequence)).toBeDefined();
    await bus.ensureStream(DEAD);
    await until('the dead letter', async () => (await bus.streamState('DEAD'))?.messages === 1);
    await until(
      'the message is out of the queue',
      async () => (await bus.message('WORK', sequence)) === undefined,
    );
    await consumption.drain();
  });

  test('stores what is rejected as a dead letter with its reason and where it came from', async () => {
    const { bus, work } = parts();
    await bus.ensureStream(DEAD);
    const letters = new DeadLetters(bus);
    const before = (await letters.list()).length;
    const consumption = await bus.consume(work('poison'), async () => reject('cannot be\nread: häßlich'));
    const headers = {
      'Skerry-Request': 'request-1',
      traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    };
    const sent = await bus.publish('work.poison.a', { n: 1 }, { headers, messageId: 'poison-1' });
    await until('a dead letter', async () => (await letters.list()).length === before + 1);
    await consumption.drain();
    const letter = (await letters.list()).at(-1);
    expect(letter).toMatchObject({
      app: 'tester',
      stream: 'WORK',
      consumer: 'poison',
      subject: 'work.poison.a',
      sequence: sent.sequence,
      deliveries: 1,
      reason: 'cannot be read: h lich',
      body: '{"n":1}',
    });
    const id = letter?.id ?? 0;
    expect(await letters.show(id)).toEqual(letter);
    const original = await letters.original(id);
    expect(original).toMatchObject({ app: 'tester', stream: 'WORK', consumer: 'poison' });
    expect(original?.message).toMatchObject({ subject: 'work.poison.a', sequence: sent.sequence, headers });
    expect(original?.message.json()).toEqual({ n: 1 });
    expect(Object.keys(original?.message.headers ?? {})).toHaveLength(2);
    await letters.drop(id);
    expect(await letters.show(id)).toBeUndefined();
    expect(await letters.original(id)).toBeUndefined();
    expect(await letters.list(id - 1)).toEqual([]);
  });

  test('lists dead letters in pages, oldest first', async () => {
    const { bus, work } = parts();
    await bus.ensureStream(DEAD);
    const letters = new DeadLetters(bus);
    const start = (await letters.list()).at(-1)?.id ?? 0;
    const consumption = await bus.consume(work('many', { concurrency: 1 }), async () => reject('no'));
    for (let n = 0; n < 5; n++) await bus.publish(`work.many.${n}`, {});
    await until('five dead letters', async () => (await letters.list(start)).length === 5);
    const first = await letters.list(start, 2);
    const rest = await letters.list(first.at(-1)?.id, 10);
    expect([...first, ...rest].map((l) => l.subject)).toEqual([0, 1, 2, 3, 4].map((n) => `work.many.${n}`));
    await consumption.drain();
  });

  test('gives up on what keeps failing, and says after how many deliveries', async () => {
    const { bus, work } = parts();
    await bus.ensureStream(DEAD);
    const letters = new DeadLetters(bus);
    const start = (await letters.list()).at(-1)?.id ?? 0;
    const options = { maxDeliveries: 3, backoffMs: [10] };
    const consumption = await bus.consume(work('failing', options), async (m) => {
      if (m.subject.endsWith('throws')) throw new Error('a bug');
      return retry({ afterMs: 10, reason: 'not yet' });
    });
    await bus.publish('work.failing.throws', {});
    await bus.publish('work.failing.retries', {});
    await until('two dead letters', async () => (await letters.list(start)).length === 2);
    await consumption.drain();
    const reasons = (await letters.list(start)).map((l) => [l.subject, l.deliveries, l.reason]);
    expect(reasons).toEqual(
      expect.arrayContaining([
        ['work.failing.throws', 3, 'after 3 deliveries: threw: a bug'],
        ['work.failing.retries', 3, 'after 3 deliveries: not yet'],
      ]),
    );
  });

  test('never gives up where it is told so', async () => {
    const { bus, work } = parts();
    let deliveries = 0;
    const consumption = await bus.consume(work('patient', { maxDeliveries: Infinity }), async (m) => {
      ({ deliveries } = m);
      return deliveries < 12 ? retry({ afterMs: 5 }) : done;
    });
    const { sequence } = await bus.publish('work.patient.a', {});
    await until('done at last', async () => (await bus.message('WORK', sequence)) === undefined);
    expect(deliveries).toBe(12);
    await consumption.drain();
  });
}

function orderTests(parts: Parts): void {
  test('handles messages of one key one after the other in order, and of several keys at once', async () => {
    const { bus, work } = parts();
    const running = new Map<string, number>();
    const seen = new Map<string, number[]>();
    let most = 0;
    let overlaps = 0;
    const options = work('ordered', { concurrency: 4, orderBy: (m) => m.subject.split('.')[2] ?? '' });
    for (let n = 0; n < 40; n++) await bus.publish(`work.ordered.k${n % 8}.x`, { n });
    const consumption = await bus.consume(options, async (m) => {
      const key = m.subject;
      running.set(key, (running.get(key) ?? 0) + 1);
      if ((running.get(key) ?? 0) > 1) overlaps++;
      most = Math.max(
        most,
        [...running.values()].reduce((a, b) => a + b, 0),
      );
      await new Promise((resolve) => setTimeout(resolve, 2));
      running.set(key, (running.get(key) ?? 0) - 1);
      seen.set(key, [...(seen.get(key) ?? []), m.sequence]);
      return done;
    });
    await until('all handled', () => [...seen.values()].flat().length === 40);
    await consumption.drain();
    expect(overlaps).toBe(0);
    expect(most).toBe(4);
    for (const sequences of seen.values()) expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  });

  test('shares the work between instances, each message handled once', async () => {
    const { bus, meeting, work } = parts();
    const others = [await meeting.open('one'), await meeting.open('two')];
    const counts = [0, 0];
    const seen: number[] = [];
    const consumptions = await Promise.all(
      others.map((other, i) =>
        other.consume(work('sharing', { concurrency: 4 }), async (m) => {
          counts[i] = (counts[i] ?? 0) + 1;
          seen.push(m.sequence);
          await new Promise((resolve) => setTimeout(resolve, 1));
          return done;
        }),
      ),
    );
    await Promise.all(Array.from({ length: 200 }, (_, n) => bus.publish(`work.sharing.${n}`, {})));
    await until('all handled', () => seen.length >= 200);
    await Promise.all(consumptions.map((c) => c.drain()));
    expect(new Set(seen).size).toBe(200);
    expect(seen).toHaveLength(200);
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });

  test('lets running handlers finish when it ends, and has nothing delivered again for it', async () => {
    const { bus, meeting, work } = parts();
    const options = work('draining', { concurrency: 2, ackWaitMs: 1_000 });
    const { opened, open: go } = gate();
    const handled: number[] = [];
    let began = 0;
    const first = await bus.consume(options, async (m) => {
      began++;
      await opened;
      handled.push(m.sequence);
      return done;
    });
    for (let n = 0; n < 30; n++) await bus.publish(`work.draining.${n}`, {});
    await until('two run', () => began === 2);
    const ended = first.drain();
    const other = await meeting.open('next');
    const again: number[] = [];
    const second = await other.consume(options, async (m) => {
      if (m.deliveries > 1) again.push(m.sequence);
      handled.push(m.sequence);
      return done;
    });
    go();
    await ended;
    await until('all handled', () => new Set(handled).size === 30);
    await second.drain();
    expect(again).toEqual([]);
    expect(handled).toHaveLength(30);
  });

  test('keeps a message while its handler runs longer than the time to answer', async () => {
    const { bus, work } = parts();
    const deliveries: number[] = [];
    const options = work('slow', { ackWaitMs: 2_000, concurrency: 1 });
    const consumption = await bus.consume(options, async (m) => {
      deliveries.push(m.deliveries);
      if (m.subject === 'work.slow.a') await new Promise((resolve) => setTimeout(resolve, 4_500));
      return done;
    });
    const { sequence } = await bus.publish('work.slow.a', {});
    // This one waits behind it and is kept as well.
    await bus.publish('work.slow.b', {});
    await until('both handled', () => deliveries.length === 2);
    await consumption.drain();
    expect(deliveries).toEqual([1, 1]);
    expect(await bus.message('WORK', sequence)).toBeUndefined();
  });
}
