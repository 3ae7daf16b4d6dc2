import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { logRuleSchema, SITE, type LogNews, type LogRule } from '@skerry/contracts';
import { EntryLogs } from './entry-logs.js';
import { LogsSync } from './logs-sync.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const rule = (generation: number, valueBytes: number): LogRule =>
  logRuleSchema.parse({
    project: 'plant',
    name: 'heat',
    incarnation: 1,
    generation,
    flow: 'mesh',
    bytes: 64 * 1_024,
    valueBytes,
  });
const news = (of: LogRule): LogNews => ({ logs: [{ log: of, head: 0 }], gone: [] });

describe('what the hub says of logs', () => {
  let dir: string;
  let logs: EntryLogs;
  let bus: MemoryBus;
  let hub: MemoryBus;
  let sync: LogsSync;
  let answer: LogNews;
  let asked = 0;
  let said: unknown;
  let gone: string[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-log-news-'));
    logs = await EntryLogs.open(dir, { site: 'eu', node: 'n1', log });
    const server = new MemoryServer();
    [bus, hub] = [new MemoryBus(server), new MemoryBus(server)];
    [asked, gone, answer] = [0, [], news(rule(2, 2_000))];
    hub.respond(SITE.logs, async (message) => {
      asked += 1;
      said = message.json();
      return await Promise.resolve(answer);
    });
    const ready = {
      measuredBy: () => undefined,
      isWhole: () => false,
      isGone: (key: string) => void gone.push(key),
    };
    sync = new LogsSync(bus, { logs, ready, silentMs: () => 0, log });
    sync.start();
    await until(() => known()?.generation === 2);
  });
  afterEach(async () => {
    await sync.stop();
    await logs.close();
    await bus.close();
    await hub.close();
    await rm(dir, { recursive: true });
  });

  const known = () => logs.get('plant.heat')?.log.rule;
  const until = async (holds: () => boolean) => {
    for (const end = Date.now() + 10_000; !holds(); await new Promise((tick) => setTimeout(tick, 5)))
      if (Date.now() > end) throw new Error(`not so after 10 s: ${JSON.stringify(known())}`);
  };

  it('is asked again when it is older than what is known, and an old word changes nothing', async () => {
    const before = asked;
    hub.say(SITE.logNews, news(rule(1, 1_000)));
    await until(() => asked > before);
    expect(known()).toEqual(rule(2, 2_000));
  });

  it.each([1, 2])(
    'is followed when it has lost its newest rule, and goes on with generation %d',
    async (n) => {
      answer = news(rule(n, 3_000));
      hub.say(SITE.logNews, answer);
      await until(() => known()?.valueBytes === 3_000);
      expect(known()).toEqual(rule(n, 3_000));
    },
  );

  it('is a proposal to a hub that has lost it, with what was declared, which is said once', async () => {
    const declared = { rest: '{"labels":{},"spec":{"type":"log"}}', warrant: 'w'.repeat(43) };
    answer = news({ ...rule(3, 2_000), declared });
    hub.say(SITE.logNews, answer);
    await until(() => known()?.declared !== undefined);
    answer = news(rule(3, 2_000));
    const before = asked;
    hub.say(SITE.logNews, { logs: [], gone: [] });
    await until(() => asked > before);
    const ref = { project: 'plant', name: 'heat', incarnation: 1 };
    const proposed: unknown[] = [];
    hub.respond(SITE.proposal, async (message) => {
      proposed.push(message.json());
      return await Promise.resolve({ state: 'pending' });
    });
    answer = { logs: [], gone: [], unknown: [ref] };
    hub.say(SITE.logNews, { logs: [], gone: [] });
    await until(() => proposed.length > 0);
    expect(proposed[0]).toEqual({ site: 'eu', dataset: { ...ref, generation: 3, declared } });
  });

  it('takes one that was given up only when it has every entry, of which it is told how many there are', async () => {
    await logs.get('plant.heat')?.log.append(['1', '2']);
    const ref = { project: 'plant', name: 'heat', incarnation: 1 };
    answer = { logs: [], gone: [{ ...ref, ifSent: true }] };
    await logs.get('plant.heat')?.log.hubHas(1);
    // What is answered to the first is done before the second is asked.
    for (let times = 0; times < 2; times += 1) {
      const before = asked;
      hub.say(SITE.logNews, { logs: [], gone: [] });
      await until(() => asked > before);
    }
    expect(said).toMatchObject({ held: [{ ...ref, written: 2 }] });
    await logs.get('plant.heat')?.log.hubHas(2);
    hub.say(SITE.logNews, { logs: [], gone: [] });
    await until(() => gone.length > 0);
    expect([known(), gone]).toEqual([undefined, ['plant.heat']]);
  });

  it('takes one that was given up when the hub says that it has all, of which a power failure has taken the word', async () => {
    await logs.get('plant.heat')?.log.append(['1', '2']);
    const ref = { project: 'plant', name: 'heat', incarnation: 1 };
    answer = { logs: [], gone: [{ ...ref, ifSent: true, stored: 2 }] };
    hub.say(SITE.logNews, { logs: [], gone: [] });
    await until(() => gone.length > 0);
    expect([known(), gone]).toEqual([undefined, ['plant.heat']]);
  });
});
