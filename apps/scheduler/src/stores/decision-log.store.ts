import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  decisionBatchSchema,
  type DecidedEntry,
  type DecisionBatch,
  type HistoryEntry,
  type Workload,
} from '@skerry/contracts';
import type { Ledger } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import type { Holder } from './holdings.store.js';
import { SitesStore } from './sites.store.js';
import { SnapshotsStore, type SnapshotName } from './snapshots.store.js';
import { keyOf } from './workloads.store.js';

/** A batch is closed when it has this many bytes; one entry more still fits a message. */
const BATCH_BYTES = 128 * 1024;
/** Batches that wait to be written; more means that the log is lost from there on, never that placing waits. */
const QUEUE_MAX = 32;
/**
 * Entries after which a snapshot is taken: what has to be replayed for one answer. As many as there are holdings to write
 * out again, between these bounds, so that snapshots never cost more than the log itself.
 */
const SNAPSHOT_ENTRIES_MIN = 2_000;
const SNAPSHOT_ENTRIES_MAX = 10_000;
const DAY_MS = 86_400_000;
/** A workload is written out again after this, so that nobody leans on what is about to go. */
const WORKLOAD_KEPT_MS = 15 * DAY_MS;
/** After the log broke, a new beginning is tried this often. */
const MEND_EVERY_MS = 10_000;
const RETRY_MS = 250;

interface OpenLog {
  readonly epoch: number;
  readonly ledger: Ledger;
  /** Number of the batch that is being filled. */
  batch: number;
  entries: HistoryEntry[];
  bytes: number;
  /** Since the newest snapshot. */
  logged: number;
  snapshotAt: number;
  snapshot: SnapshotName | undefined;
  readonly touched: Set<string>;
}
interface Shares {
  readonly shares: readonly { readonly site: string; readonly replicas: number }[];
}

/**
 * The decision log, written by the active instance: everything that its sites and ledger go through, in order, and every
 * decision with what else it was made of. Entries of a turn go as one message, at the same time as the commits; while one
 * message is on its way the next ones gather. Its subject holds the epoch, so that a fenced-off instance writes only what
 * no placement names. Nothing here is waited for, and a failure costs explanations, never a placement.
 */
@Injectable()
export class DecisionLogStore {
  private readonly bucket: Bucket<DecisionBatch>;
  private readonly queue: DecisionBatch[] = [];
  private readonly workloads = new Map<string, { digest: string; position: string; at: number }>();
  private opened: OpenLog | undefined;
  private writing: Promise<void> | undefined;
  private brokenAt: number | undefined;

  constructor(
    @Inject(BUS) bus: Bus,
    private readonly sites: SitesStore,
    private readonly snapshots: SnapshotsStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {
    this.bucket = bus.bucket(BUCKETS.decisions, (value) => decisionBatchSchema.parse(value));
  }

  /** Begins the log of an epoch with a snapshot of all there is. */
  begin(epoch: number, ledger: Ledger): void {
    const at = Date.now();
    const touched = this.sites.names();
    const fresh = { batch: 1, entries: [], bytes: 0, logged: 0, snapshotAt: at, snapshot: undefined };
    this.opened = { epoch, ledger, touched, ...fresh };
    this.workloads.clear();
    this.snapshots.forget();
    this.takeSnapshot(this.opened);
  }

  /** Ends it: another instance may decide now. */
  end(): void {
    if (this.opened) this.seal(this.opened);
    this.opened = undefined;
    this.write();
  }

  /** Resolves when all that was logged is written or given up. */
  async written(): Promise<void> {
    await this.writing;
    await this.snapshots.written();
  }

  /** Where the next entry will be, `<epoch>.<batch>.<entry>`; undefined when nothing is logged. */
  position(): string | undefined {
    const { opened } = this;
    return opened && `${opened.epoch}.${opened.batch}.${opened.entries.length}`;
  }

  /** A site is another from now on. */
  site(name: string): void {
    if (!this.opened) return;
    const { site, state } = this.sites.parts(name);
    this.append({ kind: 'site', name, ...(site ? { site } : {}), ...(state ? { state } : {}) }, [name]);
  }

  /** A workload holds something else from now on, other than by a decision. `before`: where it held something. */
  held(key: string, holds: Shares & Partial<Holder>, before: Iterable<string>): void {
    if (!this.opened) return;
    const shares = holds.shares.map(({ site, replicas }) => ({ site, replicas }));
    const { need, priority = 0 } = holds;
    const holder = need && shares.length > 0 ? { need, ...(priority > 0 ? { priority } : {}) } : {};
    this.append({ kind: 'held', key, ...holder, shares }, [...before, ...shares.map((s) => s.site)]);
  }

  /** A decision; at the position that was told last. */
  decided(entry: Omit<DecidedEntry, 'kind' | 'workload' | 'need' | 'priority'>, workload: Workload): void {
    const position = this.position();
    if (position === undefined) return;
    const { placement, previous } = entry;
    const touched = [...placement.shares, ...(previous?.shares ?? [])].map((s) => s.site);
    const { resources: need, placement: rules } = workload.spec;
    const priority = rules.priority > 0 ? { priority: rules.priority } : {};
    const where = this.workloadAt(workload, placement.inputs.workload, position);
    this.append({ kind: 'decided', ...entry, need, ...priority, workload: where ?? workload }, touched);
  }

  /** Where the workload was written out before; undefined when it has to be now. */
  private workloadAt(workload: Workload, digest: string, position: string): string | undefined {
    const key = keyOf(workload);
    const known = this.workloads.get(key);
    const now = Date.now();
    if (known?.digest === digest && known.at > now - WORKLOAD_KEPT_MS) return known.position;
    this.workloads.set(key, { digest, position, at: now });
    return undefined;
  }

  private append(entry: HistoryEntry, touched: Iterable<string>): void {
    const { opened } = this;
    if (!opened) return;
    opened.entries.push(entry);
    opened.bytes += JSON.stringify(entry).length;
    opened.logged += 1;
    for (const site of touched) opened.touched.add(site);
    if (opened.bytes >= BATCH_BYTES) this.seal(opened);
    if (this.snapshotDue(opened)) this.takeSnapshot(opened);
    if (!this.writing) queueMicrotask(() => this.write());
  }

  private snapshotDue(opened: OpenLog): boolean {
    const now = Date.now();
    if (this.brokenAt !== undefined && now - this.brokenAt > MEND_EVERY_MS) return true;
    const enough = Math.min(SNAPSHOT_ENTRIES_MAX, Math.max(SNAPSHOT_ENTRIES_MIN, this.snapshots.holdings));
    return opened.logged >= enough || now - opened.snapshotAt > DAY_MS;
  }

  private takeSnapshot(opened: OpenLog): void {
    this.seal(opened);
    opened.logged = 0;
    opened.snapshotAt = Date.now();
    this.brokenAt = undefined;
    const named = { before: opened.batch, touched: [...opened.touched], ledger: opened.ledger };
    opened.touched.clear();
    this.snapshots.take(named, (name) => {
      if (name) opened.snapshot = name;
      else this.brokenAt = Date.now();
    });
  }

  /** What comes next belongs to another batch. */
  private seal(opened: OpenLog): void {
    if (opened.entries.length === 0) return;
    const { epoch, batch, entries, snapshot } = opened;
    if (this.queue.length < QUEUE_MAX) {
      this.queue.push({ kind: 'DecisionBatch', epoch, batch, ...(snapshot ? { snapshot } : {}), entries });
    } else this.lost('too many wait');
    opened.batch += 1;
    opened.entries = [];
    opened.bytes = 0;
  }

  private write(): void {
    this.writing ??= this.writeAll().finally(() => (this.writing = undefined));
  }

  private async writeAll(): Promise<void> {
    for (;;) {
      if (this.queue.length === 0 && this.opened) this.seal(this.opened);
      const batch = this.queue.shift();
      if (!batch) return;
      await this.writeOne(batch).catch((error: unknown) => this.lost(error));
    }
  }

  private async writeOne(batch: DecisionBatch): Promise<void> {
    const key = `${batch.epoch}.${batch.batch}`;
    try {
      await this.bucket.set(key, batch);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      await this.bucket.set(key, batch);
    }
  }

  private lost(reason: unknown): void {
    this.brokenAt ??= Date.now();
    this.log.warn(
      'a part of the decision log is lost: some decisions cannot be made again for `why`',
      reason,
    );
  }
}
