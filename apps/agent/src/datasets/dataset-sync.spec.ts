import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import { copySchema, SITE, type Copy, type CopyNews } from '@skerry/contracts';
import { Copies } from './copies.js';
import { DatasetSync } from './dataset-sync.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const rule = (generation: number, ttlMs: number): Copy =>
  copySchema.parse({
    project: 'shop',
    name: 'cart',
    incarnation: 1,
    generation,
    conflicts: 'newest',
    ttlMs,
    limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
  });
const news = (copy: Copy): CopyNews => ({ copies: [{ copy, head: 0 }], gone: [] });

describe('what the hub says of copies', () => {
  let dir: string;
  let copies: Copies;
  let bus: MemoryBus;
  let hub: MemoryBus;
  let sync: DatasetSync;
  let answer: CopyNews;
  let asked = 0;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-news-'));
    copies = await Copies.open(dir, { site: 'eu', node: 'n1', log });
    const server = new MemoryServer();
    [bus, hub] = [new MemoryBus(server), new MemoryBus(server)];
    asked = 0;
    answer = news(rule(2, 20_000));
    hub.respond(SITE.copies, async () => {
      asked += 1;
      return await Promise.resolve(answer);
    });
    const ready = { measuredBy: ignore, isWhole: () => false, isGone: () => undefined };
    sync = new DatasetSync(bus, { copies, ready, silentMs: () => 0, log });
    sync.start();
    await until(() => known()?.generation === 2);
  });
  afterEach(async () => {
    await sync.stop();
    await copies.close();
    await bus.close();
    await hub.close();
    await rm(dir, { recursive: true });
  });

  const known = () => copies.get('shop.cart')?.copy.rule;
  const until = async (holds: () => boolean) => {
    for (const end = Date.now() + 10_000; !holds(); await new Promise((tick) => setTimeout(tick, 5)))
      if (Date.now() > end) throw new Error(`not so after 10 s: ${JSON.stringify(known())}`);
  };

  it('is asked again when it is older than what is known, and an old word changes nothing', async () => {
    const before = asked;
    hub.say(SITE.copyNews, news(rule(1, 10_000)));
    await until(() => asked > before);
    expect(known()).toEqual(rule(2, 20_000));
  });

  it.each([1, 2])(
    'is followed when it has lost its newest rule, and goes on with generation %d',
    async (n) => {
      answer = news(rule(n, 30_000));
      hub.say(SITE.copyNews, answer);
      await until(() => known()?.ttlMs === 30_000);
      expect(known()).toEqual(rule(n, 30_000));
    },
  );
});
