import { Inject, Injectable } from '@nestjs/common';
import { Conflict } from '@skerry/bus';
import {
  workloadKey,
  type CopiesRequest,
  type Dataset,
  type DatasetHome,
  type Site,
} from '@skerry/contracts';
import { CLOSING_MAX_MS, CLOSING_MS, decideHome, homeWith, mayWrite } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { CopiesStore } from '../stores/copies.store.js';
import { HomeSignsStore } from '../stores/home-signs.store.js';
import { RecordsStore } from '../stores/records.store.js';
import { TakeRecords } from './take-records.handler.js';

/** Between two looks at where workloads are that homes go with. */
const LOOK_MS = 200;
/** Between two questions to a site that a home leaves, or begins at. */
const ASK_MS = 250;

/** What a copy said last. */
interface Said {
  /** The newest epoch in which it writes no more, and of which the hub has all. */
  ended: number;
  /** Monotonic ms. */
  atMs: number;
}

/**
 * Moves homes of datasets to where their workloads are (`datasets/home.ts` of the domain). Who may write is in bucket `homes` before
 * it is told; a move is written between two batches of records of the dataset, so that nothing of the old epoch is stored after it.
 */
@Injectable()
export class KeepHomes {
  private timer: NodeJS.Timeout | undefined;
  private asks: (site: string) => void = () => undefined;
  private tells: (dataset: Dataset) => void = () => undefined;
  /** By dataset and store. */
  private readonly said = new Map<string, Said>();
  /** By dataset: the epoch that closes, and since when this instance knows; monotonic ms. */
  private readonly closing = new Map<string, { epoch: number; sinceMs: number }>();
  private readonly asked = new Map<string, number>();
  private readonly busy = new Set<string>();

  constructor(
    private readonly copies: CopiesStore,
    private readonly records: RecordsStore,
    private readonly take: TakeRecords,
    private readonly signs: HomeSignsStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** `asks`: has a site say how its copies stand. `tells`: says to every site with a copy what is so. */
  start(asks: (site: string) => void, tells: (dataset: Dataset) => void): void {
    [this.asks, this.tells] = [asks, tells];
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.said.clear();
    this.closing.clear();
    this.asked.clear();
  }

  /** A node says which copies it holds: before it is answered, who may write from now on is written down. */
  async heard(site: Site, { store: node, held }: CopiesRequest): Promise<void> {
    for (const copy of held) {
      const dataset = this.copies.current(copy);
      const store = copy.store ?? node;
      if (dataset === undefined || store === undefined || homeWith(dataset.spec) === undefined) continue;
      const { ended = 0, unsent, cursor } = copy;
      const key = `${keyOf(dataset)} ${store}`;
      this.said.set(key, { ended: unsent === 0 ? ended : 0, atMs: performance.now() });
      await this.turn(
        dataset,
        async () => await this.give(dataset, { site: site.name, store, cursor, unsent, ended }),
      );
    }
  }

  private look(): void {
    for (const dataset of this.copies.all()) {
      if (dataset.removed || homeWith(dataset.spec) === undefined || this.busy.has(keyOf(dataset))) continue;
      this.busy.add(keyOf(dataset));
      void this.turn(dataset, async () => await this.move(dataset)).finally(() => {
        this.busy.delete(keyOf(dataset));
      });
    }
  }

  private async move(dataset: Dataset): Promise<void> {
    const home = this.copies.homes.get(dataset);
    const next = decideHome(home, this.signs.wantedAt(dataset), this.old(dataset, home), {
      floor: await this.records.head(dataset),
      at: new Date().toISOString(),
      ref: dataset,
    });
    if (next === undefined) return this.askAgain(dataset, home);
    await this.copies.homes.write(next);
    const where = next.closing === true ? `leaves ${next.site}` : `is ${next.site} in epoch ${next.epoch}`;
    this.log.log(`the home of ${dataset.project}/${dataset.name} ${where}`);
    this.tells(dataset);
    this.ask(dataset, next.site);
  }

  /** Gives a copy the pen, when it may have it and has not. */
  private async give(
    dataset: Dataset,
    copy: { site: string; store: string; cursor: number; unsent: number; ended: number },
  ): Promise<void> {
    const home = this.copies.homes.get(dataset);
    if (home === undefined || home.stores.includes(copy.store)) return;
    if (!mayWrite(home, copy, await this.records.head(dataset))) return;
    await this.copies.homes.write({ ...home, stores: [...home.stores, copy.store] });
  }

  private old(dataset: Dataset, home: DatasetHome | undefined) {
    const nowMs = performance.now();
    const key = keyOf(dataset);
    const known = this.closing.get(key);
    if (home?.closing !== true) this.closing.delete(key);
    else if (known?.epoch !== home.epoch) this.closing.set(key, { epoch: home.epoch, sinceMs: nowMs });
    const sinceMs = this.closing.get(key)?.sinceMs ?? nowMs;
    return {
      hasEnded: (store: string) => {
        const said = this.said.get(`${key} ${store}`);
        if (said !== undefined && said.ended >= (home?.epoch ?? 0)) return true;
        const silentMs = nowMs - Math.max(sinceMs, said?.atMs ?? 0);
        return silentMs > CLOSING_MS || nowMs - sinceMs > CLOSING_MAX_MS;
      },
      leaseOver: home !== undefined && this.signs.isLeaseOver(dataset, home),
    };
  }

  /** Until it has closed, or one of its copies may write. */
  private askAgain(dataset: Dataset, home: DatasetHome | undefined): void {
    if (home !== undefined && (home.closing === true || home.stores.length === 0))
      this.ask(dataset, home.site);
  }

  private ask(dataset: Dataset, site: string): void {
    const key = `${keyOf(dataset)} ${site}`;
    const nowMs = performance.now();
    if (nowMs - (this.asked.get(key) ?? Number.NEGATIVE_INFINITY) < ASK_MS) return;
    this.asked.set(key, nowMs);
    this.asks(site);
  }

  private async turn(dataset: Dataset, work: () => Promise<void>): Promise<void> {
    if (this.timer === undefined) return;
    await this.take.alone(dataset, work).catch((error: unknown) => {
      // What was written meanwhile is heard, and looked at then.
      if (!(error instanceof Conflict))
        this.log.warn(`the home of ${dataset.project}/${dataset.name} was not written`, error);
    });
  }
}

const keyOf = ({ project, name, incarnation }: Dataset) => `${workloadKey(project, name)} ${incarnation}`;
