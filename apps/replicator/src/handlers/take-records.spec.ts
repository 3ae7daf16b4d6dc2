import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryBus, MemoryServer } from '@skerry/bus';
import {
  deliverySchema,
  exampleSite,
  HUB,
  recordsAnswerSchema,
  STREAMS,
  type Delivery,
  type RecordsAnswer,
} from '@skerry/contracts';
import { JsonLog, type PlainMessage } from '@skerry/service';
import { datasetOf } from '../dataset-of.suite.js';
import { CopiesStore } from '../stores/copies.store.js';
import { CopySetsStore } from '../stores/copy-sets.store.js';
import { HomesStore } from '../stores/homes.store.js';
import { answerNewest } from '../stores/newest-of-memory.suite.js';
import { RecordsStore } from '../stores/records.store.js';
import { WantedStore } from '../stores/wanted.store.js';
import { WrappedKeysStore } from '../stores/wrapped-keys.store.js';
import { otherSites } from './other-sites.js';
import { TakeRecords } from './take-records.handler.js';

const PUT = { kind: 'put', revision: 1, headers: {}, at: 0 } as const;
const STORE = '0123456789abcdef';
const WITHIN_MS = 5_000;
const cart = (spec: object) => datasetOf({ project: 'shop', name: 'cart' }, { type: 'keyvalue', ...spec });

describe('records that a site writes', () => {
  let bus: MemoryBus;
  let copies: CopiesStore;
  let take: TakeRecords;
  let leased: boolean;
  /** Ends the wait of what is stored. */
  let store: () => void;
  let refuse: () => void;
  let told: [string, Delivery][];
  beforeEach(async () => {
    const server = new MemoryServer();
    [bus, told, leased] = [new MemoryBus(server), [], true];
    await bus.ensureStream(STREAMS.REP);
    answerNewest(bus, server, STREAMS.REP.name);
    const log = new JsonLog('replicator', '1', 'error', () => undefined);
    const wanted = new WantedStore();
    copies = new CopiesStore(wanted, new CopySetsStore(bus), new WrappedKeysStore(bus), new HomesStore(bus));
    for (const name of ['a', 'b', 'c']) {
      const site = { ...exampleSite(name), account: `A-${name}` };
      wanted.applySite({ ...PUT, key: name, value: site });
      bus.listen(HUB.recordDelivery(site.account), (m) => {
        told.push([name, deliverySchema.parse(m.json())]);
      });
    }
    const records = new RecordsStore(bus, log);
    await records.begin(() => leased);
    records.marks.start(() => true);
    while (records.marks.of({ project: 'shop', name: 'cart' }) === undefined) await turn();
    const held = new Promise<void>((resolve, reject) => {
      store = resolve;
      refuse = () => reject(new Error('the disk is full'));
    });
    const append = records.append.bind(records);
    records.append = async (...given) => {
      await held;
      return await append(...given);
    };
    take = new TakeRecords(wanted, copies, records, bus, log);
    take.start();
  });
  afterEach(async () => {
    store();
    await take.stop();
    await take.records.marks.stop();
    await bus.close();
  });

  function writes(count: number, value = 'v', more: object = {}): Promise<RecordsAnswer> {
    const records = Array.from({ length: count }, (_, n) => ({
      key: `k${n}`,
      write: n + 1,
      state: { rule: 'newest', at: [Date.now(), n], by: `a.${STORE}`, value },
    }));
    return offers(records, more);
  }
  function offers(records: object[], more: object = {}): Promise<RecordsAnswer> {
    const body = { project: 'shop', name: 'cart', incarnation: 1, store: STORE, records, ...more };
    return new Promise((reply) => {
      const answer = (given: unknown) => reply(recordsAnswerSchema.parse(given));
      void take.handle({
        subject: 'hub.A-a.records',
        json: () => body,
        reply: answer,
      } as PlainMessage);
    });
  }
  /** What the sites have been told when so many words are there. */
  async function heard(count: number): Promise<[string, Delivery][]> {
    const deadline = performance.now() + WITHIN_MS;
    while (told.length < count && performance.now() < deadline) await turn();
    return told;
  }
  /** What they are told before anything is stored, given time for more than that takes. */
  async function early(): Promise<[string, Delivery][]> {
    for (let i = 0; i < 50; i += 1) await turn();
    return told.slice();
  }
  const turn = async () => await new Promise((resolve) => setTimeout(resolve, 1));
  const places = (words: readonly [string, Delivery][]) =>
    words.map(([site, { after, upTo, records }]) => [site, upTo - after, records.length]);

  it('are given to other sites while the hub stores them, and to all with their place when it has', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    const answer = writes(1);
    // Without a place: nobody's cursor moves.
    expect(places(await heard(2))).toEqual([
      ['b', 0, 1],
      ['c', 0, 1],
    ]);
    store();
    expect(await answer).toEqual({ ok: true });
    const after = (await heard(5)).slice(2);
    expect(after.map(([site]) => site)).toEqual(['b', 'c', 'a']);
    expect(after.every(([, { upTo, after: from, records }]) => upTo > from && records.length === 1)).toBe(
      true,
    );
  });

  it('are not given early to those that the site gave them to', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    const dataset = copies.named('shop', 'cart');
    const [site] = take.wanted.allSites();
    const mark = dataset && site && otherSites(take, dataset, site)?.mark;
    const answer = writes(1, 'v', { given: mark });
    expect([typeof mark, await early()]).toEqual(['string', []]);
    store();
    expect(await answer).toEqual({ ok: true });
    expect((await heard(3)).map(([name]) => name)).toEqual(['b', 'c', 'a']);
  });

  it('are given early when the site gave them to others than there are, and the site hears so', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    const answer = writes(1, 'v', { given: '3.0123abcd' });
    expect(places(await heard(2)).map(([name]) => name)).toEqual(['b', 'c']);
    store();
    const dataset = copies.named('shop', 'cart');
    const [site] = take.wanted.allSites();
    expect(await answer).toEqual({ ok: true, others: dataset && site && otherSites(take, dataset, site) });
  });

  it.each([
    ['many at once', 5, 'v'],
    ['large ones', 1, 'v'.repeat(5_000)],
  ])('%s wait until they are stored', async (_what, count, value) => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    void writes(count, value);
    expect(await early()).toEqual([]);
    store();
    expect((await heard(3)).length).toBe(3);
  });

  it('are not given early again while the hub cannot store them', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    refuse();
    expect(await writes(1)).toMatchObject({ ok: false, code: 'unavailable' });
    expect(places(await heard(2))).toEqual([
      ['b', 0, 1],
      ['c', 0, 1],
    ]);
    told.length = 0;
    void writes(1);
    expect(await early()).toEqual([]);
  });

  it.each([
    ['wait for what they have seen of a site that has not sent it', 'b', { code: 'unavailable', ok: false }],
    ['are taken with what they have seen of a site that is no more', 'd', { ok: true }],
  ])('%s', async (_what, other, answer) => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'keep-both' }) });
    store();
    const sibling = { by: `a.${STORE}`, at: [Date.now(), 0], write: 1, value: 'v' };
    const seen = { [`a.${STORE}`]: 1, [`${other}.00000000000000aa`]: 7 };
    const state = { rule: 'keep-both', seen, siblings: [sibling] };
    expect(await offers([{ key: 'k', write: 1, state }])).toMatchObject(answer);
  });

  it('wait until they are stored where the lease may be another instance’s', async () => {
    copies.apply({ ...PUT, key: 'shop.cart', value: cart({ conflicts: 'newest' }) });
    leased = false;
    void writes(1);
    expect(await early()).toEqual([]);
  });
});
