import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LIMITS } from '@skerry/contracts';
import type { Bucket, BucketChange, Bus, Headers } from '../bus.js';
import { Conflict, Malformed, TooLarge } from '../errors.js';
import {
  bucketNamed,
  failure,
  parseValue,
  until,
  type Meeting,
  type OpenMeeting,
  type Value,
} from './meeting.suite.js';

/** What every bus promises of buckets. */
export function bucketSuite(open: OpenMeeting): void {
  describe('buckets', () => {
    let meeting: Meeting;
    let bus: Bus;
    let bucket: Bucket<Value>;
    beforeAll(async () => {
      meeting = await open();
      bus = await meeting.open('bucket');
      const definition = bucketNamed('things', { atomic: true });
      await bus.ensureBucket(definition);
      await bus.ensureBucket(definition);
      bucket = bus.bucket(definition, parseValue);
    });
    afterAll(async () => {
      await meeting.close();
    });

    test('gives back what was put, with its revision, time and headers', async () => {
      expect(await bucket.get('p.one')).toBeUndefined();
      const revision = await bucket.put('p.one', { n: 1 }, 0, { headers: { 'X-Why': 'test' } });
      const entry = await bucket.get('p.one');
      expect(entry).toMatchObject({ key: 'p.one', value: { n: 1 }, revision });
      expect(entry?.headers['X-Why']).toBe('test');
      expect(Math.abs((entry?.at ?? 0) - Date.now())).toBeLessThan(5_000);
    });

    test('adds its reader’s headers to every write, and lets it judge by them', async () => {
      const by = (name: string) =>
        Object.assign((value: unknown, headers: Headers) => `${headers['X-By']} ${JSON.stringify(value)}`, {
          headers: { 'X-By': name },
        });
      const [named, plain] = [by('one'), (value: unknown) => JSON.stringify(value)];
      const definition = bucketNamed('judged', { atomic: true });
      await bus.ensureBucket(definition);
      const judged = bus.bucket(definition, named);
      const first = await judged.put('p.one', 'a', 0, { headers: { 'X-Why': 'test' } });
      expect(await judged.get('p.one')).toMatchObject({
        value: 'one "a"',
        headers: { 'X-By': 'one', 'X-Why': 'test' },
      });
      await judged.putFenced('p.two', 'b', { key: 'p.one', revision: first });
      await judged.putAll([
        { key: 'p.three', value: 'c', revision: 0 },
        { key: 'p.four', value: 'd', revision: 0, headers: { 'X-Why': 'test' } },
      ]);
      for (const key of ['p.two', 'p.three', 'p.four'])
        expect((await judged.get(key))?.value).toMatch(/^one /);
      await bus.bucket(definition, plain).set('p.one', 'e');
      expect((await judged.get('p.one'))?.value).toBe('undefined "e"');
    });

    test('refuses to write over what has moved on', async () => {
      const first = await bucket.put('p.cas', { n: 1 }, 0);
      const second = await bucket.put('p.cas', { n: 2 }, first);
      for (const stale of [0, first, second + 1]) {
        expect(await failure(bucket.put('p.cas', { n: 3 }, stale))).toBeInstanceOf(Conflict);
      }
      expect((await bucket.get('p.cas'))?.value).toEqual({ n: 2 });
    });

    test('lets a deleted key be created anew, and only once', async () => {
      const first = await bucket.put('p.again', { n: 1 }, 0);
      expect(await failure(bucket.delete('p.again', first + 9))).toBeInstanceOf(Conflict);
      await bucket.delete('p.again', first);
      expect(await bucket.get('p.again')).toBeUndefined();
      expect(await failure(bucket.put('p.again', { n: 2 }, first))).toBeInstanceOf(Conflict);
      const second = await bucket.put('p.again', { n: 3 }, 0);
      expect(second).toBeGreaterThan(first);
      expect(await failure(bucket.put('p.again', { n: 4 }, 0))).toBeInstanceOf(Conflict);
    });

    test('writes fenced by another key only while that key has not moved', async () => {
      const epoch = await bucket.set('epoch', { n: 1 });
      await bucket.putFenced('p.fenced', { n: 1 }, { key: 'epoch', revision: epoch });
      await bucket.putFenced('p.fenced', { n: 2 }, { key: 'epoch', revision: epoch });
      const next = await bucket.put('epoch', { n: 2 }, epoch);
      const stale = bucket.putFenced('p.fenced', { n: 3 }, { key: 'epoch', revision: epoch });
      expect(await failure(stale)).toBeInstanceOf(Conflict);
      // Neither on a key that nobody wrote since: its own revision would not show the takeover.
      const fresh = bucket.putFenced('p.untouched', { n: 3 }, { key: 'epoch', revision: epoch });
      expect(await failure(fresh)).toBeInstanceOf(Conflict);
      await bucket.putFenced('p.fenced', { n: 4 }, { key: 'epoch', revision: next });
      expect((await bucket.get('p.fenced'))?.value).toEqual({ n: 4 });
      expect(await bucket.get('p.untouched')).toBeUndefined();
    });

    test('takes fenced writes that come at the same time, and refuses all of them once the fence has moved', async () => {
      for (const atomic of [true, false]) {
        const definition = bucketNamed(`fenced-${atomic ? 'together' : 'singly'}`, { atomic });
        await bus.ensureBucket(definition);
        const fenced = bus.bucket(definition, (value) => value);
        const epoch = await fenced.set('epoch', {});
        const write = (n: number) => fenced.putFenced(`p.k${n}`, { n }, { key: 'epoch', revision: epoch });
        const revisions = await Promise.all(Array.from({ length: 100 }, (_, n) => write(n)));
        expect(revisions).toEqual(Array.from({ length: 100 }, (_, n) => epoch + 1 + n));
        expect(await fenced.get('p.k99')).toMatchObject({ value: { n: 99 }, revision: epoch + 100 });
        await fenced.set('epoch', {});
        const refused = await Promise.all(Array.from({ length: 3 }, (_, n) => failure(write(n))));
        for (const error of refused) expect(error).toBeInstanceOf(Conflict);
      }
    });

    test('refuses one of the fenced writes that come at the same time without the others', async () => {
      const definition = bucketNamed('fenced-large', { atomic: true });
      await bus.ensureBucket(definition);
      const fenced = bus.bucket(definition, (value) => value);
      const epoch = await fenced.set('epoch', {});
      const large = 'x'.repeat(LIMITS.messageBytes);
      const write = (n: number) =>
        fenced.putFenced(`p.k${n}`, n === 3 ? { large } : { n }, { key: 'epoch', revision: epoch });
      const ended = await Promise.allSettled(Array.from({ length: 10 }, (_, n) => write(n)));
      expect(ended.flatMap((e, n) => (e.status === 'rejected' ? [n] : []))).toEqual([3]);
      expect(ended[3]).toMatchObject({ reason: expect.any(TooLarge) });
      expect((await fenced.get('p.k9'))?.value).toEqual({ n: 9 });
    });

    test('writes several keys or none, also over deleted ones', async () => {
      const a = await bucket.put('all.a', { n: 1 }, 0);
      await bucket.put('all.gone', { n: 1 }, 0);
      await bucket.delete('all.gone');
      const writes = (revision: number) => [
        { key: 'all.new', value: { n: 2 }, revision: 0 },
        { key: 'all.gone', value: { n: 2 }, revision: 0 },
        { key: 'all.a', value: { n: 2 }, revision },
      ];
      expect(await failure(bucket.putAll(writes(a + 5)))).toBeInstanceOf(Conflict);
      expect((await bucket.get('all.a'))?.value).toEqual({ n: 1 });
      expect(await bucket.get('all.new')).toBeUndefined();
      expect(await bucket.get('all.gone')).toBeUndefined();
      const revisions = await bucket.putAll(writes(a));
      for (const [i, key] of ['all.new', 'all.gone', 'all.a'].entries()) {
        expect(await bucket.get(key)).toMatchObject({ value: { n: 2 }, revision: revisions[i] });
      }
      expect(await bucket.putAll([])).toEqual([]);
      expect(await failure(bucket.putAll(writes(a)))).toBeInstanceOf(Conflict);
    });

    test('lists the keys that have a value', async () => {
      const definition = bucketNamed('listed');
      await bus.ensureBucket(definition);
      const listed = bus.bucket(definition, parseValue);
      expect(await listed.keys()).toEqual([]);
      for (const key of ['b', 'a.x', 'c']) await listed.set(key, { n: 1 });
      await listed.delete('c');
      expect(await listed.keys()).toEqual(['a.x', 'b']);
    });

    test('never throws away a value that its schema refuses', async () => {
      await bus.publish('$KV.things.p.bad', { n: 'many' });
      const error = await failure(bucket.get('p.bad'));
      expect(error).toBeInstanceOf(Malformed);
      expect(error.message).toContain('bucket things, key p.bad');
      const seen: BucketChange<Value>[] = [];
      const following = await bucket.follow((change) => void seen.push(change), { keys: ['p.bad'] });
      await following.caughtUp;
      expect(seen).toEqual([expect.objectContaining({ kind: 'malformed', key: 'p.bad' })]);
      await following.drain();
    });

    test.each(['', 'a..b', '.a', 'a.', 'a b', 'a.*', '>', 'ü'])('refuses the key %j', async (key) => {
      expect(await failure(bucket.put(key, { n: 1 }, 0))).toBeInstanceOf(Malformed);
    });

    followTests(() => ({ bus, meeting }));
  });
}

function followTests(parts: () => { bus: Bus; meeting: Meeting }): void {
  const short = (changes: BucketChange<Value>[]) =>
    changes.map((c) => (c.kind === 'put' ? `${c.key}=${c.value.n}` : `${c.key} ${c.kind}`));

  test('follows every value, then every change and deletion', async () => {
    const { bus } = parts();
    const definition = bucketNamed('followed');
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    await bucket.set('a', { n: 1 });
    await bucket.set('a', { n: 2 });
    await bucket.set('x.b', { n: 3 });
    const all: BucketChange<Value>[] = [];
    const some: BucketChange<Value>[] = [];
    let caughtUpWith: string[] = [];
    const one = await bucket.follow((change) => void all.push(change), {
      onCaughtUp: () => {
        caughtUpWith = short(all);
      },
    });
    const two = await bucket.follow((change) => void some.push(change), { keys: ['x.*'] });
    await Promise.all([one.caughtUp, two.caughtUp]);
    expect(caughtUpWith).toEqual(['a=2', 'x.b=3']);
    await bucket.delete('a');
    const last = await bucket.set('x.c', { n: 4 });
    await Promise.all([one.reached(last), two.reached(last)]);
    expect(short(all)).toEqual(['a=2', 'x.b=3', 'a gone', 'x.c=4']);
    expect(short(some)).toEqual(['x.b=3', 'x.c=4']);
    await Promise.all([one.drain(), two.drain()]);
  });

  test('tells of keys whose time to live is over', async () => {
    const { bus } = parts();
    const definition = bucketNamed('expiring', { perKeyTtl: true });
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    const seen: BucketChange<Value>[] = [];
    const following = await bucket.follow((change) => void seen.push(change));
    const revision = await bucket.put('a', { n: 1 }, 0, { ttlMs: 1_000 });
    await until('it is gone', () => seen.some((c) => c.kind === 'gone'));
    expect(short(seen)).toEqual(['a=1', 'a gone']);
    expect(await bucket.get('a')).toBeUndefined();
    expect(await bucket.put('a', { n: 2 }, 0)).toBeGreaterThan(revision);
    await following.drain();
  });

  test('keeps a key as long as the time to live of its last write, also on renewal', async () => {
    const { bus } = parts();
    const definition = bucketNamed('renewing', { perKeyTtl: true });
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    // Renewed long before its time is over: on a busy machine this process stands still for a while.
    let revision = await bucket.put('a', { n: 0 }, 0, { ttlMs: 2_000 });
    const began = performance.now();
    for (let n = 1; n <= 4; n++) {
      await new Promise((resolve) => setTimeout(resolve, 600));
      revision = await bucket.put('a', { n }, revision, { ttlMs: 2_000 });
    }
    expect(performance.now() - began).toBeGreaterThan(2_300);
    expect(await bucket.get('a')).toBeDefined();
    await until('it is gone without another renewal', async () => (await bucket.get('a')) === undefined);
  });

  test('says gone for every key that a bucket made anew no longer has', async () => {
    const { bus, meeting } = parts();
    const definition = bucketNamed('renewed');
    await bus.ensureBucket(definition);
    const bucket = bus.bucket(definition, parseValue);
    for (const [n, key] of ['a', 'b', 'c'].entries()) await bucket.set(key, { n });
    const seen: (BucketChange<Value> | 'restart')[] = [];
    const following = await bucket.follow((change) => void seen.push(change), {
      onRestart: () => void seen.push('restart'),
    });
    await following.caughtUp;
    await meeting.wipe('KV_renewed');
    await bus.ensureBucket(definition);
    await until('the restart', () => seen.includes('restart'));
    await bucket.set('b', { n: 7 });
    // Whether `b` was written before or after the new bucket was looked at, it ends up there and the others do not.
    const there = () => {
      const after = seen.slice(seen.indexOf('restart') + 1).filter((c) => c !== 'restart');
      return after.map((c) => [c.key, c.kind] as const);
    };
    const expected = { a: 'gone', b: 'put', c: 'gone' };
    await until('each key is told as it is', () => isDeepStrictEqual(Object.fromEntries(there()), expected));
    expect(new Map(there())).toEqual(new Map(Object.entries(expected)));
    await following.drain();
  });
}
