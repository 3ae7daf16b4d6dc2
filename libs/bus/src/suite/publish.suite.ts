import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Bus } from '../bus.js';
import { Conflict, Malformed, StorageFull, TooLarge, Unavailable } from '../errors.js';
import { bucketNamed, failure, streamNamed, type Meeting, type OpenMeeting } from './meeting.suite.js';

/** What every bus promises of publishing and of what lies in its streams. */
export function publishSuite(open: OpenMeeting): void {
  describe('publishing', () => {
    let meeting: Meeting;
    let bus: Bus;
    beforeAll(async () => {
      meeting = await open();
      bus = await meeting.open('publisher');
      await bus.ensureStream(streamNamed('PUB'));
      await bus.ensureStream(streamNamed('NEWEST', { maxMessagesPerSubject: 1 }));
      await bus.ensureStream(streamNamed('SMALLNEW', { maxBytes: 8_192 }));
      await bus.ensureStream(streamNamed('SMALLOLD', { maxBytes: 8_192, discard: 'old' }));
      await bus.ensureBucket(bucketNamed('batches', { atomic: true }));
    });
    afterAll(async () => {
      await meeting.close();
    });

    test('stores a message and tells where', async () => {
      const ack = await bus.publish('pub.a', { n: 1 }, { headers: { 'X-One': 'eins' } });
      expect(ack).toEqual({ stream: 'PUB', sequence: ack.sequence, duplicate: false });
      const m = await bus.message('PUB', ack.sequence);
      expect(m).toMatchObject({ subject: 'pub.a', stream: 'PUB', sequence: ack.sequence });
      expect(m?.json()).toEqual({ n: 1 });
      expect(m?.headers['X-One']).toBe('eins');
      expect(Math.abs((m?.storedAt ?? 0) - Date.now())).toBeLessThan(5_000);
    });

    test('keeps bytes as they are', async () => {
      const bytes = Uint8Array.from([0, 255, 13, 10, 128]);
      const { sequence } = await bus.publish('pub.bytes', bytes);
      const m = await bus.message('PUB', sequence);
      expect([...(m?.data ?? [])]).toEqual([...bytes]);
      expect(() => m?.json()).toThrow(Malformed);
    });

    test('stores a message id once, whatever its body', async () => {
      const first = await bus.publish('pub.once', { n: 1 }, { messageId: 'once' });
      const second = await bus.publish('pub.once', { n: 2 }, { messageId: 'once' });
      expect(second).toEqual({ ...first, duplicate: true });
    });

    test('looks at conditions before it tells a repeated message id', async () => {
      const options = { messageId: 'conditional', expect: { sequence: 0 } };
      await bus.publish('pub.conditional', { n: 1 }, options);
      expect(await failure(bus.publish('pub.conditional', { n: 1 }, options))).toBeInstanceOf(Conflict);
    });

    test('stores what is published at once in a group, and tells each sender what is true of its own', async () => {
      await bus.ensureStream(streamNamed('GROUPED'));
      // A stream that is there already becomes one.
      await bus.ensureStream(streamNamed('GROUPED', { atomic: true }));
      const { sequence } = await bus.publish('grouped.known', { n: 0 }, { messageId: 'known' });
      const group = { group: 'GROUPED' };
      const many = await Promise.all(
        Array.from({ length: 100 }, (_, n) => bus.publish(`grouped.a.${n}`, { n }, group)),
      );
      const first = Math.min(...many.map((ack) => ack.sequence));
      expect(many).toEqual(
        many.map((_, i) => ({ stream: 'GROUPED', sequence: first + i, duplicate: false })),
      );
      expect((await bus.message('GROUPED', first + 99))?.json()).toEqual({ n: 99 });

      const stale = { ...group, expect: { sequence: first + 1_000 } };
      const [refused, ...stored] = await Promise.allSettled([
        bus.publish('grouped.known', { n: 1 }, stale),
        ...Array.from({ length: 99 }, (_, n) => bus.publish(`grouped.b.${n}`, { n }, group)),
      ]);
      expect(refused).toMatchObject({ status: 'rejected', reason: expect.any(Conflict) });
      expect(new Set(stored.map((s) => s.status))).toEqual(new Set(['fulfilled']));

      const [again, ...others] = await Promise.all([
        bus.publish('grouped.known', { n: 2 }, { ...group, messageId: 'known' }),
        ...Array.from({ length: 99 }, (_, n) =>
          bus.publish(`grouped.c.${n}`, { n }, { ...group, messageId: `c.${n}` }),
        ),
      ]);
      expect(again).toEqual({ stream: 'GROUPED', sequence, duplicate: true });
      expect(others.filter((ack) => ack.duplicate)).toEqual([]);
      expect((await bus.streamState('GROUPED'))?.messages).toBe(1 + 100 + 99 + 99);
    });

    test('stores one by one what is published in a group where transactions are not defined', async () => {
      const acks = await Promise.all(
        Array.from({ length: 50 }, (_, n) => bus.publish(`pub.plain.${n}`, { n }, { group: 'PUB' })),
      );
      expect(new Set(acks.map((ack) => ack.sequence)).size).toBe(50);
    });

    test('keeps the order in which one sender publishes in a group', async () => {
      await bus.ensureStream(streamNamed('ORDERED', { atomic: true }));
      const sending: Promise<unknown>[] = [];
      for (let n = 0; n < 300; n += 1) {
        sending.push(bus.publish('ordered.one', { n }, { group: 'ORDERED' }));
        if (n % 37 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await Promise.all(sending);
      const { firstSequence = 0 } = (await bus.streamState('ORDERED')) ?? {};
      const bodies = await Promise.all(
        Array.from({ length: 300 }, async (_, n) =>
          (await bus.message('ORDERED', firstSequence + n))?.json(),
        ),
      );
      expect(bodies).toEqual(bodies.map((_, n) => ({ n })));
    });

    test('refuses a condition that does not hold and stores nothing', async () => {
      const { sequence } = await bus.publish('pub.cas', { n: 1 }, { expect: { sequence: 0 } });
      expect(await failure(bus.publish('pub.cas', { n: 2 }, { expect: { sequence: 0 } }))).toBeInstanceOf(
        Conflict,
      );
      expect(
        await failure(bus.publish('pub.cas', { n: 2 }, { expect: { sequence: sequence + 7 } })),
      ).toBeInstanceOf(Conflict);
      expect((await bus.streamState('PUB'))?.lastSequence).toBe(sequence);
      await bus.publish('pub.cas', { n: 2 }, { expect: { sequence } });
    });

    test('says where the subject is when a condition does not hold', async () => {
      const { sequence } = await bus.publish('pub.where', { n: 1 });
      const ahead = { expect: { sequence: sequence + 7 } };
      expect(await failure(bus.publish('pub.where', {}, ahead))).toMatchObject({ lastSequence: sequence });
      expect(await failure(bus.publish('pub.nowhere', {}, ahead))).toMatchObject({ lastSequence: 0 });
    });

    test('takes a condition on another subject', async () => {
      const fence = await bus.publish('pub.fence', {});
      const options = { expect: { sequence: fence.sequence, subject: 'pub.fence' } };
      await bus.publish('pub.fenced', { n: 1 }, options);
      await bus.publish('pub.fenced', { n: 2 }, options);
      await bus.publish('pub.fence', {});
      expect(await failure(bus.publish('pub.fenced', { n: 3 }, options))).toBeInstanceOf(Conflict);
    });

    test('lets one of many conditional writers win', async () => {
      const racers = Array.from({ length: 20 }, (_, n) =>
        bus.publish('pub.race', { n }, { expect: { sequence: 0 } }),
      );
      const results = await Promise.allSettled(racers);
      expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(1);
      const lost = results.flatMap((r): unknown[] => (r.status === 'rejected' ? [r.reason] : []));
      expect(lost.every((reason) => reason instanceof Conflict)).toBe(true);
    });

    test('says that nobody keeps what no stream takes', async () => {
      expect(await failure(bus.publish('nowhere.at.all', {}))).toBeInstanceOf(Unavailable);
    });

    test.each([
      ['a wildcard', 'pub.*'],
      ['a rest', 'pub.>'],
      ['an empty token', 'pub..a'],
      ['whitespace', 'pub.a b'],
      ['a line break', 'pub.a\r\nPUB x 0'],
      ['nothing', ''],
    ])('refuses to publish to a subject with %s', async (_, subject) => {
      expect(await failure(bus.publish(subject, {}))).toBeInstanceOf(Malformed);
    });

    test('refuses a subject that is too long and names the limit', async () => {
      const error = await failure(bus.publish(`pub.${'x'.repeat(600)}`, {}));
      expect(error).toBeInstanceOf(Malformed);
      expect(error.message).toContain('at most 512 (limit subjectChars)');
      const deep = await failure(bus.publish(`pub${'.x'.repeat(20)}`, {}));
      expect(deep.message).toContain('21 tokens: at most 16 (limit subjectTokens)');
    });

    test('refuses a header that would break the frame', async () => {
      expect(await failure(bus.publish('pub.a', {}, { headers: { 'X-A': 'a\r\nX-B: b' } }))).toBeInstanceOf(
        Malformed,
      );
    });

    test('refuses a message that is too large, names the limit and stays connected', async () => {
      const error = await failure(bus.publish('pub.large', new Uint8Array(1024 * 1024)));
      expect(error).toBeInstanceOf(TooLarge);
      expect(error.message).toContain('at most 1048576 (limit messageBytes)');
      expect(bus.connected).toBe(true);
      await bus.publish('pub.large', new Uint8Array(1024 * 1024 - 64));
    });

    test('says that a stream is full and keeps what it has', async () => {
      const fill = async () => {
        for (let n = 0; n < 100; n++) await bus.publish('smallnew.a', new Uint8Array(1_000));
      };
      expect(await failure(fill())).toBeInstanceOf(StorageFull);
      const state = await bus.streamState('SMALLNEW');
      expect(state?.firstSequence).toBe(1);
      expect(state?.messages).toBe(state?.lastSequence);
      expect(state?.messages).toBeGreaterThan(3);
    });

    test('drops the oldest of a full stream that is defined so', async () => {
      for (let n = 0; n < 20; n++) await bus.publish('smallold.a', new Uint8Array(1_000));
      const state = await bus.streamState('SMALLOLD');
      expect(state?.lastSequence).toBe(20);
      expect(state?.firstSequence).toBeGreaterThan(10);
    });

    test('keeps the newest message of each subject where a stream is defined so', async () => {
      await bus.publish('newest.a', { n: 1 });
      await bus.publish('newest.b', { n: 2 });
      await bus.publish('newest.a', { n: 3 });
      expect(await bus.streamState('NEWEST')).toMatchObject({
        messages: 2,
        firstSequence: 2,
        lastSequence: 3,
      });
      expect(await bus.message('NEWEST', 1)).toBeUndefined();
    });

    test('deletes one message, and a purged subject, and nothing else', async () => {
      const one = await bus.publish('pub.del.a', {});
      const two = await bus.publish('pub.del.b', {});
      const three = await bus.publish('pub.kept', {});
      await bus.deleteMessage('PUB', one.sequence);
      await bus.deleteMessage('PUB', one.sequence);
      await bus.purge('PUB', 'pub.del.*');
      expect(await bus.message('PUB', one.sequence)).toBeUndefined();
      expect(await bus.message('PUB', two.sequence)).toBeUndefined();
      expect(await bus.message('PUB', three.sequence)).toBeDefined();
    });

    test('purges a subject up to a sequence, and nothing that came later', async () => {
      const one = await bus.publish('pub.upto.a', {});
      const two = await bus.publish('pub.upto.b', {});
      const three = await bus.publish('pub.upto.c', {});
      await bus.purge('PUB', 'pub.upto.*', two.sequence);
      expect(await bus.message('PUB', one.sequence)).toBeUndefined();
      expect(await bus.message('PUB', two.sequence)).toBeUndefined();
      expect(await bus.message('PUB', three.sequence)).toBeDefined();
    });

    test('knows no state of a stream that is not there', async () => {
      expect(await bus.streamState('NOSUCH')).toBeUndefined();
    });

    test('brings a stream to its definition and never shrinks what it keeps', async () => {
      await bus.ensureStream(streamNamed('GROW', { maxBytes: 4_096, maxMessagesPerSubject: 5 }));
      for (let n = 0; n < 5; n++) await bus.publish('grow.a', { n });
      await bus.ensureStream(
        streamNamed('GROW', { maxBytes: 100, maxMessagesPerSubject: 2, subjects: ['grow.>', 'grown.>'] }),
      );
      expect((await bus.streamState('GROW'))?.messages).toBe(5);
      await bus.publish('grown.a', new Uint8Array(1_000));
    });

    test('lets many instances make the same stream at once', async () => {
      const definition = streamNamed('TOGETHER');
      await Promise.all(Array.from({ length: 5 }, () => bus.ensureStream(definition)));
      expect((await bus.streamState('TOGETHER'))?.messages).toBe(0);
    });

    batchTests(() => bus);

    test('waits for its connection, and then fails having sent nothing', async () => {
      const other = await meeting.open('cut');
      await meeting.cut(other);
      expect(await failure(other.publish('pub.cut', { n: 1 }, { timeoutMs: 100 }))).toBeInstanceOf(
        Unavailable,
      );
      const waiting = other.publish('pub.cut', { n: 2 }, { timeoutMs: 10_000 });
      await meeting.heal(other);
      const { sequence } = await waiting;
      expect((await bus.message('PUB', sequence))?.json()).toEqual({ n: 2 });
      expect((await bus.streamState('PUB'))?.lastSequence).toBe(sequence);
    });
  });
}

function batchTests(bus: () => Bus): void {
  const key = (name: string) => `$KV.batches.${name}`;

  test('stores a batch as a whole, in order', async () => {
    const items = ['a', 'b', 'c'].map((name, n) => ({
      subject: key(name),
      body: { n },
      expect: { sequence: 0 },
    }));
    const ack = await bus().publishBatch(items);
    const first = ack.sequence - 2;
    for (const n of [0, 1, 2]) expect((await bus().message('KV_batches', first + n))?.json()).toEqual({ n });
  });

  test('stores nothing of a batch of which one condition fails', async () => {
    await bus().publish(key('taken'), { n: 0 });
    const before = await bus().streamState('KV_batches');
    const items = [
      { subject: key('free'), body: { n: 1 }, expect: { sequence: 0 } },
      { subject: key('taken'), body: { n: 1 }, expect: { sequence: 0 } },
      { subject: key('last'), body: { n: 1 } },
    ];
    expect(await failure(bus().publishBatch(items))).toBeInstanceOf(Conflict);
    expect(await bus().streamState('KV_batches')).toEqual(before);
  });

  test('refuses a condition on what the same batch wrote before', async () => {
    const items = [1, 2].map((n) => ({ subject: key('twice'), body: { n }, expect: { sequence: 0 } }));
    expect(await failure(bus().publishBatch(items))).toBeInstanceOf(Conflict);
  });

  test('takes a thousand messages at once, and no more', async () => {
    const items = Array.from({ length: 1_001 }, (_, n) => ({ subject: key(`many.${n}`), body: { n } }));
    const error = await failure(bus().publishBatch(items));
    expect(error).toBeInstanceOf(TooLarge);
    expect(error.message).toContain('at most 1000 (limit batchMessages)');
    const before = (await bus().streamState('KV_batches'))?.lastSequence ?? 0;
    const ack = await bus().publishBatch(items.slice(1));
    expect(ack.sequence).toBe(before + 1_000);
  });

  test('refuses a batch where transactions are not defined', async () => {
    const before = await bus().streamState('PUB');
    const items = [1, 2].map((n) => ({ subject: `pub.batch.${n}`, body: { n } }));
    await failure(bus().publishBatch(items));
    expect(await bus().streamState('PUB')).toEqual(before);
  });

  test('refuses a batch of nothing', async () => {
    expect(await failure(bus().publishBatch([]))).toBeInstanceOf(Malformed);
  });
}
