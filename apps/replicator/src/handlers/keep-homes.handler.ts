import { Inject, Injectable } from '@nestjs/common';
import { Conflict } from '@skerry/bus';
import {
  LIMITS,
  workloadKey,
  type CopiesRequest,
  type Dataset,
  type DatasetHome,
  type Site,
} from '@skerry/contracts';
import { decideHome, homeWith, isOfAnother, mayWrite, type OldHome } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { CopiesStore } from '../stores/copies.store.js';
import { HomeSignsStore } from '../stores/home-signs.store.js';
import { RecordsStore } from '../stores/records.store.js';
import { OldHomes } from './old-homes.js';
import { TakeRecords } from './take-records.handler.js';

/** Between two looks at where workloads are that homes go with. */
const LOOK_MS = 200;
/**
 * Between two questions to a site that homes leave, or begin at: one covers all its copies. It is asked more seldom the longer
 * nothing is new there, up to the second number: a quarter of that time.
 */
const ASK_MS = 250;
const ASK_MAX_MS = 4_000;

/** Looks are this far apart, ms, when this instance stood still in between. */
const STILL_MS = 5_000;

/** By what homes are moved. */
export interface HomesKeeping {
  /** Whether this instance may still write. */
  holdsLease: () => boolean;
  /** Has a site say how its copies stand. */
  asks: (site: string) => void;
  /** Says to every site with a copy what is so. */
  tells: (dataset: Dataset) => void;
}

/** A copy that may be given the pen. */
interface AskingCopy {
  site: string;
  store: string;
  cursor: number;
  streamEpoch?: number | undefined;
  unsent: number;
  ended: number;
}

/**
 * Moves homes of datasets to where their workloads are (`datasets/home.ts` of the domain). Who may write is in bucket `homes` before
 * it is told; a move is written between two batches of records of the dataset, so that nothing of the old epoch is stored after it.
 */
@Injectable()
export class KeepHomes {
  private timer: NodeJS.Timeout | undefined;
  private to: HomesKeeping = { holdsLease: () => false, asks: () => undefined, tells: () => undefined };
  /** How it was when it last looked: monotonic ms, and how often the connection had broken or come back. */
  private looked = { atMs: 0, turns: 0 };
  private readonly old = new OldHomes();
  /** By site: since when it is asked, and when it was last; monotonic ms. */
  private readonly asked = new Map<string, { sinceMs: number; atMs: number }>();
  private readonly busy = new Set<string>();

  constructor(
    private readonly copies: CopiesStore,
    private readonly records: RecordsStore,
    private readonly take: TakeRecords,
    private readonly signs: HomeSignsStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  start(to: HomesKeeping): void {
    this.to = to;
    this.looked = { atMs: 0, turns: 0 };
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.old.clear();
    this.asked.clear();
  }

  /** A node says which copies it holds: before it is answered, who may write from now on is written down. */
  async heard(site: Site, { store: node, held }: CopiesRequest): Promise<void> {
    for (const copy of held) {
      const dataset = this.copies.current(copy);
      const store = copy.store ?? node;
      if (dataset === undefined || store === undefined || homeWith(dataset.spec) === undefined) continue;
      const { cursor, streamEpoch, unsent, ended = 0 } = copy;
      const said = { site: site.name, store, cursor, streamEpoch, unsent, ended };
      const home = this.copies.homes.get(dataset);
      // Also of one whose workload has left, and that gives its copy up with it: what it was the last to write is on its way.
      if (home !== undefined) this.old.heard(home, said, performance.now());
      if (this.copies.mayHave(dataset, site))
        await this.turn(dataset, async () => await this.give(dataset, said));
    }
  }

  private look(): void {
    const [atMs, { turns }] = [performance.now(), this.records];
    // Who stood still or had no connection has heard nobody.
    if (turns !== this.looked.turns || atMs - this.looked.atMs > STILL_MS) this.old.hearsSince(atMs);
    this.looked = { atMs, turns };
    for (const dataset of this.copies.all()) {
      if (dataset.removed) this.old.forget(dataset);
      if (dataset.removed || homeWith(dataset.spec) === undefined || this.busy.has(keyOf(dataset))) continue;
      this.busy.add(keyOf(dataset));
      void this.turn(dataset, async () => await this.move(dataset)).finally(() => {
        this.busy.delete(keyOf(dataset));
      });
    }
  }

  private async move(dataset: Dataset): Promise<void> {
    const home = this.copies.homes.get(dataset);
    const over = this.copies.homes.revisionOf(dataset);
    const next = decideHome(home, this.signs.wantedAt(dataset), this.oldHome(dataset, home), {
      floor: await this.records.head(dataset),
      at: new Date().toISOString(),
      ref: dataset,
    });
    if (next === undefined) return this.askAgain(dataset, home);
    await this.write(next, over);
    const where = next.closing === true ? `leaves ${next.site}` : `is ${next.site} in epoch ${next.epoch}`;
    this.log.log(`the home of ${dataset.project}/${dataset.name} ${where}`);
    this.to.tells(dataset);
    this.ask(next.site, { isNew: true });
  }

  /** Gives a copy the pen, when it may have it and has not. */
  private async give(dataset: Dataset, copy: AskingCopy): Promise<void> {
    const home = this.copies.homes.get(dataset);
    const over = this.copies.homes.revisionOf(dataset);
    if (home === undefined || home.stores.includes(copy.store)) return;
    // It is told to read again, and what it has may lack something from before.
    if (isOfAnother(await this.records.allEpochs(), copy)) return;
    if (!mayWrite(home, copy, await this.records.head(dataset))) return;
    // One more, and nobody could read where the home is.
    if (home.stores.length >= LIMITS.storesPerKey)
      return this.log.warn(
        `store ${copy.store} of site ${copy.site} may not write ${dataset.project}/${dataset.name}: ${LIMITS.storesPerKey} stores there may already (limit storesPerKey), until its home moves`,
      );
    await this.write({ ...home, stores: [...home.stores, copy.store] }, over);
  }

  /** What it was decided by is true as long as no other instance may write; who may next writes each home anew when it begins. */
  private async write(home: DatasetHome, over: number): Promise<void> {
    if (!this.to.holdsLease()) throw new Error('this instance may not write any more');
    await this.copies.homes.write(home, over);
  }

  private oldHome(dataset: Dataset, home: DatasetHome | undefined): OldHome {
    if (home === undefined) return { hasEnded: () => true, leaseOver: false };
    const nowMs = performance.now();
    this.old.look(home, nowMs);
    return {
      hasEnded: (store) => this.old.hasEnded(home, store, nowMs),
      leaseOver: this.signs.isLeaseOver(dataset, home),
    };
  }

  /** Until it has closed, or one of its copies may write. */
  private askAgain(dataset: Dataset, home: DatasetHome | undefined): void {
    if (home !== undefined && (home.closing === true || home.stores.length === 0)) this.ask(home.site);
  }

  private ask(site: string, { isNew } = { isNew: false }): void {
    const nowMs = performance.now();
    const before = this.asked.get(site);
    const sinceMs = isNew || before === undefined ? nowMs : before.sinceMs;
    const pauseMs = Math.min(Math.max(ASK_MS, (nowMs - sinceMs) / 4), ASK_MAX_MS);
    const isDue = before === undefined || nowMs - before.atMs >= pauseMs;
    this.asked.set(site, { sinceMs, atMs: isDue ? nowMs : before.atMs });
    if (isDue) this.to.asks(site);
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
