import { Inject, Injectable } from '@nestjs/common';
import type { Dataset } from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { EntriesStore } from '../stores/entries.store.js';
import { logOf, LogsStore } from '../stores/logs.store.js';
import { TakeEntries } from './take-entries.handler.js';

const EVERY_MS = 15_000;
const SLACK_MS = 1_000;
/** A log is looked at again when a share of what it may have has come since, or when its entries have an end. */
const SHARE = 8;

/** Keeps each log within its own bytes and time at the hub: the oldest goes first. Who had not read it sees the numbers missing. */
@Injectable()
export class TrimEntries {
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();
  /** By dataset, the bytes ever stored when it was looked at last, and when that was. */
  private readonly looked = new WeakMap<Dataset, { totalBytes: number; at: number }>();
  /** Those that will be looked at in any case. */
  private readonly waiting = new Set<Dataset>();

  constructor(
    private readonly logs: LogsStore,
    private readonly entries: EntriesStore,
    private readonly takeEntries: TakeEntries,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(): void {
    this.takeEntries.onStored((dataset) => this.look([dataset]));
    this.timer ??= setInterval(() => this.look(this.logs.all()), EVERY_MS).unref();
  }

  async stop(): Promise<void> {
    this.takeEntries.onStored(() => undefined);
    clearInterval(this.timer);
    this.timer = undefined;
    await this.working;
  }

  /** Looks at logs that may have grown too long or too old, one after the other. */
  private look(datasets: readonly Dataset[]): void {
    const due = datasets.filter((dataset) => !this.waiting.has(dataset));
    for (const dataset of due) this.waiting.add(dataset);
    this.working = this.working.then(async () => {
      for (const dataset of due) await this.tend(dataset);
    });
  }

  private async tend(dataset: Dataset): Promise<void> {
    this.waiting.delete(dataset);
    if (this.timer === undefined || this.logs.current(dataset) === undefined) return;
    await this.one(dataset).catch((error: unknown) =>
      this.log.warn(`log ${dataset.project}/${dataset.name} was not trimmed`, error),
    );
  }

  private async one(dataset: Dataset): Promise<void> {
    const { bytes } = dataset.spec.limits;
    const { ttlMs } = dataset.spec;
    const { totalBytes } = await this.entries.head(dataset);
    const last = this.looked.get(dataset) ?? { totalBytes: 0, at: 0 };
    const aged = ttlMs !== undefined && performance.now() - last.at >= EVERY_MS - SLACK_MS;
    if (!aged && totalBytes - last.totalBytes < bytes / SHARE) return;
    this.looked.set(dataset, { totalBytes, at: performance.now() });
    const oldest = ttlMs === undefined ? 0 : Date.now() - ttlMs;
    // Together with what is written to it: a mark of how far an origin was comes in its order.
    await this.takeEntries.inTurn(dataset, async () => {
      const before = await this.entries.seek(
        dataset,
        ({ value, storedAt }) =>
          storedAt >= oldest && (value === undefined || value.totalBytes > totalBytes - bytes),
      );
      // The centre never goes on under an origin that the hub has forgotten.
      const marks = logOf(dataset).flow !== 'broadcast';
      if (before > 0) await this.entries.trim(dataset, before, { marks });
    });
  }
}
