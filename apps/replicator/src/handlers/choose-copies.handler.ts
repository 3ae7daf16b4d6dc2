import { Inject, Injectable } from '@nestjs/common';
import { Conflict } from '@skerry/bus';
import {
  workloadKey,
  type ChosenCopy,
  type CopiesRequest,
  type CopySet,
  type Dataset,
  type Site,
} from '@skerry/contracts';
import { chooseCopies, copiesReviewAt, isChosen, type CopySite } from '@skerry/domain';
import { JsonLog } from '@skerry/service';
import { CopiesStore, isKept } from '../stores/copies.store.js';
import { CopySetsStore } from '../stores/copy-sets.store.js';
import { CopyUsersStore } from '../stores/copy-users.store.js';
import { RecordsStore } from '../stores/records.store.js';

/** Between two looks at what has to go in time. */
const LOOK_MS = 1_000;
/** How long what a site said of its writes counts. */
const SAID_MS = 5_000;
/** How long sites have to say which copies they hold from before these were chosen. */
const GREETING_MS = 3_000;

type BySite = Map<string, Said>;

/** How a copy stands at a site. */
export interface Stand {
  dataset: Dataset;
  whole: boolean;
  /** What was written there that the hub has not got; undefined: not known. */
  unsent: number | undefined;
  /** What it has read is not what the hub has now, which may have lost what it had from there too. */
  lost: boolean;
}

/** What a site said last of a copy. */
interface Said extends Omit<Stand, 'dataset'> {
  incarnation: number;
  atMs: number;
}

/**
 * Chooses where copies are, of the datasets that leave it to Skerry (`chooseCopies` of the domain): again whenever a workload that
 * uses one is placed, a site comes or goes, or a copy is said to be whole. The active instance alone writes bucket `copies`.
 */
@Injectable()
export class ChooseCopies {
  private active = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly due = new Set<string>();
  private working: Promise<void> = Promise.resolve();
  private planned = false;
  /** Logs, of which sites speak apart, and what else there is: by dataset, then by site. */
  private readonly said = { logs: new Map<string, BySite>(), copies: new Map<string, BySite>() };
  /** By dataset: the generation that was looked at last. */
  private readonly decided = new Map<string, number>();
  /** By dataset: when all sites were asked what they hold of it. */
  private readonly asked = new Map<string, number>();
  private asksSite: (site: string) => void = () => undefined;
  private asksLogs: ((site: string) => void) | undefined;

  constructor(
    private readonly copies: CopiesStore,
    private readonly sets: CopySetsStore,
    private readonly users: CopyUsersStore,
    private readonly records: RecordsStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  /** `asks`: has a site say how its copies stand. */
  start(asks: (site: string) => void): void {
    this.asksSite = asks;
    this.active = true;
    this.users.onChange((key) => (key === undefined ? this.all() : this.soon(key)));
    clearInterval(this.timer);
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.all();
  }

  /** From now on logs are heard too, which begin later. `asks`: has a site say how its logs stand. */
  startLogs(asks: (site: string) => void): void {
    this.asksLogs = asks;
    this.all();
  }

  async stop(): Promise<void> {
    this.active = false;
    clearInterval(this.timer);
    this.asksLogs = undefined;
    this.due.clear();
    this.said.logs.clear();
    this.said.copies.clear();
    this.asked.clear();
    await this.working;
  }

  /** Something that the choice for a dataset depends on is another. */
  soon(key: string): void {
    if (!this.active) return;
    this.due.add(key);
    if (this.planned) return;
    this.planned = true;
    this.working = this.working.then(async () => await this.work());
  }

  /** A site is another. */
  private all(): void {
    for (const { project, name, spec } of this.copies.all())
      if (isChosen(spec.copies)) this.soon(workloadKey(project, name));
  }

  /** A site says which copies it holds. */
  async heard(site: Site, { held }: CopiesRequest): Promise<void> {
    if (!this.active) return;
    for (const bySite of this.said.copies.values()) bySite.delete(site.name);
    for (const { project, name, incarnation, cursor, unsent, streamEpoch, partial } of held) {
      const dataset = this.copies.current({ project, name, incarnation });
      if (dataset === undefined || !isKept(dataset) || !isChosen(dataset.spec.copies)) continue;
      const lost = await this.records.hasLost(dataset, { cursor, streamEpoch });
      const whole = !lost && partial !== true && cursor >= (await this.records.head(dataset));
      this.stands(site, { dataset, whole, unsent, lost });
    }
  }

  /** A site says which logs it holds. */
  heardLogs(site: Site, stands: readonly Stand[]): void {
    if (!this.active) return;
    for (const bySite of this.said.logs.values()) bySite.delete(site.name);
    for (const stand of stands) this.stands(site, stand);
  }

  private stands(site: Site, { dataset, ...stand }: Stand): void {
    const { project, name, incarnation } = dataset;
    const key = workloadKey(project, name);
    const said = isKept(dataset) ? this.said.copies : this.said.logs;
    const bySite = said.get(key) ?? new Map<string, Said>();
    said.set(key, bySite.set(site.name, { incarnation, ...stand, atMs: Date.now() }));
    this.soon(key);
  }

  private saidOf(dataset: Dataset): BySite | undefined {
    const said = isKept(dataset) ? this.said.copies : this.said.logs;
    return said.get(workloadKey(dataset.project, dataset.name));
  }

  private ask(dataset: Dataset, site: string): void {
    if (isKept(dataset)) this.asksSite(site);
    else this.asksLogs?.(site);
  }

  private async work(): Promise<void> {
    this.planned = false;
    const keys = [...this.due];
    this.due.clear();
    for (const key of keys) {
      const [project = '', name = ''] = key.split('.');
      const dataset = this.copies.named(project, name);
      if (!this.active || dataset === undefined || !isChosen(dataset.spec.copies)) continue;
      await this.choose(key, dataset).catch((error: unknown) => {
        // What was written meanwhile is heard by the next look.
        if (error instanceof Conflict) this.decided.delete(key);
        else this.log.warn(`copies of ${key} were not chosen`, error);
      });
    }
  }

  private async choose(key: string, dataset: Dataset): Promise<void> {
    if (!isKept(dataset) && this.asksLogs === undefined) return;
    const nowMs = Date.now();
    const present = this.present(dataset, nowMs);
    if (present === undefined) return;
    const said = this.saidOf(dataset);
    const sites = this.users.sitesFor(dataset, (site) => standing(said?.get(site), dataset, nowMs));
    const next = chooseCopies({ copies: dataset.spec.copies, sites, present, nowMs });
    const before = this.sets.get(dataset);
    if (before !== undefined && JSON.stringify(before.copies) === JSON.stringify(next)) return;
    const { project, name, incarnation } = dataset;
    const updatedAt = new Date(nowMs).toISOString();
    await this.sets.write({ kind: 'CopySet', project, name, incarnation, copies: next, updatedAt });
    this.log.log(`copies of ${project}/${name} are at ${next.map((c) => c.site).join(', ') || 'no site'}`);
  }

  /**
   * What there is; undefined while that is not known yet. A copy with writes that the hub has not got belongs to it, wherever it is.
   * Of a dataset that sites brought back, what they had of it then stays: others' writes in it may be nowhere else.
   */
  private present(dataset: Dataset, nowMs: number): ChosenCopy[] | undefined {
    const set = this.sets.get(dataset);
    const recovered = dataset.recovered === true;
    // One that was changed may have copies from before they were chosen.
    const found = set === undefined && (recovered || dataset.generation > dataset.incarnation);
    if (found && !this.isGreeted(dataset, nowMs)) return undefined;
    const known = new Set(set?.copies.map((copy) => copy.site));
    const since = new Date(nowMs).toISOString();
    const adopted = [...(this.saidOf(dataset) ?? [])].flatMap(([site, s]): ChosenCopy[] => {
      if (s.incarnation !== dataset.incarnation || known.has(site)) return [];
      if (!found && !s.lost && s.unsent === 0) return [];
      const stays = recovered && (found || s.lost);
      return [{ site, since, why: 'it was there', whole: s.whole, ...(stays ? { found: true } : {}) }];
    });
    return [...(set?.copies ?? []).map((copy) => (recovered ? copy : notFound(copy))), ...adopted];
  }

  /** Whether all sites were asked what they hold, and had time to say it. */
  private isGreeted(dataset: Dataset, nowMs: number): boolean {
    const key = workloadKey(dataset.project, dataset.name);
    const askedMs = this.asked.get(key);
    if (askedMs !== undefined) return nowMs - askedMs >= GREETING_MS;
    this.asked.set(key, nowMs);
    for (const site of this.users.siteNames()) this.ask(dataset, site);
    return false;
  }

  /** Looks at what time alone changes: sites whose copies would go say once more how these stand, which has it decided. */
  private look(): void {
    const nowMs = Date.now();
    for (const dataset of this.copies.all()) {
      if (dataset.removed || !isChosen(dataset.spec.copies)) continue;
      const set = this.sets.get(dataset);
      const key = workloadKey(dataset.project, dataset.name);
      const isNew = this.decided.get(key) !== dataset.generation;
      this.decided.set(key, dataset.generation);
      if (set === undefined || isNew) this.soon(key);
      else if (copiesReviewAt(dataset.spec.copies, set.copies) <= nowMs)
        for (const site of this.goingFrom(dataset, set, nowMs)) this.ask(dataset, site);
    }
  }

  /** Sites that give up theirs if the hub has all that was written there and others are whole; and of which that is not known. */
  private goingFrom(dataset: Dataset, { copies: present }: CopySet, nowMs: number): string[] {
    const sites = this.users.sitesFor(dataset, () => ({ settled: true, whole: true }));
    const next = chooseCopies({ copies: dataset.spec.copies, sites, present, nowMs });
    const stay = new Set(next.map((copy) => copy.site));
    const going = present.filter(({ site }) => !stay.has(site));
    const asked = going.length === 0 ? [] : present.filter(({ site, whole }) => !stay.has(site) || !whole);
    return asked.map(({ site }) => site);
  }
}

/** Somebody has applied the dataset since: its copies are where that says. */
function notFound({ found: _found, ...copy }: ChosenCopy): ChosenCopy {
  return copy;
}

function standing(
  said: Said | undefined,
  { incarnation }: Dataset,
  nowMs: number,
): Pick<CopySite, 'whole' | 'settled'> {
  if (said?.incarnation !== incarnation) return { settled: false };
  return {
    ...(said.whole ? { whole: true } : {}),
    settled: said.unsent === 0 && !said.lost && nowMs - said.atMs < SAID_MS,
  };
}
