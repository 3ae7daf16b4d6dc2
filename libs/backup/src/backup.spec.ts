import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Bus, Bucket } from '@skerry/bus';
import {
  BUCKETS,
  bucketStream,
  entriesSubject,
  EPOCH_KEY,
  JETSTREAM_API,
  recordSubject,
  STREAMS,
} from '@skerry/contracts';
import { createPrivateFile } from '@skerry/identity';
import { BackupStore } from './backup-store.js';
import { createBackup, type CreateOptions } from './create-backup.js';
import { FolderTarget } from './folder-target.js';
import type { Manifest } from './manifest.js';
import { NOUNS } from './nouns.js';
import { OwnServer } from './own-server.suite.js';
import { readLogAt } from './read-log.js';
import { restoreBackup } from './restore-backup.js';
import { makeKeyText, parseKeyText } from './sealing.js';
import { verifyBackup } from './verify-backup.js';

const KEYS = 300;
/** Streams are made and deleted by the dozen, which a busy disk takes its time for. */
const TEST_MS = 60_000;
const CONTROL: CreateOptions = { history: false, datasets: [], jurisdictions: [] };
const key = () => parseKeyText(makeKeyText(), 'the test');

describe('a backup of a hub', () => {
  let server: OwnServer;
  let bus: Bus;
  let workloads: Bucket<unknown>;
  let placements: Bucket<unknown>;
  let store: BackupStore;
  let place: string;
  let count = 0;

  beforeAll(async () => {
    server = await OwnServer.start();
    bus = server.bus;
    workloads = bus.bucket(BUCKETS.workloads, (value) => value);
    placements = bus.bucket(BUCKETS.placements, (value) => value);
  }, 30_000);
  afterAll(async () => await server.stop());

  beforeEach(async () => {
    await wipe();
    place = join(server.folder, `backups-${(count += 1)}`);
    store = await BackupStore.open(new FolderTarget(place), key(), { make: true });
  });

  async function wipe(): Promise<void> {
    await Promise.all(
      NOUNS.map(async ({ stream }) => {
        if ((await bus.streamState(stream)) !== undefined)
          await bus.request(JETSTREAM_API.streamDelete(stream), {});
      }),
    );
  }

  async function found(): Promise<void> {
    for (const bucket of [BUCKETS.workloads, BUCKETS.placements, BUCKETS.datasets, BUCKETS.leases])
      await bus.ensureBucket(bucket);
    for (const stream of [STREAMS.CMD, STREAMS.REP, STREAMS.EVT]) await bus.ensureStream(stream);
    const writes = Array.from({ length: KEYS }, (_, n) => ({ key: `shop.w${n}`, value: { n }, revision: 0 }));
    await workloads.putAll(writes);
    await workloads.put('shop.traced', { n: -1 }, 0, { headers: { traceparent: 'abc' } });
    await workloads.put('shop.gone', {}, 0);
    await workloads.delete('shop.gone');
    await placements.put(EPOCH_KEY, { kind: 'Epoch', instance: 's', at: 'now', term: 3 }, 0);
    await placements.put('shop.w1', { version: { term: 4, generation: 1, revision: 1 } }, 0);
  }

  async function valuesOf(
    bucket: Bucket<unknown>,
  ): Promise<Map<string, { value: unknown; headers: object }>> {
    const values = new Map<string, { value: unknown; headers: object }>();
    const following = await bucket.follow((change) => {
      if (change.kind !== 'put') return;
      const own = Object.entries(change.headers).filter(([name]) => !name.startsWith('Nats-'));
      values.set(change.key, { value: change.value, headers: Object.fromEntries(own) });
    });
    await following.caughtUp;
    await following.drain();
    return values;
  }

  const filesIn = async (folder: string): Promise<string[]> =>
    (await readdir(join(place, folder), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .toSorted();

  const restore = async (manifest: Manifest, force = false) =>
    await restoreBackup(bus, store, manifest, { force, replicas: 1 });

  it(
    'brings a hub back whose disks are gone, in the next term, with no sequence given twice',
    async () => {
      await found();
      const before = await valuesOf(workloads);
      const last = (await bus.streamState(bucketStream(BUCKETS.workloads.name)))?.lastSequence ?? 0;
      const { id } = await createBackup(bus, store, CONTROL);
      await wipe();
      const manifest = await store.manifest(id);
      expect(await restore(manifest)).toMatchObject({ term: 5 });
      expect(await valuesOf(workloads)).toEqual(before);
      expect(before.has('shop.gone')).toBe(false);
      expect(before.get('shop.traced')?.headers).toEqual({ traceparent: 'abc' });
      expect((await workloads.get('shop.w1'))?.revision).toBeGreaterThan(last + 2 ** 31);
      expect((await placements.get(EPOCH_KEY))?.value).toMatchObject({ kind: 'Epoch', term: 5 });
      // Also what is not in it: sites and commands are counted by these.
      for (const { stream } of NOUNS)
        expect((await bus.streamState(stream))?.lastSequence).toBeGreaterThan(2 ** 31);
      expect((await bus.streamState(STREAMS.EVT.name))?.messages).toBe(0);
      // A second loss: the term goes on.
      expect((await createBackup(bus, store, CONTROL)).term).toBe(5);
    },
    TEST_MS,
  );

  it(
    'takes room only for what changed since the last one',
    async () => {
      await found();
      const first = await createBackup(bus, store, CONTROL);
      expect((await createBackup(bus, store, CONTROL)).added).toEqual({ chunks: 0, bytes: 0 });
      await workloads.set('shop.w7', { n: 'changed' });
      const third = await createBackup(bus, store, CONTROL);
      expect(first.added.chunks).toBeGreaterThan(3);
      expect(third.added.chunks).toBe(1);
      expect(await store.ids()).toHaveLength(3);
      await verifyBackup(store, await store.manifest(first.id));
    },
    TEST_MS,
  );

  it(
    'is of one moment, also while it is written to',
    async () => {
      await found();
      const writing = new AbortController();
      const pairs = (async () => {
        for (let n = 1; !writing.signal.aborted; n += 1) {
          await workloads.set('shop.first', { n });
          await workloads.set('shop.second', { n });
          await new Promise((go) => setTimeout(go, 5));
        }
      })();
      const made: Manifest[] = [];
      for (let n = 0; n < 3; n += 1) made.push(await createBackup(bus, store, CONTROL));
      writing.abort();
      await pairs;
      for (const { parts } of made) {
        const part = parts.find(({ name }) => name === 'workloads');
        const chunks = await Promise.all((part?.chunks ?? []).map(async (name) => await store.chunk(name)));
        const numbers = new Map<string, number>();
        for (const entry of chunks.flatMap((chunk) => (typeof chunk === 'string' ? [] : chunk))) {
          expect(entry.sequence).toBeLessThanOrEqual(part?.sequence ?? 0);
          numbers.set(entry.subject, JSON.parse(Buffer.from(entry.body).toString()).n);
        }
        expect(numbers.size).toBeGreaterThanOrEqual(KEYS + 1);
        const [first = 0, second = 0] = ['first', 'second'].map((k) =>
          numbers.get(`$KV.workloads.shop.${k}`),
        );
        expect([0, 1]).toContain(first - second);
      }
    },
    TEST_MS,
  );

  it(
    'names what is damaged or missing, and is then not restored at all',
    async () => {
      await found();
      const { id } = await createBackup(bus, store, CONTROL);
      const manifest = await store.manifest(id);
      const [one = '', two = ''] = manifest.parts.find(({ name }) => name === 'workloads')?.chunks ?? [];
      const pathTo = (name: string) => join(place, 'chunks', name.slice(0, 2), name);
      const bytes = await readFile(pathTo(one));
      bytes[40] = (bytes[40] ?? 0) ^ 1;
      await writeFile(pathTo(one), bytes);
      await rm(pathTo(two));
      const lines = [
        `workloads: chunks/${one.slice(0, 2)}/${one} is damaged`,
        `workloads: chunks/${two.slice(0, 2)}/${two} is missing`,
      ];
      await expect(verifyBackup(store, manifest)).rejects.toMatchObject({ lines });
      await wipe();
      await expect(restore(manifest)).rejects.toMatchObject({ lines });
      expect(await bus.streamState(bucketStream(BUCKETS.workloads.name))).toBeUndefined();
      const [list = ''] = await filesIn('backups');
      await writeFile(list, 'nothing');
      await expect(store.manifest(id)).rejects.toThrow(`backup ${id} is damaged`);
    },
    TEST_MS,
  );

  it(
    'goes into no hub that holds something, unless forced, and into none where services run',
    async () => {
      await found();
      const manifest = await createBackup(bus, store, CONTROL);
      await workloads.set('shop.w7', { n: 'changed' });
      await expect(restore(manifest)).rejects.toMatchObject({
        message: 'this hub is not empty',
        lines: expect.arrayContaining([expect.stringMatching(/^workloads: 30\d messages$/)]),
      });
      const leases = bus.bucket<unknown>(BUCKETS.leases, (value) => value);
      await leases.set('scheduler', { holder: 'somebody' });
      await expect(restore(manifest, true)).rejects.toThrow('services run on this hub: scheduler');
      await leases.delete('scheduler');
      await restore(manifest, true);
      expect((await workloads.get('shop.w7'))?.value).toEqual({ n: 7 });
    },
    TEST_MS,
  );

  it(
    'holds the keys of the cloud when their folder is named, and puts them where no others are',
    async () => {
      await found();
      const folder = join(server.folder, `identity-${count}`);
      const files = { 'operator.jwt': 'jwt', 'operator.seed': 'never', 'sites/eu.seed': 'seed' };
      for (const [name, text] of Object.entries(files)) await createPrivateFile(join(folder, name), text);
      const manifest = await createBackup(bus, store, { ...CONTROL, identity: folder });
      await wipe();
      const other = join(server.folder, `other-${count}`);
      await createPrivateFile(join(other, 'sites/eu.seed'), 'another');
      const into = async (identity: string) =>
        await restoreBackup(bus, store, manifest, { force: true, replicas: 1, identity });
      await expect(into(other)).rejects.toMatchObject({ lines: ['sites/eu.seed'] });
      expect(await bus.streamState(bucketStream(BUCKETS.workloads.name))).toBeUndefined();
      await rm(other, { recursive: true });
      await into(other);
      expect((await readdir(other, { recursive: true })).toSorted()).toEqual([
        'operator.jwt',
        'sites',
        'sites/eu.seed',
      ]);
      expect((await stat(join(other, 'sites/eu.seed'))).mode & 0o777).toBe(0o600);
    },
    TEST_MS,
  );

  it(
    'is read by nobody without its key',
    async () => {
      await found();
      await createBackup(bus, store, CONTROL);
      await expect(BackupStore.open(new FolderTarget(place), key())).rejects.toThrow('made with another key');
      for (const file of [...(await filesIn('backups')), ...(await filesIn('chunks'))])
        expect((await readFile(file)).includes('shop')).toBe(false);
    },
    TEST_MS,
  );

  it(
    'holds a log as it was at a time, also what the hub keeps no more',
    async () => {
      await found();
      await bus.ensureStream(STREAMS.LOGS);
      const datasets = bus.bucket<unknown>(BUCKETS.datasets, (value) => value);
      const cart = { project: 'shop', name: 'cart' };
      await datasets.put('shop.cart', dataset('cart'), 0);
      const origin = 'one.0000000000000001';
      const append = async (number: number, at: number) => {
        const entries = [{ number, at, value: `entry ${number}` }];
        const batch = { kind: 'Entries', ...cart, incarnation: 1, origin, from: number, upTo: number };
        await bus.publish(entriesSubject(cart, origin), { ...batch, entries, totalBytes: number });
      };
      const began = Date.now();
      await append(1, began - 2_000);
      await createBackup(bus, store, { ...CONTROL, datasets: ['shop/cart'] });
      await bus.request(`$JS.API.STREAM.PURGE.${STREAMS.LOGS.name}`, {});
      await append(2, began - 1_000);
      await append(3, began);
      await createBackup(bus, store, { ...CONTROL, datasets: ['shop/cart'] });
      const values = async (until: number) =>
        (await readLogAt(store, cart, { until })).entries.map(({ value }) => value);
      expect(await values(began - 1_000)).toEqual(['entry 1']);
      expect(await values(began)).toEqual(['entry 1']);
      const all = (await store.manifest(undefined)).parts.find(({ name }) => name === 'LOGS')?.readAt ?? '';
      expect(await values(Date.parse(all))).toEqual(['entry 1', 'entry 2', 'entry 3']);
      await expect(values(Date.now() + 60_000)).rejects.toThrow('reaches');
    },
    TEST_MS,
  );

  it(
    'holds what the chosen datasets hold, and nothing of those that may not rest there',
    async () => {
      await found();
      const datasets = bus.bucket<unknown>(BUCKETS.datasets, (value) => value);
      for (const name of ['cart', 'law', 'lore', 'old', 'safe'])
        await datasets.put(`shop.${name}`, dataset(name), 0);
      for (const name of ['cart', 'law', 'old', 'cart-2'])
        await bus.publish(recordSubject({ project: 'shop', name }, 'one.0000000000000001', 'k'), { name });
      const all = await createBackup(bus, store, { ...CONTROL, datasets: 'all' });
      expect(all).toMatchObject({
        datasets: ['shop/cart', 'shop/safe'],
        leftOut: [{ dataset: 'shop/law' }, { dataset: 'shop/lore' }],
      });
      const inEu = { ...CONTROL, jurisdictions: ['eu'] };
      expect((await createBackup(bus, store, { ...inEu, datasets: 'all' })).datasets).toEqual([
        'shop/cart',
        'shop/law',
        'shop/safe',
      ]);
      await expect(createBackup(bus, store, { ...CONTROL, datasets: ['shop/law'] })).rejects.toMatchObject({
        lines: [expect.stringContaining('shop/law: it has a residency rule')],
      });
      await expect(createBackup(bus, store, { ...inEu, datasets: ['shop/lore'] })).rejects.toMatchObject({
        lines: ['shop/lore: what is written in us stays there, and backups are kept in eu'],
      });
      const inBoth = { ...CONTROL, jurisdictions: ['eu', 'us'], datasets: ['shop/lore'] };
      expect(await createBackup(bus, store, inBoth)).toMatchObject({ datasets: ['shop/lore'] });
      await expect(createBackup(bus, store, { ...inEu, datasets: ['shop/none'] })).rejects.toThrow(
        'shop/none',
      );
      expect(all.parts.find(({ name }) => name === 'REP')).toMatchObject({ entries: 1 });
    },
    TEST_MS,
  );
});

function dataset(name: string): object {
  const at = '2026-01-01T00:00:00.000Z';
  const rules: Readonly<Record<string, object>> = {
    law: { stay: ['eu'] },
    safe: { stay: ['eu'] },
    lore: { origin: { among: ['eu', 'us'] } },
  };
  const residency = name in rules ? { residency: rules[name] } : {};
  return {
    kind: 'Dataset',
    project: 'shop',
    name,
    labels: {},
    generation: 1,
    specDigest: `sha256:${'0'.repeat(64)}`,
    removed: name === 'old',
    createdAt: at,
    updatedAt: at,
    requestId: 'request-1',
    commandSequence: 1,
    incarnation: 1,
    // Ciphertext may rest anywhere.
    spec: { type: 'keyvalue', ...residency, ...(name === 'safe' ? { encryption: { at: 'site' } } : {}) },
  };
}
