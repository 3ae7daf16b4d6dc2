import { Inject, Injectable } from '@nestjs/common';
import type { Bucket, Bus } from '@skerry/bus';
import {
  BUCKETS,
  decisionBatchSchema,
  type DecidedEntry,
  type DecisionBatch,
  type HistoryEntry,
  type Placement,
  type WhyQuery,
  type Workload,
} from '@skerry/contracts';
import { Past } from '@skerry/domain';
import { BUS } from '@skerry/service';
import { SnapshotsStore } from './snapshots.store.js';

/** Decisions of one workload that a search goes back over. */
const BACK_MAX = 10_000;
/** Batches read at once. */
const WINDOW = 64;

interface Position {
  readonly epoch: number;
  readonly batch: number;
  readonly entry: number;
}
/** A decision as it is kept, with what it was made of. */
export interface Kept {
  readonly entry: DecidedEntry;
  readonly workload: Workload;
  /** The world just before it; undefined when a part of it is not kept any more. */
  readonly past: Past | undefined;
}

/** Reads the decision log: by any instance, at any time. */
@Injectable()
export class DecisionHistoryStore {
  private readonly bucket: Bucket<DecisionBatch>;

  constructor(
    @Inject(BUS) bus: Bus,
    private readonly snapshots: SnapshotsStore,
  ) {
    this.bucket = bus.bucket(BUCKETS.decisions, (value) => decisionBatchSchema.parse(value));
  }

  /** The decision that is asked for, beginning at the newest and going back; undefined when it is not kept. */
  async find(newest: Placement, query: Pick<WhyQuery, 'revision' | 'at'>): Promise<Kept | undefined> {
    let at = newest.inputs.log;
    for (let steps = 0; at !== undefined && steps < BACK_MAX; steps += 1) {
      const position = positionOf(at);
      const batch = position && (await this.batch(position.epoch, position.batch));
      const entry = batch?.entries[position?.entry ?? 0];
      if (!position || !batch || entry?.kind !== 'decided') return undefined;
      if (isMeant(entry.placement, query)) return this.kept(entry, batch, position);
      if (entry.placement.version.revision < (query.revision ?? 0)) return undefined;
      at = entry.before;
    }
    return undefined;
  }

  private async kept(entry: DecidedEntry, batch: DecisionBatch, at: Position): Promise<Kept | undefined> {
    const workload = await this.workload(entry);
    return workload && { entry, workload, past: await this.past(batch, at) };
  }

  private async workload({ workload }: DecidedEntry): Promise<Workload | undefined> {
    if (typeof workload !== 'string') return workload;
    const at = positionOf(workload);
    const entry = at && (await this.batch(at.epoch, at.batch))?.entries[at.entry];
    return entry?.kind === 'decided' && typeof entry.workload !== 'string' ? entry.workload : undefined;
  }

  private async past(batch: DecisionBatch, at: Position): Promise<Past | undefined> {
    const { snapshot } = batch;
    const [sites, since] = await Promise.all([
      snapshot && this.snapshots.read(snapshot.root),
      snapshot && this.entries(at.epoch, snapshot.before, at.batch),
    ]);
    if (!sites || !since) return undefined;
    const past = new Past(sites);
    for (const entry of since) past.apply(entry);
    for (const entry of batch.entries.slice(0, at.entry)) past.apply(entry);
    return past;
  }

  /** All that was logged from one batch on and before another; undefined with a gap. */
  private async entries(epoch: number, from: number, to: number): Promise<HistoryEntry[] | undefined> {
    const found: HistoryEntry[] = [];
    for (let first = from; first < to; first += WINDOW) {
      const numbers = Array.from({ length: Math.min(WINDOW, to - first) }, (_, i) => first + i);
      for (const batch of await Promise.all(numbers.map((number) => this.batch(epoch, number)))) {
        if (!batch) return undefined;
        found.push(...batch.entries);
      }
    }
    return found;
  }

  private async batch(epoch: number, number: number): Promise<DecisionBatch | undefined> {
    return (await this.bucket.get(`${epoch}.${number}`))?.value;
  }
}

/** Going back from the newest, the first that fits is the one. */
function isMeant(placement: Placement, { revision, at }: Pick<WhyQuery, 'revision' | 'at'>): boolean {
  if (revision !== undefined) return placement.version.revision === revision;
  return at === undefined || Date.parse(placement.decidedAt) <= Date.parse(at);
}

function positionOf(text: string): Position | undefined {
  const found = /^(\d{1,15})\.(\d{1,15})\.(\d{1,6})$/.exec(text);
  return found ? { epoch: Number(found[1]), batch: Number(found[2]), entry: Number(found[3]) } : undefined;
}
