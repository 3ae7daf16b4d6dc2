import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { StatusChange } from '@skerry/client';
import type { SkerryEvent, Status } from '@skerry/contracts';
import { eventSubject, liveStatusSubject, makeEvent, STREAMS } from '@skerry/contracts';
import { until } from '../service/plain-server.js';
import { ApiCloud } from './api-cloud.js';
import { statusOf, yamlOf } from './stand-ins.js';

let cloud: ApiCloud;
beforeAll(async () => {
  cloud = await ApiCloud.start();
}, 60_000);
afterAll(() => cloud?.stop(), 20_000);

/** Reads a stream in the background; `stop` ends it. */
function reading<T>(start: (signal: AbortSignal) => AsyncGenerator<T>): {
  seen: T[];
  stop: () => Promise<void>;
} {
  const ended = new AbortController();
  const seen: T[] = [];
  const loop = (async () => {
    for await (const item of start(ended.signal)) seen.push(item);
  })();
  return {
    seen,
    stop: async () => {
      ended.abort();
      await loop;
    },
  };
}

async function emit(name: string, version: string): Promise<SkerryEvent> {
  const event = makeEvent({
    type: 'workload.placed',
    project: 'shop',
    name,
    version,
    at: new Date().toISOString(),
    data: { state: 'placed' },
  });
  await cloud.bus.publish(eventSubject('workload.placed', name, 'shop'), event, { messageId: event.id });
  return event;
}

describe('the stream of statuses', () => {
  it('says what is there, that this was all, then each change', async () => {
    cloud.standIns.put(statusOf('web'));
    const { seen, stop } = reading((signal) => cloud.client().watchStatus({ signal }));
    await until(() => seen.some(({ kind }) => kind === 'caughtUp'), 'caught up');
    const changed: Status = statusOf('web', { phase: 'degraded', running: 0 });
    cloud.bus.say(liveStatusSubject('shop', 'web'), changed);
    cloud.bus.say(liveStatusSubject('bank', 'web'), { nonsense: true });
    await until(() => seen.length >= 3, 'the change');
    await stop();
    expect(seen.map((item) => (item.kind === 'status' ? item.status.phase : item.kind))).toEqual([
      'running',
      'caughtUp',
      'degraded',
    ]);
  });

  it('gives a slow reader the newest of each workload, and no reader a queue without end', async () => {
    const big = statusOf('wide', { reasons: Array.from({ length: 400 }, () => 'r'.repeat(200)) });
    const slow = await openSlowly('/v1/status?watch=1');
    const quick = reading((signal) => cloud.client().watchStatus({ signal }));
    await until(() => slow.started && quick.seen.some(({ kind }) => kind === 'caughtUp'), 'both have begun');
    for (let i = 0; i < 400; i += 1)
      cloud.bus.say(liveStatusSubject('shop', 'wide'), { ...big, generation: i + 1 });
    const last = (item: StatusChange) => item.kind === 'status' && item.status.generation === 400;
    await until(() => quick.seen.some(last), 'the quick reader has the newest');
    await quick.stop();
    const text = await slow.readUntil('"generation":400');
    const seen = text.match(/"generation":\d+,"wanted"/g) ?? [];
    expect(seen.length).toBeLessThan(400);
  });
});

describe('the stream of events', () => {
  it('gives the newest, oldest first, and ends; with follow it goes on', async () => {
    for (const n of [1, 2, 3]) await emit('evented', String(n));
    const first = reading((signal) => cloud.client().events({ filter: 'shop/evented', tail: 2, signal }));
    await until(() => first.seen.length === 2, 'two events');
    await first.stop();
    expect(first.seen.map(({ id }) => id)).toEqual([
      'workload.placed/shop/evented/2',
      'workload.placed/shop/evented/3',
    ]);
    const follow = reading((signal) =>
      cloud.client().events({ filter: 'workload.placed', follow: true, tail: 1, signal }),
    );
    await until(() => follow.seen.length === 1, 'the newest');
    await emit('evented', '4');
    await until(() => follow.seen.length === 2, 'the next');
    await follow.stop();
  });

  it('filters by noun, type and name', async () => {
    await emit('other', '1');
    const all = async (filter: string) => {
      const found: string[] = [];
      for await (const event of cloud.client().events({ filter })) found.push(event.subject);
      return new Set(found);
    };
    expect(await all('shop/other')).toEqual(new Set(['shop/other']));
    expect(await all('other')).toEqual(new Set(['shop/other']));
    expect(await all('site')).toEqual(new Set(['eu-de', 'us-east']));
    expect(await all('workload.unplaceable')).toEqual(new Set());
  });

  it('goes on after the last event that a reader has', async () => {
    const before = await cloud.bus.streamState(STREAMS.EVT.name);
    await emit('resumed', '1');
    await emit('resumed', '2');
    const headers = { 'last-event-id': String((before?.lastSequence ?? 0) + 1) };
    const text = await (await cloud.fetch('/v1/events?filter=shop/resumed', { headers })).text();
    expect(text).not.toContain('shop/resumed/1');
    expect(text).toContain('shop/resumed/2');
  });
});

describe('the stream of logs', () => {
  const line = (site: string, at: string, text: string) => ({
    site,
    replica: `shop.logged.${site}.0`,
    at,
    stream: 'stdout' as const,
    line: text,
  });
  const two = {
    sites: ['eu-de', 'us-east'].map((site) => ({
      site,
      phase: 'ready' as const,
      why: '',
      wanted: 1,
      running: 1,
      replicas: [],
    })),
  };

  it('merges the lines of all sites by time, and takes from a site its own lines only', async () => {
    cloud.standIns.put(statusOf('logged', two));
    cloud.standIns.site(cloud.sites['eu-de'] ?? '', [
      line('eu-de', '2026-01-01T00:00:01.000Z', 'one'),
      line('eu-de', '2026-01-01T00:00:03.000Z', 'three'),
      line('us-east', '2026-01-01T00:00:00.000Z', 'forged'),
    ]);
    cloud.standIns.site(cloud.sites['us-east'] ?? '', [line('us-east', '2026-01-01T00:00:02.000Z', 'two')]);
    const lines: string[] = [];
    for await (const item of cloud.client().logs('shop', 'logged'))
      if (item.kind === 'line') lines.push(item.line.line);
    expect(lines).toEqual(['one', 'two', 'three']);
    const newest: string[] = [];
    for await (const item of cloud.client().logs('shop', 'logged', { tail: 1 }))
      if (item.kind === 'line') newest.push(item.line.line);
    expect(newest).toEqual(['three']);
  });

  it('names a site that does not answer', async () => {
    cloud.standIns.put(
      statusOf('silent', {
        sites: [{ site: 'eu-de', phase: 'lost', why: '', wanted: 1, running: 0, replicas: [] }],
      }),
    );
    await cloud.standIns.silence();
    const gaps: string[] = [];
    for await (const item of cloud.client().logs('shop', 'silent'))
      if (item.kind === 'gap') gaps.push(item.gap.site);
    expect(gaps).toEqual(['eu-de']);
  }, 15_000);

  it('refuses a workload and a site that are not there', async () => {
    const read = async (name: string, site?: string) => {
      for await (const item of cloud.client().logs('shop', name, site === undefined ? {} : { site }))
        expect(item).toBeUndefined();
    };
    await expect(read('nowhere')).rejects.toThrow('no workload shop/nowhere');
    await expect(read('logged', 'atlantis')).rejects.toThrow('no site atlantis');
  });
});

describe('the end', () => {
  it('closes open streams, finishes requests in flight and exits 0 within the drain time', async () => {
    const { seen, stop } = reading((signal) => cloud.client('admin', { tries: 1 }).watchStatus({ signal }));
    await until(() => seen.some(({ kind }) => kind === 'caughtUp'), 'caught up');
    const commands: string[] = [];
    const hearing = cloud.bus.listen('skerry.cmd.>', (m) => void commands.push(m.subject));
    const applied = cloud
      .client('admin', { tries: 1 })
      .apply({ sources: [{ name: 'last.yaml', text: yamlOf('last') }] });
    await until(() => commands.length > 0, 'the request is under way');
    const began = performance.now();
    const [code, done] = await Promise.all([cloud.endApi(), applied.catch((error: unknown) => error)]);
    await stop();
    await hearing.drain();
    expect(code).toBe(0);
    expect(performance.now() - began).toBeLessThan(10_000);
    expect(done).toMatchObject({ ok: true });
  }, 20_000);
});

/** A reader that takes nothing until it is told to. */
async function openSlowly(
  path: string,
): Promise<{ started: boolean; readUntil: (text: string) => Promise<string> }> {
  const reader = { started: false, readUntil: (_text: string) => Promise.resolve('') };
  const asked = request({
    port: cloud.port,
    path,
    headers: { authorization: `Bearer ${cloud.tokens.admin}` },
  });
  asked.end();
  asked.on('error', () => undefined);
  asked.on('response', (answer) => {
    reader.started = true;
    let all = '';
    answer.setEncoding('utf8');
    reader.readUntil = (text) =>
      new Promise((resolve) => {
        answer.on('data', (chunk: string) => {
          all += chunk;
          if (!all.includes(text)) return;
          asked.destroy();
          resolve(all);
        });
      });
  });
  return reader;
}
