import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bucket, BucketChange, Bus, Following } from '@skerry/bus';
import {
  allotmentSchema,
  parse,
  parseAcross,
  SITE_BUCKETS,
  SITE_EPOCH_KEY,
  siteEpochSchema,
  workloadKey,
  type Allotment,
  type SiteEpoch,
} from '@skerry/contracts';
import { readJson } from '../files/atomic-file.js';
import { DurableFolder } from '../files/durable-folder.js';
import { reason, type Log } from '../log.js';

/** After the disk has not taken one. */
const KEEP_AGAIN_MS = 2_000;

/** What lies in bucket `allotments`. */
export type AllotmentValue = Allotment | SiteEpoch;

/**
 * Which node runs what, as this node knows it: bucket `allotments` at the site's server, and a copy on this node's disk, by
 * which it starts without a server. What is not in the bucket any more is forgotten only when it says so.
 */
export class AllotmentBook {
  private readonly book = new Map<string, { allotment: Allotment; revision: number; isOfDisk?: true }>();
  private readonly files: DurableFolder;
  private readonly retries = new Map<string, NodeJS.Timeout>();
  private closed = false;
  private changed: (key: string, before: Allotment | undefined) => void = () => undefined;
  private epoch: (epoch: SiteEpoch) => void = () => undefined;
  private following: Following | undefined;
  private newest = 0;
  private epochAt = 0;

  private constructor(
    private readonly folder: string,
    private readonly log: Log,
  ) {
    this.files = new DurableFolder(folder);
  }

  static async open(folder: string, log: Log): Promise<AllotmentBook> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const opened = new AllotmentBook(folder, log);
    for (const file of await readdir(folder)) if (file.endsWith('.json')) await opened.load(file);
    return opened;
  }

  get(key: string): Allotment | undefined {
    return this.book.get(key)?.allotment;
  }

  /** Its revision in the bucket; 0 while it is known from the disk alone. */
  revisionOf(key: string): number {
    return this.book.get(key)?.revision ?? 0;
  }

  /** Whether it is known from the disk and was never heard: a server that lies behind this node has lost it. */
  isOfDisk(key: string): boolean {
    return this.book.get(key)?.isOfDisk === true;
  }

  keys(): string[] {
    return [...this.book.keys()];
  }

  /** Sequence in the bucket of the newest that still lies there, of all that are known here. */
  get standing(): number {
    let newest = this.epochAt;
    for (const { revision } of this.book.values()) newest = Math.max(newest, revision);
    return newest;
  }

  /** Sequence in the bucket of the newest that was taken in here. */
  get applied(): number {
    return this.newest;
  }

  /** Called with the key of each allotment that is new, another or gone; and with what it was. */
  onChange(listener: (key: string, before: Allotment | undefined) => void): void {
    this.changed = listener;
  }

  /** Called when a controller begins. */
  onEpoch(listener: (epoch: SiteEpoch) => void): void {
    this.epoch = listener;
  }

  /** Follows the bucket; resolves when all that lies in it was taken in. */
  async follow(bus: Bus): Promise<void> {
    if (this.following) return;
    await bus.ensureBucket(SITE_BUCKETS.allotments);
    this.following = await allotmentBucket(bus).follow((change) => this.hear(change), {
      onRestart: () => {
        // Another bucket under the old name: what is known stays, and whatever it says is newer.
        this.newest = 0;
        this.epochAt = 0;
        for (const entry of this.book.values()) entry.revision = 0;
      },
    });
    await this.following.caughtUp;
  }

  /** Resolves when the bucket was followed up to this revision. */
  async reached(revision: number): Promise<void> {
    await this.following?.reached(revision);
  }

  /** Takes in an allotment with its revision, unless a newer one is known. */
  take(allotment: Allotment, revision: number): void {
    const key = workloadKey(allotment.project, allotment.name);
    const known = this.book.get(key);
    this.newest = Math.max(this.newest, revision);
    if (known !== undefined && known.revision >= revision) return;
    this.book.set(key, { allotment, revision });
    this.persist(key);
    this.changed(key, known?.allotment);
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.retries.values()) clearTimeout(timer);
    await this.following?.drain();
    this.following = undefined;
    // What the disk does not take is said where it was written.
    await this.files.settled().catch(() => undefined);
  }

  private hear(change: BucketChange<AllotmentValue>): void {
    switch (change.kind) {
      case 'malformed':
        return this.log.error('an allotment cannot be read', { key: change.key, reason: change.reason });
      case 'gone':
        return this.forget(change.key, change.revision);
      case 'put':
        if (change.value.kind === 'Allotment') return this.take(change.value, change.revision);
        this.newest = Math.max(this.newest, change.revision);
        this.epochAt = change.revision;
        return this.epoch(change.value);
    }
  }

  private forget(key: string, revision: number): void {
    const known = this.book.get(key);
    this.newest = Math.max(this.newest, revision);
    if (known === undefined || known.revision > revision) return;
    this.book.delete(key);
    this.persist(key);
    this.changed(key, known.allotment);
  }

  private persist(key: string): void {
    const text = () => {
      const entry = this.book.get(key);
      return entry && JSON.stringify(entry.allotment);
    };
    this.files.keep(`${key}.json`, text).catch((error: unknown) => {
      // One line for all that a full disk does not take.
      if (this.retries.size === 0) this.log.warn('an allotment was not kept', { key, reason: reason(error) });
      this.again(key);
    });
  }

  /** Until the disk takes it: by what lies there this node would begin without a server. */
  private again(key: string): void {
    if (this.closed) return;
    clearTimeout(this.retries.get(key));
    this.retries.set(
      key,
      setTimeout(() => {
        this.retries.delete(key);
        this.persist(key);
      }, KEEP_AGAIN_MS).unref(),
    );
  }

  private async load(file: string): Promise<void> {
    const parsed = parse(allotmentSchema, await readJson(join(this.folder, file)).catch(() => undefined));
    if (parsed.ok) {
      const entry = { allotment: parsed.value, revision: 0, isOfDisk: true as const };
      this.book.set(file.slice(0, -'.json'.length), entry);
    } else this.log.error('an allotment on the disk was damaged: it comes again', { file });
  }
}

/** The bucket itself, for whoever allots. */
export function allotmentBucket(bus: Bus): Bucket<AllotmentValue> {
  return bus.bucket(SITE_BUCKETS.allotments, (value): AllotmentValue => {
    const epoch = siteEpochSchema.safeParse(value);
    if (epoch.success) return epoch.data;
    const parsed = parseAcross(allotmentSchema, value);
    if (parsed.ok) return parsed.value;
    throw new Error(`${parsed.issues[0]?.path}: ${parsed.issues[0]?.problem}`);
  });
}

export { SITE_EPOCH_KEY };
