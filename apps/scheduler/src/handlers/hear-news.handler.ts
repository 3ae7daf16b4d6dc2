import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { BucketChange, StoredMessage } from '@skerry/bus';
import {
  observedSchema,
  workloadKey,
  type CopySet,
  type Dataset,
  type PlacementsValue,
  type Quota,
  type Site,
  type SiteState,
  type Workload,
} from '@skerry/contracts';
import { JsonLog } from '@skerry/service';
import { AgendaStore } from '../stores/agenda.store.js';
import { DecisionLogStore } from '../stores/decision-log.store.js';
import { World } from '../stores/world.js';

const REFUSED = '"refused"';
/** Whoever waits for the end of what a removed site owned is decided on before that site is seen no more. */
const DROP_MARGIN_MS = 1_000;
/** Between two looks whether the wall clock was set. */
const CLOCK_EVERY_MS = 1_000;

/** Keeps the world up to date with what is followed, and puts on the agenda what it may matter to. */
@Injectable()
export class HearNews implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  /** Removed sites that are going to be dropped. */
  private readonly dropping = new Set<string>();

  constructor(
    private readonly world: World,
    private readonly agenda: AgendaStore,
    private readonly history: DecisionLogStore,
    @Inject(JsonLog) private readonly log: JsonLog,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.followClock(), CLOCK_EVERY_MS);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  placement(change: BucketChange<PlacementsValue>): void {
    this.complain('placements', change);
    const before = this.world.placements.get(change.key);
    const key = this.world.placements.apply(change);
    if (key === undefined) return;
    this.world.replaces(before, this.world.placements.get(key));
    if (this.world.settle(key)) this.agenda.mayHelp();
    this.agenda.soon(key);
  }

  workload(change: BucketChange<Workload>): void {
    this.complain('workloads', change);
    const { key } = change;
    const before = this.world.workloads.get(key)?.workload.generation;
    this.world.workloads.apply(change);
    if (change.kind === 'put' && change.value.generation !== before)
      this.world.reports.refusals.forgetWorkload(key);
    // Its placement may have come before it. Else what it holds stays until the new generation is decided.
    if (before === undefined) this.world.settle(key);
    this.agenda.soon(key);
  }

  dataset(change: BucketChange<Dataset>): void {
    this.complain('datasets', change);
    this.world.workloads.datasets.apply(change);
    for (const key of this.world.workloads.usersOf(change.key)) this.agenda.soon(key);
  }

  /** Where copies are matters to who may run at no other sites, and to who has no site yet. */
  copies(change: BucketChange<CopySet>): void {
    this.complain('copies', change);
    if (!this.world.workloads.datasets.applyCopies(change)) return;
    for (const key of this.world.workloads.usersOf(change.key)) this.agenda.soon(key);
  }

  quota(change: BucketChange<Quota>): void {
    this.complain('policies', change);
    const project = this.world.workloads.applyQuota(change);
    for (const key of this.world.workloads.keys()) if (key.startsWith(`${project}.`)) this.agenda.soon(key);
  }

  site(change: BucketChange<Site>): void {
    this.complain('site-specs', change);
    const matters = this.world.sites.applySpec(change);
    this.history.site(change.key);
    if (matters) this.siteChanged(change.key);
    this.dropInTime(change.key);
  }

  /** The clock that decisions are made by goes to where the wall clock is. */
  private followClock(): void {
    const byMs = this.world.clock.follow();
    if (byMs === 0) return;
    this.log.warn('the clock of this machine was set, or it was suspended', { byMs });
    this.world.sites.shift(byMs);
    for (const { name } of this.world.sites.all()) this.history.site(name);
    // Each has its next look by the clock as it was.
    for (const key of this.world.workloads.keys()) this.agenda.soon(key);
  }

  siteState(change: BucketChange<SiteState>): void {
    this.complain('site-states', change);
    const matters = this.world.sites.applyState(change);
    const resized =
      change.kind === 'put' && this.world.holdings.setCapacity(change.key, change.value.capacity);
    this.history.site(change.key);
    if (matters || resized) this.siteChanged(change.key);
  }

  report(message: StoredMessage): void {
    const [, site = '', , project = '', name = ''] = message.subject.split('.');
    const key = workloadKey(project, name);
    const handedOver = this.world.reports.health.take(key, site, message.data) && this.world.handsOver(key);
    if (handedOver) this.agenda.soon(key);
    // Reports are many and refusals few: the others are not worth parsing, unless one was refused before.
    if (!this.world.reports.refusals.has(key, site) && !Buffer.from(message.data).includes(REFUSED)) return;
    const parsed = observedSchema.safeParse(message.json());
    if (!parsed.success || parsed.data.site !== site) {
      this.log.warn(`report on ${message.subject} is not what it should be`);
      return;
    }
    if (this.world.reports.refusals.take(key, parsed.data, this.world.clock.now())) this.agenda.soon(key);
  }

  /** A removed site is seen for a while; see `SitesStore`. */
  private dropInTime(site: string): void {
    const afterMs = this.world.sites.dropAfterMs(site);
    if (afterMs === undefined || this.dropping.has(site)) return;
    this.dropping.add(site);
    setTimeout(() => {
      this.dropping.delete(site);
      // The clock may have gone elsewhere meanwhile, which changes nothing of how long it is.
      this.world.sites.drop(site);
      this.history.site(site);
      this.siteChanged(site);
    }, afterMs + DROP_MARGIN_MS).unref();
  }

  private siteChanged(site: string): void {
    for (const key of this.world.ledger.keysAt(site)) this.agenda.soon(key);
    for (const key of this.world.placements.waitingFor(site)) this.agenda.soon(key);
    for (const key of this.world.reports.refusals.forgetSite(site)) this.agenda.soon(key);
    this.agenda.mayHelp();
  }

  private complain(bucket: string, change: BucketChange<unknown>): void {
    if (change.kind !== 'malformed') return;
    this.log.error(`value in ${bucket} is passed over`, { key: change.key, reason: change.reason });
  }
}
