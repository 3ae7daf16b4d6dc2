import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  LIMITS,
  manifestSchema,
  Refusal,
  workloadKey,
  type ChunkRef,
  type Manifest,
  type ObjectEntry,
} from '@skerry/contracts';
import { bytesIn, chunksOf, packLists } from '@skerry/domain';
import type { Copies, Kept } from '../datasets/copies.js';
import { Repeated } from '../datasets/repeated.js';
import { reason, type Log } from '../log.js';
import { ChunkKeys } from './chunk-keys.js';
import { ChunkPool, digestOf, type ChunkHold } from './chunk-pool.js';
import { cutStream } from './cut-stream.js';
import { ObjectMarks } from './object-marks.js';
import { openObject, type Fetcher, type OpenObject } from './read-object.js';

const SWEEP_MS = 10 * 60_000;
const ENDING = '.objects';

/** Hears what changed in a dataset of objects; no keys: it is here no more. */
export type ObjectNews = (dataset: string, keys: readonly string[]) => void;

/** Objects at this node: their manifests lie in the copies of their datasets, their bytes in one pool of chunks. */
export class Objects {
  private readonly marks = new Map<string, Promise<ObjectMarks>>();
  /** Bytes of every object, by dataset and key. */
  private readonly sizes = new Map<string, Map<string, number>>();
  private readonly sweeping = new Repeated(async () => await this.sweepNow());
  private readonly timer: NodeJS.Timeout;
  private news: ObjectNews = () => undefined;
  private fetcher: Fetcher = { want: () => undefined, lost: () => undefined, reachable: () => false };

  readonly pool: ChunkPool;
  readonly keys: ChunkKeys;
  private readonly log: Log;

  private constructor(
    private readonly folder: string,
    private readonly copies: Copies,
    { pool, keys, log }: { pool: ChunkPool; keys: ChunkKeys; log: Log },
  ) {
    this.pool = pool;
    this.keys = keys;
    this.log = log;
    this.timer = setInterval(() => this.sweeping.ask(), SWEEP_MS).unref();
  }

  /** Opens what is on the disk. `keys`: folder with the keys of encrypted datasets. */
  static async open(
    folder: string,
    copies: Copies,
    { log, keys }: { log: Log; keys: string },
  ): Promise<Objects> {
    const pool = await ChunkPool.open(join(folder, 'chunks'));
    const objects = new Objects(folder, copies, { pool, keys: new ChunkKeys(keys), log });
    for (const [key, kept] of copies.all()) if (isObjects(kept)) objects.count(key, recordsOf(kept));
    copies.onChange((key, changed) => objects.changed(key, changed));
    await objects.forgetOld();
    return objects;
  }

  /** Called with what changed from now on. */
  onNews(news: ObjectNews): void {
    this.news = news;
  }

  /** The hub has lost writes of a dataset, and with them, it may be, what it had of the objects. */
  lostAtHub(dataset: string): void {
    this.fetcher?.lost(dataset);
  }

  /** Who brings what is read here and is not here. */
  use(fetcher: Fetcher): void {
    this.fetcher = fetcher;
  }

  /** Opens an object to be read, see `openObject`. Throws a `Refusal`. */
  async read(dataset: string, key: string, digest?: string): Promise<OpenObject> {
    return await openObject(this, this.fetcher, { dataset, key, digest });
  }

  /** Keys of a dataset that hold an object. */
  keysOf(dataset: string): string[] {
    return [...(this.sizes.get(dataset)?.keys() ?? [])];
  }

  /** Datasets of objects that are here. */
  datasets(): string[] {
    return this.copies.all().flatMap(([key, kept]) => (isObjects(kept) ? [key] : []));
  }

  /** The copy of a dataset of objects; undefined when it is none, or not here. */
  kept(dataset: string): Kept | undefined {
    const kept = this.copies.get(dataset);
    return kept !== undefined && isObjects(kept) ? kept : undefined;
  }

  /** What a key holds now; undefined for nothing, and for what is no manifest. */
  newest(dataset: string, key: string): Manifest | undefined {
    return manifestIn(this.kept(dataset)?.copy.show(key)?.value);
  }

  /** Makes an object of what comes; resolves when all of it is on the disk. Throws a `Refusal`, with nothing changed. */
  async put(
    dataset: string,
    key: string,
    source: AsyncIterable<Uint8Array>,
    told: { contentType: string; digest?: string | undefined },
  ): Promise<ObjectEntry> {
    const kept = this.needed(dataset);
    const { rule } = kept.copy;
    const sealedBy = rule.encryption === undefined ? undefined : await this.keys.toSeal(rule);
    const hold = this.pool.hold();
    try {
      const cut = await cutStream(source, this.pool, {
        hold,
        sealedBy,
        allow: (bytes) => this.allow(dataset, kept, { key, bytes }),
      });
      const digest = `sha256:${cut.digest}`;
      if (told.digest !== undefined && told.digest !== digest)
        throw new Refusal('invalid', `what came is ${digest}, not ${told.digest}`, { hint: 'send it again' });
      const lists = await this.keepLists(cut.chunks, hold);
      await this.pool.settle();
      const { size, chunks } = cut;
      const manifest: Manifest = {
        size,
        digest,
        contentType: told.contentType,
        chunks: chunks.length,
        lists,
        ...(sealedBy && { sealedWith: sealedBy.id }),
      };
      await kept.copy.write(key, { verb: 'put', value: JSON.stringify(manifest) });
      await (await this.marksOf(dataset)).setWhole(key, manifest);
      this.copies.wrote(dataset);
      return await this.entry(dataset, key, manifest);
    } catch (error) {
      if (error instanceof Refusal) throw error;
      throw new Refusal('storage-full', `not written: ${reason(error)}`, {
        hint: 'make room on the disk of this node, then write again',
      });
    } finally {
      hold.release();
    }
  }

  /** An object as it stands here. */
  async entry(dataset: string, key: string, manifest: Manifest): Promise<ObjectEntry> {
    const { size, digest, contentType } = manifest;
    const chunks = await this.chunks(manifest);
    const here = chunks?.filter((chunk) => this.pool.has(chunk.digest)) ?? [];
    const complete = chunks !== undefined && here.length === chunks.length;
    const older = complete ? undefined : (await this.marksOf(dataset)).whole(key)?.digest;
    const at = this.kept(dataset)?.copy.show(key)?.at;
    return {
      key,
      size,
      digest,
      contentType,
      haveBytes: here.reduce((sum, chunk) => sum + bytesIn(manifest, chunk), 0),
      complete,
      ...(at === undefined ? {} : { at: new Date(at[0]).toISOString() }),
      ...(older === undefined || older === digest ? {} : { older }),
    };
  }

  /** The chunks of an object; undefined while its lists are not here. */
  async chunks(manifest: Manifest): Promise<ChunkRef[] | undefined> {
    const lists: Uint8Array[] = [];
    for (const { digest } of manifest.lists) {
      const list = await this.pool.read(digest);
      if (list === undefined) return undefined;
      lists.push(list);
    }
    return chunksOf(manifest, lists);
  }

  /** Whether every byte of an object is here. */
  async isWhole(manifest: Manifest): Promise<boolean> {
    const chunks = await this.chunks(manifest);
    return chunks?.every(({ digest }) => this.pool.has(digest)) === true;
  }

  /** What a node remembers of the objects of a dataset. */
  async marksOf(dataset: string): Promise<ObjectMarks> {
    const known = this.marks.get(dataset);
    if (known !== undefined) return await known;
    const opening = ObjectMarks.open(join(this.folder, `${dataset}${ENDING}`));
    this.marks.set(dataset, opening);
    return await opening;
  }

  /** Removes chunks that nothing here names any more. */
  sweep(): void {
    this.sweeping.ask();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.sweeping.settled();
    for (const marks of this.marks.values()) await (await marks).close();
  }

  /** The copy, or a `Refusal` that says why there is none. */
  needed(dataset: string): Kept {
    const kept = this.copies.get(dataset);
    const shown = dataset.replace('.', '/');
    if (kept === undefined)
      throw new Refusal('not-found', `no copy of ${shown} at ${this.copies.site}`, {
        hint: `"skerry data where ${shown}" says where there are copies, and why not here`,
      });
    if (isObjects(kept)) return kept;
    throw new Refusal('invalid', `${shown} holds values, not objects`, {
      hint: 'files go into a dataset with type: objects',
    });
  }

  private allow(dataset: string, { copy }: Kept, { key, bytes }: { key: string; bytes: number }): void {
    const { objects, project, name } = copy.rule;
    if (objects === undefined) return;
    if (bytes > objects.objectBytes)
      throw new Refusal('too-large', `${key} has more than ${objects.objectBytes} bytes`, {
        hint: 'the most that an object of this dataset may have (spec.objects.objectBytes)',
      });
    let all = bytes;
    for (const [other, size] of this.sizes.get(dataset) ?? []) if (other !== key) all += size;
    if (all > objects.bytes)
      throw new Refusal('storage-full', `${project}/${name} is full`, {
        hint: `its objects may have ${objects.bytes} bytes (spec.objects.bytes): allow more, or delete some`,
      });
  }

  private async keepLists(chunks: readonly ChunkRef[], hold: ChunkHold): Promise<ChunkRef[]> {
    const lists: ChunkRef[] = [];
    for (const list of packLists(chunks)) {
      const digest = digestOf(list);
      hold.add(digest);
      await this.pool.put(digest, list);
      lists.push({ digest, bytes: list.length });
    }
    return lists;
  }

  private changed(dataset: string, keys: readonly string[]): void {
    const kept = this.copies.get(dataset);
    if (kept === undefined) {
      if (this.sizes.delete(dataset)) this.forget(dataset);
      this.news(dataset, []);
      return;
    }
    if (!isObjects(kept)) return;
    this.count(dataset, keys);
    this.news(dataset, keys);
  }

  private count(dataset: string, keys: readonly string[]): void {
    const sizes = this.sizes.get(dataset) ?? new Map<string, number>();
    this.sizes.set(dataset, sizes);
    for (const key of keys) {
      const manifest = this.newest(dataset, key);
      if (manifest === undefined) sizes.delete(key);
      else sizes.set(key, manifest.size);
    }
  }

  /** It may not be here any more: nothing of it stays. */
  private forget(dataset: string): void {
    const opened = this.marks.get(dataset) ?? this.marksOf(dataset);
    // Whoever opens it anew waits for that.
    const gone = opened.then(async (marks) => await marks.remove());
    const anew = gone.then(async () => await ObjectMarks.open(join(this.folder, `${dataset}${ENDING}`)));
    this.marks.set(dataset, anew);
    anew.then(
      () => this.sweep(),
      (error: unknown) => this.log.warn('objects were not forgotten', { dataset, reason: reason(error) }),
    );
  }

  /** What was left when a node ended between forgetting a copy and its objects. */
  private async forgetOld(): Promise<void> {
    const files = await readdir(this.folder).catch(() => []);
    const here = new Set(this.datasets());
    for (const file of files.filter((name) => name.endsWith(ENDING))) {
      const dataset = file.slice(0, -ENDING.length);
      if (!here.has(dataset)) await (await ObjectMarks.open(join(this.folder, file))).remove();
    }
    if (this.pool.size > 0) this.sweep();
  }

  private async sweepNow(): Promise<void> {
    try {
      const named = await this.named();
      const gone = await this.pool.sweep(named);
      if (gone > 0) this.log.info('chunks that nothing names were removed', { chunks: gone });
    } catch (error) {
      this.log.warn('chunks were not swept', { reason: reason(error) });
    }
  }

  /** Every chunk of an object that is, or that is read until the next one is here. */
  private async named(): Promise<Set<string>> {
    const named = new Set<string>();
    for (const dataset of this.datasets()) {
      const newest = this.keysOf(dataset).flatMap((key) => this.newest(dataset, key) ?? []);
      const whole = [...(await this.marksOf(dataset)).wholes()].flatMap(([key, manifest]) =>
        this.newest(dataset, key) === undefined ? [] : [manifest],
      );
      for (const manifest of [...newest, ...whole]) {
        for (const { digest } of manifest.lists) named.add(digest);
        for (const { digest } of (await this.chunks(manifest)) ?? []) named.add(digest);
      }
    }
    return named;
  }
}

/** The key of a dataset among copies. */
export const datasetKeyOf = ({ project, name }: { project: string; name: string }): string =>
  workloadKey(project, name);

function isObjects({ copy }: Kept): boolean {
  return copy.rule.objects !== undefined;
}

function recordsOf({ copy }: Kept): string[] {
  return copy.held.firstAfter({ after: '', limit: LIMITS.datasetKeys, accepts: () => true });
}

function manifestIn(text: string | undefined): Manifest | undefined {
  if (text === undefined) return undefined;
  try {
    return manifestSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
