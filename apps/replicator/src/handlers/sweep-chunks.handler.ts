import { Inject, Injectable } from '@nestjs/common';
import type { ChunkPlace, ChunkRef, Dataset } from '@skerry/contracts';
import { NamedLists, originOf, unpackList } from '@skerry/domain';
import { CONFIG, JsonLog } from '@skerry/service';
import type { ReplicatorConfig } from '../config.js';
import { ChunksStore } from '../stores/chunks.store.js';
import { CopiesStore } from '../stores/copies.store.js';
import { RecordsStore } from '../stores/records.store.js';

/**
 * Deletes chunks at the hub that no object names any more, once nothing has named them over a whole interval: a site may still be
 * reading what was just replaced.
 */
@Injectable()
export class SweepChunks {
  private timer: NodeJS.Timeout | undefined;
  private work: Promise<void> = Promise.resolve();
  private active = false;

  constructor(
    private readonly copies: CopiesStore,
    private readonly records: RecordsStore,
    private readonly chunks: ChunksStore,
    @Inject(CONFIG) private readonly config: Pick<ReplicatorConfig, 'sweepEveryMs'>,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  async start(): Promise<void> {
    this.active = true;
    this.copies.onChange((before, after) => this.changed(before, after));
    for (const dataset of this.copies.all()) if (dataset.removed) await this.chunks.dropRemoved(dataset);
    const look = () => {
      this.work = this.work.then(async () => await this.sweepAll());
    };
    clearInterval(this.timer);
    this.timer = setInterval(look, this.config.sweepEveryMs).unref();
  }

  /** A dataset is another than it was: its chunks go with it. */
  private changed(before: Dataset | undefined, after: Dataset): void {
    if (!this.active || before === undefined || before.removed) return;
    if (!after.removed && before.incarnation === after.incarnation) return;
    const { project, name, incarnation } = before;
    this.work = this.work
      .then(async () => await this.chunks.drop({ project, name, incarnation }))
      .catch((error: unknown) => this.log.warn(`chunks of ${project}/${name} were not deleted`, error));
  }

  async stop(): Promise<void> {
    this.active = false;
    clearInterval(this.timer);
    await this.work;
  }

  private async sweepAll(): Promise<void> {
    for (const dataset of this.copies.all()) {
      if (!this.active) return;
      if (dataset.removed || dataset.spec.type !== 'objects') continue;
      await this.sweep(dataset).catch((error: unknown) =>
        this.log.warn(`chunks of ${dataset.project}/${dataset.name} were not swept`, error),
      );
    }
  }

  /** Looks once through the chunks of a dataset; with `residency.origin` of each area by what objects of that area name. */
  async sweep(dataset: Dataset, now = performance.now()): Promise<void> {
    const { project, name, incarnation } = dataset;
    const areas = originOf(dataset.spec.residency)?.among ?? [undefined];
    for (const area of areas) await this.sweepAt(dataset, { project, name, incarnation, area }, now);
  }

  private async sweepAt(dataset: Dataset, place: ChunkPlace, now: number): Promise<void> {
    const index = await this.chunks.of(place);
    if (index.size === 0) return;
    const named = await this.named(dataset, place);
    for (const chunk of index.values()) {
      if (named.has(chunk.digest)) delete chunk.unnamedSince;
      else if (chunk.unnamedSince === undefined) chunk.unnamedSince = now;
      else if (now - chunk.unnamedSince >= this.config.sweepEveryMs) await this.chunks.remove(place, chunk);
    }
  }

  /** Every chunk that an object of the dataset names, as far as its lists are here. */
  private async named(dataset: Dataset, place: ChunkPlace): Promise<Set<string>> {
    const named = new Set<string>();
    for (const list of await this.lists(dataset, place.area)) {
      named.add(list.digest);
      const bytes = await this.chunks.get(place, list);
      for (const { digest } of (bytes && unpackList(bytes)) ?? []) named.add(digest);
    }
    return named;
  }

  private async lists(dataset: Dataset, area: string | undefined): Promise<ChunkRef[]> {
    const named = new NamedLists();
    for (let after = 0, more = true; more;) {
      const page = await this.records.page(dataset, after);
      for (const record of page.records)
        if (this.copies.areaOfStore(dataset, record.origin) === area) named.add(record);
      more = page.more && page.upTo > after;
      after = page.upTo;
    }
    return named.lists({ ttlMs: dataset.spec.ttlMs, nowMs: Date.now() });
  }
}
