import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from '@skerry/contracts';
import { z } from 'zod';
import { readJson, writeAtomic } from '../files/atomic-file.js';
import { DurableFolder } from '../files/durable-folder.js';
import { reason, type Log } from '../log.js';
import { replicaRecordSchema, type ReplicaRecord } from './replica-record.js';

/** Pretended replicas are written together, this long after the first change. */
const BATCH_MS = 200;

/**
 * The replicas of this node on its disk. A real process has a file of its own, on the disk before its command
 * begins: an agent killed at any moment finds all it started. Pretended ones share one file, written in batches.
 */
export class ReplicaStore {
  private readonly pretended = new Map<string, ReplicaRecord>();
  private readonly folder: DurableFolder;
  private readonly newest = new Map<string, ReplicaRecord | undefined>();
  private batch: NodeJS.Timeout | undefined;

  private constructor(
    private readonly places: { replicas: string; mocks: string },
    private readonly log: Log,
  ) {
    this.folder = new DurableFolder(places.replicas);
  }

  /** Opens the store and reads all records. A damaged one is named in the log and left out. */
  static async open(
    places: { replicas: string; mocks: string },
    log: Log,
  ): Promise<{ store: ReplicaStore; records: ReplicaRecord[] }> {
    await mkdir(places.replicas, { recursive: true, mode: 0o700 });
    const store = new ReplicaStore(places, log);
    const files = (await readdir(places.replicas)).filter((f) => f.endsWith('.json'));
    const real = await Promise.all(files.map(async (f) => await store.read(join(places.replicas, f))));
    const records = [...real.flat(), ...(await store.read(places.mocks))];
    for (const record of records) if (record.driver === 'mock') store.pretended.set(record.id, record);
    return { store, records };
  }

  /** Keeps a record; for a real process it resolves when that is on the disk. */
  async put(record: ReplicaRecord): Promise<void> {
    if (record.driver === 'mock') {
      this.pretended.set(record.id, record);
      this.batchSoon();
      return;
    }
    await this.write(record.id, record);
  }

  /** Forgets a record. */
  async remove(record: ReplicaRecord): Promise<void> {
    if (record.driver === 'mock') {
      this.pretended.delete(record.id);
      this.batchSoon();
      return;
    }
    await this.write(record.id, undefined);
  }

  /** Resolves when everything is on the disk. */
  async flush(): Promise<void> {
    await this.folder.settled();
    if (this.batch !== undefined) await this.writeBatch();
  }

  private async write(id: string, record: ReplicaRecord | undefined): Promise<void> {
    const file = `${id}.json`;
    this.newest.set(id, record);
    try {
      await this.folder.keep(file, () => {
        const newest = this.newest.get(id);
        return newest && JSON.stringify(newest);
      });
    } finally {
      if (!this.folder.isWriting(file)) this.newest.delete(id);
    }
  }

  private batchSoon(): void {
    this.batch ??= setTimeout(() => {
      this.writeBatch().catch((error: unknown) => {
        this.log.error('pretended replicas were not written', { reason: reason(error) });
      });
    }, BATCH_MS);
  }

  private async writeBatch(): Promise<void> {
    clearTimeout(this.batch);
    this.batch = undefined;
    await writeAtomic(this.places.mocks, JSON.stringify([...this.pretended.values()]), { durable: false });
  }

  private async read(path: string): Promise<ReplicaRecord[]> {
    try {
      const found = await readJson(path);
      if (found === undefined) return [];
      const parsed = parse(z.array(replicaRecordSchema), Array.isArray(found) ? found : [found]);
      if (parsed.ok) return parsed.value;
      throw new Error(`${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`);
    } catch (error) {
      this.log.error('a replica on the disk cannot be read', {
        alarm: 'replica-damaged',
        path,
        reason: reason(error),
      });
      return [];
    }
  }
}
