import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { BUCKETS, EPOCH_KEY, JETSTREAM_API } from '@skerry/contracts';
import { S3mini } from 's3mini';
import { BackupStore } from './backup-store.js';
import { createBackup } from './create-backup.js';
import { FaultyWay, type Fault } from './faults.suite.js';
import { NOUNS } from './nouns.js';
import { openTarget } from './open-target.js';
import { OwnServer } from './own-server.suite.js';
import { pruneBackups } from './prune-backups.js';
import { restoreBackup } from './restore-backup.js';
import { s3AccessIn, S3Target, type S3Access } from './s3-target.js';
import { makeKeyText, parseKeyText } from './sealing.js';
import { SwiftStore } from './swift.suite.js';
import { verifyBackup } from './verify-backup.js';

/** A download of Swift, where the machine has none yet. */
const START_MS = 180_000;
const TEST_MS = 60_000;
/** Of many parts on its way there and back. */
const LARGE_BYTES = 9 * 1024 * 1024;
const KEYS = 300;

let swift: SwiftStore;
let tests = 0;

beforeAll(async () => {
  swift = await SwiftStore.start();
  await swift.makeBucket('backups');
}, START_MS);
afterAll(async () => await swift.stop());
beforeEach(() => void (tests += 1));

/** A place of each test's own. */
function target(access: Partial<S3Access> = {}, bucket = 'backups'): S3Target {
  const prefix = `test.${tests}/b_c-d`;
  return new S3Target(`s3://${bucket}/${prefix}`, { bucket, prefix }, { ...swift.access, ...access });
}

/** Bytes that are the same in no two places near each other. */
function largeBlob(): Buffer {
  return Buffer.from(Uint32Array.from({ length: LARGE_BYTES / 4 }, (_, n) => n).buffer);
}

describe('blobs at an S3-compatible store', () => {
  it('lie below the prefix, and are listed over as many pages as there are', async () => {
    const own = target();
    const numbers = Array.from({ length: 25 }, (_, n) => n);
    const names = numbers.map((n) => `chunks/${String(n % 7).padStart(2, '0')}/${n}`).toSorted();
    await Promise.all(names.map(async (name) => await own.put(name, Buffer.from(name))));
    for (const name of ['backups/1', 'chunksome']) await own.put(name, Buffer.from('beside'));
    const way = await FaultyWay.start(swift.access.endpoint);
    expect(await target({ endpoint: way.endpoint }).list('chunks/')).toEqual(names);
    expect(way.requests).toBe(3);
    await way.stop();
    expect(await own.list('chunks/03/')).toEqual(names.filter((name) => name.startsWith('chunks/03/')));
    expect(await own.list('none/')).toEqual([]);
    expect(await target().list('')).toHaveLength(names.length + 2);
  });

  it('come back bit by bit, as they were put last, until they are removed', async () => {
    const own = target();
    const large = largeBlob();
    await own.put('one', Buffer.from([0, 255, 10]));
    expect([...((await own.get('one')) ?? [])]).toEqual([0, 255, 10]);
    await own.put('one', large);
    expect(large.equals((await own.get('one')) ?? Buffer.of())).toBe(true);
    await own.put('one', Buffer.of());
    expect((await own.get('one'))?.length).toBe(0);
    for (let n = 0; n < 2; n += 1) await own.remove('one');
    expect(await own.get('one')).toBeUndefined();
    expect(await own.list('')).toEqual([]);
  });

  it.each(['x+y=0', 'a b', 'ä/ö', 'a%20b', 'a&b<c>', 'x//y', 'a:b@c,d;e?f#g', '日本'])(
    'may be named %s',
    async (name) => {
      const own = target();
      await own.put(name, Buffer.from(name));
      expect(Buffer.from((await own.get(name)) ?? []).toString()).toBe(name);
      expect(await own.list('')).toEqual([name]);
    },
  );
});

describe('a store that says no', () => {
  const refusal = async (asked: Promise<unknown>) =>
    await asked.then(
      () => 'done',
      (error: unknown) => error,
    );

  it.each([
    ['the secret', { secretAccessKey: 'wrong-secret' }, '403 SignatureDoesNotMatch', 'AWS_SECRET_ACCESS_KEY'],
    ['the name', { accessKeyId: 'skerry:stranger' }, '403 SignatureDoesNotMatch', 'AWS_ACCESS_KEY_ID'],
    ['the region', { region: 'us-east-1' }, '400 AuthorizationHeaderMalformed', 'AWS_REGION=eu-1'],
    ['what these keys may', { accessKeyId: 'skerry:guest' }, '403 AccessDenied', 'these keys may not'],
  ])('to %s is asked once, and neither key is shown', async (_what, access, said, hint) => {
    const way = await FaultyWay.start(swift.access.endpoint);
    const stranger = target({ ...access, endpoint: way.endpoint });
    const asked = [
      stranger.put('one', Buffer.of(1)),
      stranger.get('one'),
      stranger.list(''),
      stranger.remove('one'),
    ];
    const refusals = await Promise.all(asked.map(refusal));
    await way.stop();
    for (const error of refusals) {
      expect(error).toMatchObject({ name: 'BackupTrouble', message: expect.stringContaining(said) });
      expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
      const { accessKeyId, secretAccessKey } = { ...swift.access, ...access };
      const shown = JSON.stringify(error, Object.getOwnPropertyNames(error));
      expect([shown.includes(accessKeyId), shown.includes(secretAccessKey)]).toEqual([false, false]);
    }
    expect(way.requests).toBe(asked.length);
    expect(await target().list('')).toEqual([]);
  });

  it('lacks the bucket, and says so', async () => {
    const nowhere = target({}, 'nowhere');
    const asked = [nowhere.put('one', Buffer.of(1)), nowhere.list('chunks/'), nowhere.remove('one')];
    for (const error of await Promise.all(asked.map(refusal)))
      expect(error).toMatchObject({
        message: `${nowhere.place}: there is no such bucket`,
        hint: 'make the bucket first, or name another',
      });
  });
});

describe('on a bad way to a store', () => {
  let way: FaultyWay;
  beforeEach(async () => (way = await FaultyWay.start(swift.access.endpoint)));
  afterEach(async () => await way.stop());

  it.each<Fault>(['busy', 'breaks off there', 'breaks off back'])(
    'what %s is asked for again, and is then done whole',
    async (fault) => {
      const large = largeBlob();
      const faulty = target({ endpoint: way.endpoint });
      way.faults = [fault];
      await faulty.put('one', large);
      way.faults = [fault, fault];
      const [one, names] = await Promise.all([faulty.get('one'), faulty.list('')]);
      expect(large.equals(one ?? Buffer.of())).toBe(true);
      expect(names).toEqual(['one']);
      expect(way.requests).toBe(6);
    },
  );

  it('nothing is left of a blob that broke off, and what was there stays', async () => {
    const { endpoint, ...access } = { ...swift.access, endpoint: `${way.endpoint}/backups` };
    const once = new S3mini({ ...access, endpoint });
    for (const before of [undefined, Buffer.from('before')]) {
      if (before !== undefined) await target().put('one', before);
      way.faults = ['breaks off there'];
      await expect(once.putObject(`test.${tests}/b_c-d/one`, largeBlob())).rejects.toThrow('fetch failed');
      expect(await target().get('one')).toEqual(before === undefined ? undefined : new Uint8Array(before));
    }
  });
});

describe('a backup at an S3-compatible store', () => {
  let server: OwnServer;
  beforeAll(async () => (server = await OwnServer.start()), TEST_MS);
  afterAll(async () => await server.stop());

  it(
    'is made, checked, restored and pruned there, encrypted, and takes room once',
    async () => {
      const { bus } = server;
      const workloads = bus.bucket(BUCKETS.workloads, (value) => value);
      for (const bucket of [BUCKETS.workloads, BUCKETS.placements]) await bus.ensureBucket(bucket);
      const numbers = Array.from({ length: KEYS }, (_, n) => n);
      await workloads.putAll(numbers.map((n) => ({ key: `shop.w${n}`, value: { n }, revision: 0 })));
      const epoch = { kind: 'Epoch', instance: 's', at: 'now', term: 3 };
      await bus.bucket(BUCKETS.placements, (value) => value).put(EPOCH_KEY, epoch, 0);

      const key = parseKeyText(makeKeyText(), 'the test');
      await expect(BackupStore.open(target(), key)).rejects.toThrow(
        'there are no backups at s3://backups/test',
      );
      const store = await BackupStore.open(target(), key, { make: true });
      const options = { history: false, datasets: [], jurisdictions: [] };
      const first = await createBackup(bus, store, options);
      await workloads.set('shop.w7', { n: 'changed' });
      const second = await createBackup(bus, await BackupStore.open(target(), key), options);
      expect([first.added.chunks > 3, second.added.chunks]).toEqual([true, 1]);
      for (const name of await target().list(''))
        expect(Buffer.from((await target().get(name)) ?? []).includes('shop')).toBe(false);

      for (const { stream } of NOUNS)
        if ((await bus.streamState(stream)) !== undefined)
          await bus.request(JETSTREAM_API.streamDelete(stream), {});
      expect(await store.ids()).toEqual([first.id, second.id]);
      await verifyBackup(store, await store.manifest(first.id));
      await restoreBackup(bus, store, await store.manifest(first.id), { force: false, replicas: 1 });
      expect((await workloads.get('shop.w7'))?.value).toEqual({ n: 7 });
      expect((await workloads.get(`shop.w${KEYS - 1}`))?.value).toEqual({ n: KEYS - 1 });

      expect(await pruneBackups(store, { keep: 1, preview: false })).toMatchObject({ chunks: 1 });
      expect(await store.ids()).toEqual([second.id]);
      await verifyBackup(store, await store.manifest(undefined));
      expect(await target().list('turns/')).toEqual([]);
      const [lost = ''] = await target().list('chunks/');
      await target().remove(lost);
      await expect(verifyBackup(store, second)).rejects.toMatchObject({
        lines: [expect.stringContaining(`${lost} is missing`)],
      });
    },
    TEST_MS,
  );
});

describe('a place at an S3-compatible store', () => {
  it('needs an address and keys from the environment, and says which are missing', async () => {
    expect(() => s3AccessIn({ AWS_ENDPOINT_URL: 'https://s3.example.org' })).toThrow(
      'the environment lacks AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY',
    );
    await expect(openTarget('s3://backups', {})).rejects.toThrow('the environment lacks AWS_ENDPOINT_URL');
    await expect(openTarget('ftp://backups', {})).rejects.toThrow('backups are not kept at ftp://backups');
  });

  it('is what an address and keys from the environment name, below a prefix that no address shortens', async () => {
    const { endpoint, region, accessKeyId, secretAccessKey } = swift.access;
    const env = {
      AWS_ENDPOINT_URL: `${endpoint}/`,
      AWS_REGION: region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    };
    const opened = await openTarget(`s3://backups/test.${tests}/b_c-d/`, env);
    await opened.put('one', Buffer.of(1));
    expect(await target().list('')).toEqual(['one']);
    for (const prefix of ['.', 'a/..', 'a/../b', '../a', './a'])
      await expect(openTarget(`s3://backups/${prefix}`, env)).rejects.toThrow(
        'backups are not kept at s3://',
      );
  });
});
