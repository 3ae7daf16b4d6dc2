import { createHash, randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { NoAgent, PartlyAppended, ProblemError, SiteData, Unreachable } from '@skerry/client';
import type { DatasetEntry, KeyChange, LogPage } from '@skerry/client';
import { LIMITS } from '@skerry/contracts';
import { eventually } from '../site-under-test.suite.js';
import { copyRule, EndpointUnderTest } from './endpoint-under-test.suite.js';

let under: EndpointUnderTest;
beforeEach(async () => {
  under = await EndpointUnderTest.start();
});
afterEach(async () => {
  await under.close();
});

const failure = async (promise: Promise<unknown>): Promise<unknown> =>
  await promise.then(
    () => 'nothing was refused',
    (error: unknown) => error,
  );

describe('an application', () => {
  it('that is told of no agent hears which variables are missing', async () => {
    expect(() => SiteData.fromEnvironment({})).toThrow(NoAgent);
    expect(() => SiteData.fromEnvironment({})).toThrow(/^SKERRY_AGENT_URL and SKERRY_AGENT_TOKEN not set/);
    const { SKERRY_AGENT_URL } = under.environment();
    expect(() => SiteData.fromEnvironment({ SKERRY_AGENT_URL })).toThrow(/^SKERRY_AGENT_TOKEN not set/);
  });

  it('is refused with the problem as the agent says it', async () => {
    await under.copies.want(copyRule('catalog'));
    const site = under.site();
    const refused = await failure(site.keyvalue('catalog').put('k', 'v'));
    expect(refused).toBeInstanceOf(ProblemError);
    expect(refused).toMatchObject({ problem: { code: 'forbidden', status: 403 } });
    expect(await failure(site.keyvalue('nowhere').get('k'))).toMatchObject({
      problem: { code: 'not-found', title: expect.stringContaining('no copy of shop/nowhere') },
    });
    const stranger = SiteData.fromEnvironment(under.environment('another'));
    expect(await failure(stranger.keyvalue('catalog').get('k'))).toMatchObject({
      problem: { code: 'unauthorized' },
    });
  });

  it('that is a singleton hears its epoch and for how long it may act, any other is refused', async () => {
    expect(await under.site('owner').ownership()).toEqual({ epoch: 3_000_000, leaseMs: 9_000 });
    expect(await failure(under.site().ownership())).toMatchObject({
      problem: { code: 'unauthorized', title: 'no singleton here has this token' },
    });
  });

  it('waits for an agent that is just started again, with what was certainly not heard too', async () => {
    await under.copies.want(copyRule('hits', { conflicts: 'counter' }));
    const hits = under.site().keyvalue('hits');
    await hits.count('k');
    await under.down();
    const quick = SiteData.fromEnvironment(under.environment(), { tries: 1 });
    await eventually('nobody listens', async () => {
      const error = await failure(quick.keyvalue('hits').get('k'));
      return error instanceof Unreachable && error.unheard;
    });
    const retried: string[] = [];
    const onRetry = (reason: string) => void retried.push(reason);
    const patient = SiteData.fromEnvironment(under.environment(), { onRetry }).keyvalue('hits');
    const counted = patient.count('k');
    const read = patient.get('k');
    await eventually('both were tried', () => retried.length >= 2);
    await under.up();
    expect(await counted).toBe(2);
    expect((await read)?.number).toBeGreaterThan(0);
  });
});

describe('keys', () => {
  it('are written, read, listed over pages and deleted, whatever they are called', async () => {
    await under.copies.want(copyRule('cart'));
    const cart = under.site().keyvalue('cart');
    const keys = ['a/b c', 'ü?&#%', ...Array.from({ length: 230 }, (_, n) => `k${n}`)];
    for (const key of keys) await cart.put(key, `value of ${key}`);
    expect(await cart.get('a/b c')).toMatchObject({ key: 'a/b c', value: 'value of a/b c' });
    expect(await keysOf(cart.list())).toEqual(keys.toSorted());
    expect(await keysOf(cart.list({ prefix: 'k22' }))).toHaveLength(11);
    await cart.delete('ü?&#%');
    expect(await cart.get('ü?&#%')).toBeUndefined();
    expect(await cart.get('k')).toBeUndefined();
    expect(await failure(cart.put('..', 'v'))).toMatchObject({ name: 'RangeError' });
  });

  it('of sets and counters answer with what they hold then', async () => {
    await under.copies.want(copyRule('tags', { conflicts: 'set' }));
    await under.copies.want(copyRule('hits', { conflicts: 'counter' }));
    const tags = under.site().keyvalue('tags');
    expect(await tags.change('k', { add: ['red', 'blue'] })).toEqual(['blue', 'red']);
    expect(await tags.change('k', { add: ['green'], remove: ['blue'] })).toEqual(['green', 'red']);
    expect(await under.site().keyvalue('hits').count('k', 5)).toBe(5);
    expect(await under.site().keyvalue('hits').count('k', -2)).toBe(3);
    const wrong = await failure(under.site().keyvalue('hits').put('k', 'v'));
    expect(wrong).toMatchObject({ problem: { code: 'invalid' } });
  });

  it('under keep-both lose nothing to who writes what he has read, and one who has seen both resolves them', async () => {
    await under.copies.want(copyRule('notes', { conflicts: 'keep-both' }));
    const notes = under.site().keyvalue('notes');
    const other = under.site().keyvalue('notes');
    const joined = (entry: DatasetEntry | undefined) => (entry?.values ?? []).join('+');
    await notes.put('k', 'first');
    // Somebody writes what he has read while this one makes up his mind.
    await notes.update('k', async (entry) => {
      await other.update('k', (seen) => `${joined(seen)}, theirs`);
      return `${joined(entry)}, mine`;
    });
    const both = await notes.get('k');
    expect(both?.values?.toSorted()).toEqual(['first, mine', 'first, theirs']);
    const merged = await notes.update('k', (entry) => entry?.values?.toSorted().join(' and '));
    expect(merged?.values).toEqual(['first, mine and first, theirs']);
    await notes.put('k', 'beside');
    expect((await notes.get('k'))?.values).toHaveLength(2);
    expect(await notes.update('new', () => undefined)).toBeUndefined();
    await notes.delete((await notes.get('k')) ?? 'k');
    expect(await notes.get('k')).toBeUndefined();
  });

  it('under keep-both are not written twice when the answer was lost', async () => {
    await under.copies.want(copyRule('notes', { conflicts: 'keep-both' }));
    const { site, relay } = under.overRelay();
    const notes = site.keyvalue('notes');
    relay.breaks = [0];
    await notes.put('k', 'once');
    expect((await notes.get('k'))?.values).toEqual(['once']);
    relay.breaks = [0, 0];
    await notes.update('k', () => 'again');
    expect((await notes.get('k'))?.values).toEqual(['again']);
  });

  it('are counted at most once: a count whose answer was lost is not made again, but told', async () => {
    await under.copies.want(copyRule('hits', { conflicts: 'counter' }));
    const { site, relay } = under.overRelay();
    relay.breaks = [0];
    const lost = await failure(site.keyvalue('hits').count('k'));
    expect(lost).toBeInstanceOf(Unreachable);
    expect(lost).toMatchObject({ unheard: false });
    expect(await under.site().keyvalue('hits').get('k')).toMatchObject({ number: 1 });
  });
});

describe('a watch', () => {
  it('tells what is there and then what changes, ends when it is aborted, and keeps to its prefix', async () => {
    await under.copies.want(copyRule('cart'));
    const cart = under.site().keyvalue('cart');
    for (const key of ['a1', 'a2', 'b1']) await cart.put(key, 'before');
    const seen = watching({ prefix: 'a' });
    await eventually('all is told', () => seen.text().endsWith('caughtUp'));
    expect(seen.text()).toBe('anew a1=before a2=before caughtUp');
    await cart.put('b1', 'after');
    await cart.delete('a1');
    await cart.put('a3', 'new');
    await eventually('the changes are told', () => seen.text().includes('a3=new'));
    expect(seen.text()).toMatch(/caughtUp -a1 a3=new$/);
    seen.stop();
    await seen.ended;
  });

  it('goes on over an agent that is started again: it begins anew, and what changed meanwhile is in that', async () => {
    await under.copies.want(copyRule('cart'));
    const cart = under.site().keyvalue('cart');
    await cart.put('stays', '1');
    await cart.put('goes', '1');
    const seen = watching({ onBreak: () => undefined });
    await eventually('all is told', () => seen.text().endsWith('caughtUp'));
    await under.down();
    await under.up();
    // Before the watcher is back, it may be.
    await cart.delete('goes');
    await cart.put('comes', '2');
    await eventually(
      'it began anew',
      () => seen.text().match(/anew/g)?.length === 2 && seen.held.has('comes'),
    );
    await eventually('it is in step', () => !seen.held.has('goes'));
    expect(Object.fromEntries(seen.held)).toEqual({ stays: '1', comes: '2' });
    seen.stop();
    await seen.ended;
  });

  it('begins anew when more changed than is remembered, and without what is there tells changes alone', async () => {
    await under.copies.want(copyRule('cart'));
    const cart = under.site().keyvalue('cart');
    await cart.put('old', '1');
    const seen = watching({ existing: false });
    await eventually('it watches', () => seen.text() === 'anew caughtUp');
    const copy = under.copies.get('shop.cart');
    copy?.changes.add(Array.from({ length: LIMITS.datasetKeysPerPage + 1 }, (_, n) => `k${n}`));
    await eventually('it began anew', () => seen.text() === 'anew caughtUp anew caughtUp');
    await cart.put('new', '2');
    await eventually('it goes on', () => seen.held.has('new'));
    expect(seen.text()).toBe('anew caughtUp anew caughtUp new=2');
    seen.stop();
    await seen.ended;
  });

  it('of what is not here is refused, and of an agent that stays away ends when its patience does', async () => {
    const first = async (iterable: AsyncGenerator<unknown>) => await failure(iterable.next());
    expect(await first(under.site().keyvalue('nowhere').watch())).toMatchObject({
      problem: { code: 'not-found' },
    });
    await under.down();
    const breaks: string[] = [];
    const site = SiteData.fromEnvironment(under.environment(), { tries: 1 });
    const watch = site.keyvalue('cart').watch({ patienceMs: 700, onBreak: (why) => breaks.push(why) });
    expect(await first(watch)).toBeInstanceOf(Unreachable);
    expect(breaks[0]).toMatch(/connection refused/);
  });

  function watching(options: Parameters<ReturnType<SiteData['keyvalue']>['watch']>[0]) {
    const stop = new AbortController();
    const words: string[] = [];
    const held = new Map<string, string | undefined>();
    const ended = (async () => {
      const watch = under
        .site()
        .keyvalue('cart')
        .watch({ ...options, signal: stop.signal });
      for await (const change of watch) {
        words.push(wordOf(change));
        if (change.kind === 'anew') held.clear();
        else if (change.kind === 'entry') held.set(change.entry.key, change.entry.value);
        else if (change.kind === 'gone') held.delete(change.key);
      }
    })();
    return { ended, held, text: () => words.join(' '), stop: () => stop.abort() };
  }
});

describe('a log', () => {
  it('takes one entry or many in their order, with what is in them', async () => {
    await under.wantLog('orders');
    const orders = under.site().log('orders');
    const many = Array.from({ length: 2 * LIMITS.valuesPerAppend }, (_, n) => `${n}`);
    const odd = ['', 'two\nlines', 'ü', ...many];
    expect(await orders.append('one')).toEqual({ appended: 1, kept: 1 });
    expect(await orders.append(odd)).toMatchObject({ appended: odd.length });
    const page = await orders.read({ limit: 1_000 });
    expect(valuesOf(page)).toEqual(['one', ...odd]);
    expect((await orders.append([])).appended).toBe(0);
  });

  it('says how many entries are in it when a later one is refused', async () => {
    await under.wantLog('orders');
    const orders = under.site().log('orders');
    const refused = await failure(orders.append(['a', 'b', `x\n${'x'.repeat(2_000)}`]));
    expect(refused).toBeInstanceOf(PartlyAppended);
    expect(refused).toMatchObject({ appended: 2, cause: { problem: { code: 'too-large' } } });
  });

  it('takes no entry twice when the answer was lost', async () => {
    await under.wantLog('orders');
    const { site, relay } = under.overRelay();
    relay.breaks = [0];
    expect(await failure(site.log('orders').append('one'))).toBeInstanceOf(Unreachable);
    expect(valuesOf(await site.log('orders').read())).toEqual(['one']);
  });

  it('is followed over an agent that is started again, from where a reader was, and nothing comes twice', async () => {
    await under.wantLog('orders');
    const orders = under.site().log('orders');
    await orders.append(['before', 'seen']);
    const { since } = await orders.read();
    const stop = new AbortController();
    const seen: string[] = [];
    const ended = (async () => {
      for await (const page of orders.follow({ since, signal: stop.signal })) seen.push(...valuesOf(page));
    })();
    await orders.append('one');
    await eventually('it is followed', () => seen.includes('one'));
    await under.down();
    await under.up();
    await orders.append(['two', 'three']);
    await eventually('it goes on', () => seen.includes('three'));
    expect(seen).toEqual(['one', 'two', 'three']);
    stop.abort();
    await ended;
  });
});

describe('an object', () => {
  const BYTES = randomBytes(3_000_000);
  const digest = `sha256:${createHash('sha256').update(BYTES).digest('hex')}`;
  const make = async () => await under.copies.want(copyRule('models', OBJECTS));

  it('is written from bytes or a stream, and read whole or from a place on', async () => {
    await make();
    const models = under.site().objects('models');
    const written = await models.write('a', BYTES, { contentType: 'text/plain' });
    expect(written).toMatchObject({ key: 'a', size: BYTES.length, digest, complete: true });
    expect(await models.write('b', new Blob([BYTES]).stream())).toMatchObject({ digest });
    const { bytes, ...told } = await models.read('a');
    expect(told).toEqual({ size: BYTES.length, digest, contentType: 'text/plain' });
    expect(Buffer.from(await new Response(bytes).arrayBuffer()).equals(BYTES)).toBe(true);
    const rest = await models.read('b', { offset: BYTES.length - 5 });
    expect(Buffer.from(await new Response(rest.bytes).arrayBuffer())).toEqual(BYTES.subarray(-5));
    await models.write('empty', '');
    expect(await new Response((await models.read('empty')).bytes).text()).toBe('');
  });

  it('is told of without its bytes, and one that is not there is nothing', async () => {
    await make();
    await under.copies.want(copyRule('cart'));
    const site = under.site();
    await site.objects('models').write('a', BYTES);
    expect(await site.objects('models').head('a')).toEqual({
      size: BYTES.length,
      digest,
      contentType: 'application/octet-stream',
      complete: true,
    });
    expect(await site.objects('models').head('b')).toBeUndefined();
    expect(await failure(site.objects('nowhere').head('a'))).toMatchObject({
      problem: { code: 'not-found', title: expect.stringContaining('no copy') },
    });
    expect(await failure(site.objects('models').read('b'))).toMatchObject({ problem: { code: 'not-found' } });
    expect(await keysOf(site.keyvalue('models').list())).toEqual(['a']);
    await site.keyvalue('models').delete('a');
    expect(await site.objects('models').head('a')).toBeUndefined();
  });

  it('is read on where it was when the connection breaks, over an agent that is started again too', async () => {
    await make();
    await under.site().objects('models').write('a', BYTES);
    const { site, relay } = under.overRelay();
    relay.breaks = [400_000, 0, 700_000];
    const { bytes } = await site.objects('models').read('a');
    expect(Buffer.from(await new Response(bytes).arrayBuffer()).equals(BYTES)).toBe(true);
    expect(relay.opened).toBeGreaterThanOrEqual(4);
    relay.breaks = [400_000];
    const reader = (await site.objects('models').read('a')).bytes.getReader();
    const parts = [Buffer.from((await reader.read()).value ?? [])];
    await under.down();
    const restart = (async () => await under.up())();
    for (let part = await reader.read(); !part.done; part = await reader.read())
      parts.push(Buffer.from(part.value));
    await restart;
    expect(Buffer.concat(parts).equals(BYTES)).toBe(true);
  });

  it('that was written anew meanwhile is not read on from the one before', async () => {
    await make();
    const { site, relay } = under.overRelay();
    await under.site().objects('models').write('a', BYTES);
    relay.breaks = [400_000];
    const { bytes } = await site.objects('models').read('a');
    await under.site().objects('models').write('a', randomBytes(3_000_000));
    await under.site().keyvalue('models').delete('a');
    await under.site().objects('models').write('a', randomBytes(2_000_000));
    expect(await failure(new Response(bytes).arrayBuffer())).toMatchObject({ problem: { code: 'conflict' } });
  });

  it('is read no longer when its reader has had enough', async () => {
    await make();
    await under.site().objects('models').write('a', BYTES);
    const stop = new AbortController();
    const { bytes } = await under.site().objects('models').read('a', { signal: stop.signal });
    const reader = bytes.getReader();
    await reader.read();
    stop.abort();
    const rest = (async () => {
      for (let part = await reader.read(); !part.done;) part = await reader.read();
    })();
    expect(await failure(rest)).toMatchObject({ name: 'AbortError' });
  });
});

const OBJECTS = {
  limits: { keys: 100, bytes: 1_000_000, valueBytes: 4_096 },
  objects: { fetch: 'ahead', bandwidth: [] },
};

function wordOf(change: KeyChange): string {
  if (change.kind === 'entry') return `${change.entry.key}=${change.entry.value}`;
  return change.kind === 'gone' ? `-${change.key}` : change.kind;
}

async function keysOf(list: AsyncGenerator<DatasetEntry>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of list) keys.push(key);
  return keys;
}

function valuesOf({ items }: LogPage): string[] {
  return items.flatMap((item) => ('gap' in item ? [] : [item.value]));
}
