import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  copySchema,
  heldDatasetProposalSchema,
  SITE,
  type CopyNews,
  type HeldDatasetProposal,
} from '@skerry/contracts';
import { Copies } from './copies.js';
import { DatasetSync } from './dataset-sync.js';

const ignore = () => undefined;
const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
const declared = { rest: '{"labels":{},"spec":{"type":"keyvalue"}}', warrant: 'w'.repeat(43) };
const rule = copySchema.parse({
  project: 'shop',
  name: 'cart',
  incarnation: 3,
  generation: 4,
  conflicts: 'newest',
  limits: { keys: 100, bytes: 100_000, valueBytes: 1_000 },
});
const given = (copy: object = {}): CopyNews => ({
  copies: [{ copy: { ...rule, ...copy }, head: 0 }],
  gone: [],
});
const unknown: CopyNews = {
  copies: [],
  gone: [],
  unknown: [{ project: 'shop', name: 'cart', incarnation: 3 }],
};

describe('a dataset that the hub does not know any more', () => {
  let dir: string;
  let copies: Copies;
  let bus: MemoryBus;
  let hub: MemoryBus;
  let sync: DatasetSync;
  let answer: CopyNews;
  let proposed: HeldDatasetProposal[];
  let answers: object[];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-lost-'));
    copies = await Copies.open(dir, { site: 'eu', node: 'n1', log });
    const server = new MemoryServer();
    [bus, hub] = [new MemoryBus(server), new MemoryBus(server)];
    [answer, proposed, answers] = [given({ declared }), [], []];
    hub.respond(SITE.copies, async () => await Promise.resolve(answer));
    hub.respond(SITE.proposal, async (message) => {
      proposed.push(heldDatasetProposalSchema.parse(message.json()));
      return await Promise.resolve(answers.shift() ?? decided(true));
    });
    const ready = { measuredBy: ignore, isWhole: () => false, isGone: () => undefined };
    sync = new DatasetSync(bus, { copies, ready, silentMs: () => 0, log });
    sync.start();
    await until(() => known()?.generation === 4);
  });
  afterEach(async () => {
    await sync.stop();
    await copies.close();
    await bus.close();
    await hub.close();
    await rm(dir, { recursive: true });
  });

  const decided = (ok: boolean) => ({
    state: 'decided',
    outcome: {
      kind: 'Outcome',
      ok,
      requestId: 'held-0001',
      verb: 'dataset.recover',
      decidedAt: '2026-01-01T00:00:00.000Z',
      ...(ok ? { changes: [] } : { code: 'forbidden', title: 'nothing shows it', issues: [] }),
    },
  });
  const known = () => copies.get('shop.cart')?.copy.rule;
  /** A restored hub has sites say what they hold. */
  const restored = () => {
    answer = unknown;
    hub.say(SITE.copyNews, { copies: [], gone: [] });
  };
  const until = async (holds: () => boolean) => {
    for (const end = Date.now() + 10_000; !holds(); await new Promise((tick) => setTimeout(tick, 5)))
      if (Date.now() > end) throw new Error(`not so after 10 s: ${JSON.stringify(proposed)}`);
  };

  it('is proposed as it was given, until the hub says that it knows it', async () => {
    answers.push({ state: 'waiting', retryAfterMs: 1 });
    restored();
    await until(() => proposed.length === 2);
    const { project, name, incarnation, generation } = rule;
    const dataset = { project, name, incarnation, generation, declared };
    expect(proposed).toEqual([
      { site: 'eu', dataset },
      { site: 'eu', dataset },
    ]);
    answer = given({ ttlMs: 20_000 });
    await until(() => known()?.ttlMs === 20_000);
    // What the hub does not say again at this generation is kept.
    expect(known()?.declared).toEqual(declared);
    expect(copies.trouble).toBeUndefined();
  });

  it('stays here and is named when it is refused, until the hub knows it', async () => {
    answers.push(decided(false));
    restored();
    await until(() => copies.trouble !== undefined);
    expect(copies.trouble).toBe('the hub does not know dataset shop/cart: nothing shows it');
    expect(known()?.generation).toBe(4);
    answer = given({ declared });
    hub.say(SITE.copyNews, answer);
    await until(() => copies.trouble === undefined);
    expect(proposed).toHaveLength(1);
  });

  it('stays refused for a while and is named whenever the hub says so, also when it was written to meanwhile', async () => {
    answers.push(decided(false));
    restored();
    await until(() => copies.trouble !== undefined);
    await copies.get('shop.cart')?.copy.write('k', { verb: 'put', value: 'v' });
    restored();
    await until(() => copies.trouble !== undefined);
    expect(copies.trouble).toBe('the hub does not know dataset shop/cart: nothing shows it');
    expect(proposed).toHaveLength(1);
  });

  it('is not proposed when nothing was said of what was declared, and is named', async () => {
    answer = given({ generation: 5 });
    hub.say(SITE.copyNews, { copies: [], gone: [] });
    await until(() => known()?.generation === 5);
    restored();
    await until(() => copies.trouble?.startsWith('the hub does not know dataset shop/cart') === true);
    expect(copies.trouble).toContain('does not come back by itself');
    expect(proposed).toEqual([]);
  });
});
