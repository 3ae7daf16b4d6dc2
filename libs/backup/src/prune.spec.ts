import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { BackupStore } from './backup-store.js';
import { FolderTarget } from './folder-target.js';
import { goes, pruneBackups } from './prune-backups.js';
import { makeKeyText, parseKeyText } from './sealing.js';
import { inTurn } from './turns.js';
import { verifyBackup } from './verify-backup.js';

const DAY_MS = 86_400_000;

describe('old backups', () => {
  let folder: string;
  let target: FolderTarget;
  let store: BackupStore;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skerry-prune-'));
    target = new FolderTarget(folder);
    store = await BackupStore.open(target, parseKeyText(makeKeyText(), 'the test'), { make: true });
  });
  afterEach(async () => await rm(folder, { recursive: true, force: true }));

  /** A backup of one day: a chunk that all share, and one of its own. */
  async function made(day: number): Promise<string> {
    const chunks: string[] = [];
    for (const text of ['shared', `of day ${day}`]) {
      const body = Buffer.from(text);
      const entry = { subject: `a.${text}`, sequence: 1, storedAt: 0, headers: {}, body };
      chunks.push((await store.add([entry])).name);
    }
    const createdAt = new Date(day * DAY_MS).toISOString();
    const at = createdAt.replace(/\.\d+Z$/, 'Z').replace(/[-:]/g, '');
    const id = `${at}-00000${day}`;
    const part = { name: 'workloads', stream: 'KV_workloads', sequence: 1, readAt: createdAt };
    await store.finish({
      format: 1,
      id,
      createdAt,
      term: 1,
      parts: [{ ...part, entries: 2, bytes: 1, chunks }],
      sequences: {},
      datasets: [],
      leftOut: [],
      added: { chunks: 1, bytes: 1 },
    });
    return id;
  }
  const filesThere = async () => (await target.list('chunks/')).length;

  it('go with what no other needs, and what stays is whole', async () => {
    const ids = [await made(1), await made(2), await made(3)];
    expect(await pruneBackups(store, { keep: 2, preview: false })).toMatchObject({
      gone: [{ id: ids[0] }],
      kept: ids.slice(1),
      chunks: 1,
    });
    expect(await store.ids()).toEqual(ids.slice(1));
    for (const id of ids.slice(1)) await verifyBackup(store, await store.manifest(id));
    expect(await filesThere()).toBe(3);
    expect(await readdir(join(folder, 'turns'))).toEqual([]);
  });

  it('are only named when nothing is to be removed yet', async () => {
    for (const day of [1, 2]) await made(day);
    expect(await pruneBackups(store, { keep: 1, preview: true })).toMatchObject({ chunks: 1 });
    expect([(await store.ids()).length, await filesThere()]).toEqual([2, 3]);
  });

  it('go by every rule that is given, and the newest never', () => {
    const all = [1, 2, 3, 4].map((day) => ({ createdAt: new Date(day * DAY_MS).toISOString() }));
    const days = (rule: Parameters<typeof goes>[1]) =>
      goes(all, rule).map(({ createdAt }) => Date.parse(createdAt) / DAY_MS);
    expect(days({ keep: 2 })).toEqual([1, 2]);
    expect(days({ before: 3 * DAY_MS })).toEqual([1, 2]);
    expect(days({ keep: 3, before: 3 * DAY_MS })).toEqual([1]);
    expect(days({ before: 99 * DAY_MS })).toEqual([1, 2, 3]);
    expect(days({ keep: 9 })).toEqual([]);
  });

  it('broken off at any step, leave every backup that is listed whole, and the next one removes the rest', async () => {
    const removals = 4;
    for (let allowed = 0; allowed <= removals; allowed += 1) {
      await rm(folder, { recursive: true, force: true });
      store = await BackupStore.open(target, parseKeyText(makeKeyText(), 'the test'), { make: true });
      for (const day of [1, 2, 3]) await made(day);
      const remove = store.target.remove.bind(store.target);
      let done = 0;
      store.target.remove = async (name) => {
        if (done === allowed) throw new Error('killed');
        done += name.startsWith('turns/') ? 0 : 1;
        await remove(name);
      };
      const first = await pruneBackups(store, { keep: 1, preview: false }).catch(String);
      expect(first === 'Error: killed').toBe(allowed < removals);
      store.target.remove = remove;
      for (const id of await store.ids()) await verifyBackup(store, await store.manifest(id));
      await pruneBackups(store, { keep: 1, preview: false });
      expect([(await store.ids()).length, await filesThere()]).toEqual([1, 2]);
    }
  });

  it('stay while a backup is made, which counts on their chunks; and none is made while they go', async () => {
    for (const day of [1, 2]) await made(day);
    const prune = async () => await pruneBackups(store, { keep: 1, preview: false });
    await inTurn(target, 'making', async () => {
      await expect(prune()).rejects.toThrow('a backup is being made there');
    });
    await inTurn(target, 'pruning', async () => {
      await expect(inTurn(target, 'making', prune)).rejects.toThrow('old backups are being removed there');
    });
    expect(await prune()).toMatchObject({ chunks: 1 });
  });

  it('wait a quarter of an hour for one who was killed, and no longer', async () => {
    const minutes = (n: number) => () => n * 60_000;
    const killed = new FolderTarget(folder);
    killed.remove = async () => await Promise.resolve();
    await inTurn(killed, 'making', async () => await Promise.resolve(), minutes(100));
    const prune = async (at: number) =>
      await inTurn(target, 'pruning', async () => await Promise.resolve('pruned'), minutes(at));
    await expect(prune(114)).rejects.toMatchObject({ hint: expect.stringContaining('in 1 min') });
    expect(await prune(116)).toBe('pruned');
    expect(await target.list('turns/')).toEqual([]);
  });

  it('stay all when the list of one that stays cannot be read: what it needs is not known', async () => {
    for (const day of [1, 2]) await made(day);
    const [, newest = ''] = await store.ids();
    await target.put(`backups/${newest}`, Buffer.from('damaged'));
    await expect(pruneBackups(store, { keep: 1, preview: false })).rejects.toThrow('is damaged');
    expect([(await store.ids()).length, await filesThere()]).toEqual([2, 3]);
  });
});
