import { mkdtemp, rm, readdir, rename, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { assignment, QUIET, tombstone } from '../site-under-test.suite.js';
import { DesiredStore } from './desired-store.js';
import { Tombstones } from './tombstones.js';

describe('what a site holds', () => {
  let dir: string;
  const places = () => ({ desired: join(dir, 'desired'), quarantine: join(dir, 'quarantine') });
  const open = async () => await DesiredStore.open(places(), QUIET);

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'skerry-store-'));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  it('is the newest version by term, then generation, then revision, whatever order they come in', async () => {
    const store = await open();
    const offer = async (version: object) => await store.offer(assignment('web', { version }));
    expect(await offer({ generation: 2, revision: 3 })).toBe('newer');
    expect(await offer({ generation: 2, revision: 3 })).toBe('same');
    expect(await offer({ generation: 1, revision: 9 })).toBe('older');
    expect(await offer({ generation: 2, revision: 4 })).toBe('newer');
    expect(await offer({ term: 2, generation: 1, revision: 1 })).toBe('newer');
    const again = await open();
    expect(again.get('shop.web')?.object).toMatchObject({ version: { term: 2, generation: 1, revision: 1 } });
  });

  it('keeps a tombstone, so that an older assignment does not come back', async () => {
    await (await open()).offer(tombstone('web', { generation: 2 }));
    const again = await open();
    expect(await again.offer(assignment('web', { version: { generation: 1 } }))).toBe('older');
    expect(again.get('shop.web')?.object.kind).toBe('Tombstone');
  });

  it('lets a tombstone go a day after the hub has stored that it was carried out, not before', async () => {
    const store = await open();
    const tombstones = new Tombstones(store, QUIET);
    const day = 24 * 60 * 60_000;
    await store.offer(tombstone('web'));
    expect(await tombstones.dropOld(Date.now() + 9 * day)).toEqual([]);
    tombstones.acknowledged({
      project: 'shop',
      name: 'web',
      version: { term: 1, generation: 2, revision: 1 },
    });
    await store.settled();
    expect(await tombstones.dropOld(Date.now() + day / 2)).toEqual([]);
    expect(await tombstones.dropOld(Date.now() + day + 1_000)).toEqual([{ project: 'shop', name: 'web' }]);
    expect(await readdir(places().desired)).toEqual([]);
  });

  it('takes an object when it comes again, after the disk did not take it', async () => {
    const store = await open();
    await rename(places().desired, join(dir, 'away'));
    await expect(store.offer(assignment('web'))).rejects.toThrow('keep shop.web on the disk');
    await mkdir(places().desired);
    expect(await store.offer(assignment('web'))).toBe('newer');
  });

  it('writes many versions of one workload in order, and ends with the newest', async () => {
    const store = await open();
    const generations = Array.from({ length: 50 }, (_, n) => n + 1);
    await Promise.all(
      generations.map(
        async (generation) => await store.offer(assignment('web', { version: { generation } })),
      ),
    );
    expect((await open()).get('shop.web')?.object).toMatchObject({ version: { generation: 50 } });
  });
});
