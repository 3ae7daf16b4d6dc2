import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import { BUCKETS, historyBlobSchema, type HistoryBlob, type SnapshotSite } from '@skerry/contracts';
import { snapshotSite, type Holding, type Ledger } from '@skerry/domain';
import { BUS, JsonLog } from '@skerry/service';
import { digestOf } from './digest.js';
import { SitesStore } from './sites.store.js';

/** A snapshot: what held before a batch of the log. */
export interface SnapshotName {
  readonly before: number;
  readonly root: string;
}
interface Wanted {
  readonly before: number;
  /** Sites that changed since the last one. */
  readonly touched: readonly string[];
  readonly ledger: Ledger;
}
interface Part {
  readonly name: string;
  readonly known: Parameters<typeof snapshotSite>[1];
  readonly holdings: readonly (readonly [string, Holding])[];
}

const CHUNK = 64;
/** Writes on their way at once, and reads. */
const WINDOW = 64;
/** A first snapshot that takes no longer is named by the first decision already. */
const AT_ONCE_MS = 50;
const TURN_MS = 4;
/** Written again after this: what a snapshot leans on must outlive it. */
const REWRITE_MS = 10 * 86_400_000;

/**
 * Content-addressed snapshots of sites and ledger: a tree of digests, so that one changed site costs one site, one chunk and
 * the root. What is captured is captured at once; making and writing it takes turns with placing.
 */
@Injectable()
export class SnapshotsStore {
  private readonly bucket: Bucket<HistoryBlob>;
  private readonly kept = new Map<string, { digests: readonly string[]; holdings: number }>();
  private readonly writtenAt = new Map<string, number>();
  private busy: Promise<void> | undefined;
  private era = 0;

  constructor(
    @Inject(BUS) bus: Bus,
    private readonly sites: SitesStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {
    this.bucket = bus.bucket(BUCKETS.inputs, (value) => historyBlobSchema.parse(value));
  }

  /** Nothing of an earlier time counts: others may have decided since. */
  forget(): void {
    this.era += 1;
    this.kept.clear();
    this.writtenAt.clear();
  }

  /** How much the newest one holds: workloads at sites. */
  get holdings(): number {
    let sum = 0;
    for (const { holdings } of this.kept.values()) sum += holdings;
    return sum;
  }

  /** Takes one; `named` is told its name as soon as that is known, and nothing when it could not be written. */
  take(wanted: Wanted, named: (name: SnapshotName | undefined) => void): void {
    const old = Date.now() - REWRITE_MS;
    const aged = [...this.kept].flatMap(([n, { digests }]) =>
      digests.some((digest) => (this.writtenAt.get(digest) ?? 0) < old) ? [n] : [],
    );
    const parts = [...new Set([...wanted.touched, ...aged])].map((name): Part => ({
      name,
      known: this.sites.parts(name),
      holdings: [...wanted.ledger.holdingsAt(name)],
    }));
    const { era } = this;
    const make = () => (this.era === era ? this.make(parts, wanted.before, named) : Promise.resolve());
    // One after the other: each goes on from what the one before it kept.
    const made = this.busy ? this.busy.then(make) : make();
    const ended = made
      .catch((error: unknown) => {
        this.log.warn('a snapshot for the decision log could not be written', error);
        named(undefined);
      })
      .finally(() => {
        if (this.busy === ended) this.busy = undefined;
      });
    this.busy = ended;
  }

  /** Resolves when every snapshot begun is written or given up. */
  async written(): Promise<void> {
    await this.busy;
  }

  /** The sites of a snapshot, or undefined when a part of it is not there any more. */
  async read(root: string): Promise<SnapshotSite[] | undefined> {
    const [top] = await this.blobs([root], 'SnapshotRoot');
    if (!top) return undefined;
    const chunks = await this.blobs(top.chunks, 'SnapshotChunk');
    const digests = chunks.flatMap((chunk) => chunk.sites);
    const sites = await this.blobs(digests, 'SnapshotSite');
    return chunks.length === top.chunks.length && sites.length === digests.length ? sites : undefined;
  }

  private async make(
    parts: readonly Part[],
    before: number,
    named: (name: SnapshotName) => void,
  ): Promise<void> {
    const { era } = this;
    const blobs = new Map<string, HistoryBlob>();
    const add = (blob: HistoryBlob) => {
      const digest = digestOf(blob);
      blobs.set(digest, blob);
      return digest;
    };
    let end = performance.now() + AT_ONCE_MS;
    for (const { name, known, holdings } of parts) {
      if (performance.now() > end) {
        await new Promise(setImmediate);
        if (this.era !== era) return;
        end = performance.now() + TURN_MS;
      }
      if (!known.site && !known.state && holdings.length === 0) this.kept.delete(name);
      else {
        const made = snapshotSite(name, known, holdings).map(add);
        this.kept.set(name, { digests: made, holdings: holdings.length });
      }
    }
    const digests = [...this.kept].toSorted(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, k]) => k.digests);
    const chunks = slices(digests, CHUNK).map((sites) => add({ kind: 'SnapshotChunk', sites }));
    named({ before, root: add({ kind: 'SnapshotRoot', chunks }) });
    await this.writeAll(blobs);
  }

  private async writeAll(blobs: ReadonlyMap<string, HistoryBlob>): Promise<void> {
    const fresh = Date.now() - REWRITE_MS;
    const missing = [...blobs].filter(([digest]) => (this.writtenAt.get(digest) ?? 0) < fresh);
    for (const slice of slices(missing, WINDOW)) {
      await Promise.all(slice.map(([digest, blob]) => this.bucket.set(hexOf(digest), blob)));
      for (const [digest] of slice) this.writtenAt.set(digest, Date.now());
    }
    // Chunks and roots of the past are never named again.
    const named = new Set([...[...this.kept.values()].flatMap((k) => k.digests), ...blobs.keys()]);
    for (const digest of this.writtenAt.keys()) if (!named.has(digest)) this.writtenAt.delete(digest);
  }

  private async blobs<K extends HistoryBlob['kind']>(
    digests: readonly string[],
    kind: K,
  ): Promise<Extract<HistoryBlob, { kind: K }>[]> {
    const found: Extract<HistoryBlob, { kind: K }>[] = [];
    const isWanted = (blob: HistoryBlob): blob is Extract<HistoryBlob, { kind: K }> => blob.kind === kind;
    for (const slice of slices(digests, WINDOW)) {
      const entries = await Promise.all(slice.map((digest) => this.bucket.get(hexOf(digest))));
      for (const entry of entries) if (entry && isWanted(entry.value)) found.push(entry.value);
    }
    return found;
  }
}

/** A key of a bucket has no colon. */
function hexOf(digest: string): string {
  return digest.slice('sha256:'.length);
}

function slices<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) =>
    items.slice(i * size, (i + 1) * size),
  );
}
